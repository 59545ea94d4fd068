/* What cgo cannot say in Go: calls that remember on their thread which Go call they belong to, and callbacks. */
#ifndef COSSLICE_GO_BRIDGE_H
#define COSSLICE_GO_BRIDGE_H

#include <cosslice.h>

enum bridge_call { BRIDGE_HASH, BRIDGE_INIT, BRIDGE_SEEK, BRIDGE_FEED, BRIDGE_FINISH, BRIDGE_FILE, BRIDGE_BUFFER };

/* Calls the function of that name. `call` is a cgo.Handle, or 0. Callbacks find it while the function runs. */
cosslice_status bridge_upload(uintptr_t call, enum bridge_call which, cosslice_upload *upload, const void *data, uint64_t number);

/* `user` is a cgo.Handle, deleted when the library does not use it any more. 0 takes the callback off. */
cosslice_status bridge_set_signer(cosslice_config *config, uintptr_t user);
cosslice_status bridge_set_logger(cosslice_config *config, int32_t max_level, uintptr_t user);
cosslice_status bridge_set_progress(cosslice_upload *upload, uintptr_t user);

#endif

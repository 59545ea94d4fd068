// The functions of cosslice.h. Loaded on the main thread and on each upload's own.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import koffi from 'koffi';
import { ABI_VERSION } from './constants.mjs';

const fileName = { darwin: 'libcosslice.dylib', win32: 'cosslice.dll' }[process.platform] ?? 'libcosslice.so.1';
const ofCheckout = fileURLToPath(new URL(`../../build/lib/${fileName}`, import.meta.url));
const library = koffi.load(process.env.COSSLICE_LIBRARY ?? (existsSync(ofCheckout) ? ofCheckout : fileName));

koffi.alias('cosslice_status', 'int32_t');
koffi.opaque('cosslice_config');
koffi.opaque('cosslice_upload');
koffi.opaque('cosslice_sign_request');

// Memory that C writes to is `void *` here: koffi would make a text of `char *`.
const callbacks = Object.fromEntries(
  [
    'size_t cosslice_sign_fn(void *user, const cosslice_sign_request *request, void *out, size_t out_size)',
    'void cosslice_release_fn(void *user)',
    'void cosslice_log_fn(void *user, int32_t level, const char *message)',
    'int32_t cosslice_progress_fn(void *user, uint32_t phase, uint64_t bytes_done, uint64_t bytes_total)',
  ].map((prototype) => [/(\w+)\(/.exec(prototype)[1], koffi.proto(prototype)]),
);

/** Each function by its name in C. */
export const functions = Object.fromEntries(
  [
    'uint32_t cosslice_abi_version(void)',
    'const char *cosslice_version(void)',
    'const char *cosslice_status_str(cosslice_status status)',
    'const char *cosslice_sign_get_str(const cosslice_sign_request *request, uint32_t field)',
    'uint64_t cosslice_sign_get_u64(const cosslice_sign_request *request, uint32_t field)',
    'cosslice_status cosslice_config_new(_Out_ cosslice_config **out)',
    'void cosslice_config_free(cosslice_config *config)',
    'const char *cosslice_config_message(const cosslice_config *config)',
    'cosslice_status cosslice_config_set_str(cosslice_config *config, uint32_t option, const char *value)',
    'cosslice_status cosslice_config_set_u64(cosslice_config *config, uint32_t option, uint64_t value)',
    'cosslice_status cosslice_config_set_signer(cosslice_config *config, cosslice_sign_fn *sign, void *user, cosslice_release_fn *release)',
    'cosslice_status cosslice_config_set_logger(cosslice_config *config, int32_t max_level, cosslice_log_fn *log, void *user, cosslice_release_fn *release)',
    'cosslice_status cosslice_config_sign(const cosslice_config *config, const char *path, uint64_t expires_at_s, void *out, size_t out_size, _Out_ size_t *len)',
    'cosslice_status cosslice_upload_new(const cosslice_config *config, const char *path, _Out_ cosslice_upload **out)',
    'cosslice_status cosslice_upload_set_progress(cosslice_upload *upload, cosslice_progress_fn *progress, void *user, cosslice_release_fn *release)',
    'cosslice_status cosslice_upload_hash(cosslice_upload *upload, const void *data, size_t len)',
    'cosslice_status cosslice_upload_init(cosslice_upload *upload, uint64_t total_size)',
    'cosslice_status cosslice_upload_seek(cosslice_upload *upload, uint64_t offset)',
    'cosslice_status cosslice_upload_feed(cosslice_upload *upload, const void *data, size_t len)',
    'cosslice_status cosslice_upload_finish(cosslice_upload *upload)',
    'cosslice_status cosslice_upload_file(cosslice_upload *upload, const char *path)',
    'cosslice_status cosslice_upload_buffer(cosslice_upload *upload, const void *data, size_t len)',
    'void cosslice_upload_cancel(cosslice_upload *upload)',
    'int64_t cosslice_upload_get_i64(const cosslice_upload *upload, uint32_t info)',
    'const char *cosslice_upload_get_str(const cosslice_upload *upload, uint32_t info)',
    'void cosslice_upload_free(cosslice_upload *upload)',
  ].map((prototype) => [/(\w+)\(/.exec(prototype)[1], library.func(prototype)]),
);

const abi = functions.cosslice_abi_version();
if (abi !== ABI_VERSION) {
  throw new Error(`libcosslice has version ${abi} of its binary interface, this package needs ${ABI_VERSION}`);
}

/** A C function pointer that runs `listener` on this thread. */
export const register = (listener, name) => koffi.register(listener, koffi.pointer(callbacks[name]));

/** Writes bytes where C wants them. */
export const write = (pointer, bytes) => koffi.encode(pointer, 'uint8_t', bytes, bytes.length);

/** Where the bytes of a view lie. They stay there: to look at its `buffer` moves a small one out of the heap. */
export const addressOf = (view) => (view.buffer && view.byteLength > 0 ? koffi.address(view) : null);

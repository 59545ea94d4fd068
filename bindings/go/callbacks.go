package cosslice

/*
#include "bridge.h"
*/
import "C"

import (
	"context"
	"fmt"
	"runtime/cgo"
	"unsafe"
)

// SignRequest is what a signature is wanted for.
type SignRequest struct {
	Op         string // the operation, such as "upload_slice_data"
	AppID      string
	Bucket     string
	Path       string // the object's path as it was given to NewUpload
	FileID     string // the signature's f field, "/appid/bucket/encoded-path"
	ExpiresAtS uint64 // Unix seconds when the signature should end; 0 wants a one-time signature
	NowS       uint64 // Unix seconds now, by the server's clock as far as it is known
}

// Signer gives the value of the Authorization header. It gets the context of the call that needs it; its error ends that
// call with ErrAuth and is wrapped by the call's error. It may be called by several uploads at once.
type Signer func(context.Context, SignRequest) (string, error)

// A panic must not pass through C: it is kept, the upload ends, and the Go call panics.
func (c *call) keep(outcome any) {
	if outcome != nil {
		c.panicked = outcome
		C.cosslice_upload_cancel(c.handle)
	}
}

// Callbacks come inside a call, but for log lines when an upload is freed.
func callOf(id C.uintptr_t) *call {
	if id == 0 {
		return nil
	}
	return cgo.Handle(id).Value().(*call)
}

//export goSign
func goSign(id, user C.uintptr_t, request *C.cosslice_sign_request, out *C.char, size C.size_t) C.size_t {
	this := callOf(id)
	defer func() { this.keep(recover()) }()
	text := func(field C.uint32_t) string { return C.GoString(C.cosslice_sign_get_str(request, field)) }
	number := func(field C.uint32_t) uint64 { return uint64(C.cosslice_sign_get_u64(request, field)) }
	signature, err := cgo.Handle(user).Value().(Signer)(this.ctx, SignRequest{
		Op:         text(C.COSSLICE_SIGN_OP),
		AppID:      text(C.COSSLICE_SIGN_APP_ID),
		Bucket:     text(C.COSSLICE_SIGN_BUCKET),
		Path:       text(C.COSSLICE_SIGN_PATH),
		FileID:     text(C.COSSLICE_SIGN_FILE_ID),
		ExpiresAtS: number(C.COSSLICE_SIGN_EXPIRES_AT_S),
		NowS:       number(C.COSSLICE_SIGN_NOW_S),
	})
	if err != nil {
		this.err = fmt.Errorf("signer: %w", err)
		return 0
	}
	if len(signature) < int(size) {
		room := unsafe.Slice((*byte)(unsafe.Pointer(out)), int(size))
		room[copy(room, signature)] = 0
	}
	return C.size_t(len(signature)) // which asks for more room when it is too long
}

//export goProgress
func goProgress(id, user C.uintptr_t, phase C.uint32_t, done, total C.uint64_t) (stop C.int32_t) {
	this := callOf(id)
	stop = 1 // for a panic
	defer func() { this.keep(recover()) }()
	cgo.Handle(user).Value().(func(Progress))(Progress{Phase(phase), uint64(done), uint64(total)})
	return 0
}

//export goLog
func goLog(id, user C.uintptr_t, level C.int32_t, message *C.char) {
	if this := callOf(id); this != nil {
		defer func() { this.keep(recover()) }()
	}
	cgo.Handle(user).Value().(func(Level, string))(Level(level), C.GoString(message))
}

//export goRelease
func goRelease(user C.uintptr_t) { cgo.Handle(user).Delete() }

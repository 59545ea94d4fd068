// Package cosslice uploads large objects to Tencent COS through its v4 JSON slice API: in parallel slices, in bounded
// memory, with resume after an interruption. It is a thin layer over the C library libcosslice, which pkg-config finds.
//
//	config, err := cosslice.NewConfig(cosslice.AppID("1250000000"), cosslice.Bucket("bkt"), cosslice.Region("gz"),
//		cosslice.SecretID("AKID..."), cosslice.SecretKey("..."))
//	...
//	defer config.Close()
//	upload, err := config.NewUpload("/videos/a.mp4")
//	...
//	defer upload.Close()
//	if err := upload.File(ctx, "a.mp4"); err != nil {
//		return err
//	}
//	fmt.Println(upload.Text(cosslice.InfoAccessURL))
//
// Calls that take a context block, each on a thread of its own, and end within 250 ms when the context does. Callbacks
// (signer, progress, log) run on the goroutine that is inside the call, before it returns; a panic in one comes out of
// that call. An [Upload] takes one call at a time and answers a second one with [ErrBusy]; different uploads are
// independent of each other. All methods may be called from any goroutine.
package cosslice

/*
#cgo pkg-config: cosslice
#include "bridge.h"
*/
import "C"

// Version is that of the library that is loaded, such as "0.1.0".
func Version() string { return C.GoString(C.cosslice_version()) }

// The program was compiled against one binary interface and may be run with another.
func init() {
	if found := uint32(C.cosslice_abi_version()); found != C.COSSLICE_ABI_VERSION {
		panic("cosslice: the library that is loaded has another binary interface than the header that this program was compiled with")
	}
}

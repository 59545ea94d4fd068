package cosslice

/*
#include <stdlib.h>
#include "bridge.h"
*/
import "C"

import (
	"runtime"
	"runtime/cgo"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// Config is a template for uploads, which share its connections and copy everything else when they are made.
type Config struct {
	mu     sync.Mutex // the library wants one thread at a time
	handle *C.cosslice_config
}

// NewConfig makes a config. Nothing is sent.
func NewConfig(options ...Option) (*Config, error) {
	c := &Config{}
	if status := C.cosslice_config_new(&c.handle); status != C.COSSLICE_OK {
		return nil, refused(Status(status), Status(status).Error())
	}
	runtime.SetFinalizer(c, (*Config).Close)
	if err := c.Set(options...); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Set changes options for uploads made from now on. It stops at the first one that is refused.
func (c *Config) Set(options ...Option) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.handle == nil {
		return closedConfig()
	}
	for _, option := range options {
		if err := option(c); err != nil {
			return err
		}
	}
	return nil
}

// Sign makes a signature for the object path with the config's key pair, for the server that signs for others. A path
// that ends with '/' covers everything below it, "" the whole bucket. The zero time makes a one-time signature.
func (c *Config) Sign(path string, expires time.Time) (string, error) {
	if strings.IndexByte(path, 0) >= 0 {
		return "", refused(ErrInvalidArg, "the object path has a NUL in it")
	}
	var expiresAt C.uint64_t
	if !expires.IsZero() {
		if expires.Unix() <= 0 {
			return "", refused(ErrInvalidArg, "the expiry lies before 1970")
		}
		expiresAt = C.uint64_t(expires.Unix())
	}
	copied := C.CString(path)
	defer C.free(unsafe.Pointer(copied))

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.handle == nil {
		return "", closedConfig()
	}
	for size := C.size_t(1024); ; {
		out := (*C.char)(C.malloc(size)) // which does not fail, says cgo
		var length C.size_t
		status := C.cosslice_config_sign(c.handle, copied, expiresAt, out, size, &length)
		signature := ""
		if status == C.COSSLICE_OK {
			signature = C.GoStringN(out, C.int(length))
		}
		C.free(unsafe.Pointer(out))
		if status == C.COSSLICE_OK {
			return signature, nil
		}
		if length < size {
			return "", c.check(status)
		}
		size = length + 1
	}
}

// NewUpload makes an upload of the object path, such as "/dir/a b.txt", not encoded. Nothing is sent yet.
func (c *Config) NewUpload(path string) (*Upload, error) {
	if strings.IndexByte(path, 0) >= 0 {
		return nil, refused(ErrInvalidArg, "the object path has a NUL in it")
	}
	copied := C.CString(path)
	defer C.free(unsafe.Pointer(copied))

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.handle == nil {
		return nil, closedConfig()
	}
	u := &Upload{}
	if err := c.check(C.cosslice_upload_new(c.handle, copied, &u.handle)); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(u, (*Upload).Close)
	return u, nil
}

// Close frees the config. Its uploads go on. Closing again does nothing.
func (c *Config) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	C.cosslice_config_free(c.handle)
	c.handle = nil
	runtime.SetFinalizer(c, nil)
}

func closedConfig() *Error { return refused(ErrState, "the config is closed") }

func (c *Config) check(status C.cosslice_status) *Error {
	if status == C.COSSLICE_OK {
		return nil
	}
	return refused(Status(status), C.GoString(C.cosslice_config_message(c.handle)))
}

// The library releases what it took; what it refused is still ours.
func (c *Config) registered(status C.cosslice_status, user cgo.Handle) *Error {
	err := c.check(status)
	if err != nil {
		user.Delete()
	}
	return err
}

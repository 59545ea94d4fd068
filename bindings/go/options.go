package cosslice

/*
#include <stdlib.h>
#include "bridge.h"
*/
import "C"

import (
	"runtime/cgo"
	"strings"
	"time"
	"unsafe"
)

// Option is a setting of a [Config]. Ranges are checked when it is applied.
type Option func(*Config) *Error

// AppID is the account's number, such as "1250000000". Required.
func AppID(number string) Option { return text(C.COSSLICE_OPT_APP_ID, number) }

// Bucket is the short bucket name, without the account's number. Required.
func Bucket(name string) Option { return text(C.COSSLICE_OPT_BUCKET, name) }

// Region is such as "gz", "sh" or "tj". Required unless there is an Endpoint.
func Region(name string) Option { return text(C.COSSLICE_OPT_REGION, name) }

// Endpoint is the full base URL, by default "https://<region>.file.myqcloud.com/files/v2".
func Endpoint(url string) Option { return text(C.COSSLICE_OPT_ENDPOINT, url) }

// SecretID is the public half of the key pair.
func SecretID(id string) Option { return text(C.COSSLICE_OPT_SECRET_ID, id) }

// SecretKey is the secret half of the key pair. On a machine that must not have it, use SignWith.
func SecretKey(key string) Option { return text(C.COSSLICE_OPT_SECRET_KEY, key) }

// Authorization is one ready-made multi-effect signature, instead of a key pair.
func Authorization(signature string) Option { return text(C.COSSLICE_OPT_AUTHORIZATION, signature) }

// BizAttr is the object's custom attribute.
func BizAttr(attribute string) Option { return text(C.COSSLICE_OPT_BIZ_ATTR, attribute) }

// ResumeToken is that of the [Error] of an earlier push upload of the same content, to continue it.
func ResumeToken(token string) Option { return text(C.COSSLICE_OPT_RESUME_TOKEN, token) }

// CAPEM is certificates in PEM (the text) that replace the built-in roots.
func CAPEM(certificates string) Option { return text(C.COSSLICE_OPT_CA_PEM, certificates) }

// Proxy is "http://[user:password@]host:port" of a proxy that takes CONNECT. The environment is never read.
func Proxy(url string) Option { return text(C.COSSLICE_OPT_PROXY, url) }

// UserAgent replaces "libcosslice/<version>".
func UserAgent(name string) Option { return text(C.COSSLICE_OPT_USER_AGENT, name) }

// SliceSize is the bytes of a slice, 64 KiB to 64 MiB, by default 1 MiB, the only size that every COS server takes.
func SliceSize(bytes uint64) Option { return number(C.COSSLICE_OPT_SLICE_SIZE, bytes) }

// InFlight is how many slices are on their way at once, 1 to 64, by default 4.
func InFlight(slices uint64) Option { return number(C.COSSLICE_OPT_IN_FLIGHT, slices) }

// Retries is how many further tries a request gets, 0 to 100, by default 5.
func Retries(tries uint64) Option { return number(C.COSSLICE_OPT_RETRIES, tries) }

// ConnectTimeout is for connecting, name lookup and TLS included: 100 ms to 10 minutes, by default 10 s.
func ConnectTimeout(limit time.Duration) Option {
	return number(C.COSSLICE_OPT_CONNECT_TIMEOUT_MS, whole(limit, time.Millisecond))
}

// IOTimeout is the silence after which a connection is given up: 100 ms to an hour, by default a minute.
func IOTimeout(limit time.Duration) Option {
	return number(C.COSSLICE_OPT_IO_TIMEOUT_MS, whole(limit, time.Millisecond))
}

// SignTTL is how long signatures last: a minute to 90 days, by default 15 minutes.
func SignTTL(lifetime time.Duration) Option {
	return number(C.COSSLICE_OPT_SIGN_TTL_S, whole(lifetime, time.Second))
}

// OverwriteMode says what becomes of what has the name already.
type OverwriteMode uint64

const (
	OverwriteNever      OverwriteMode = iota // fail with ErrExists
	OverwriteObject                          // replace an object; it is there until the new one takes its place
	OverwriteUnfinished                      // also discard an unfinished upload of other content
)

// Overwrite is OverwriteNever by default.
func Overwrite(mode OverwriteMode) Option { return number(C.COSSLICE_OPT_OVERWRITE, uint64(mode)) }

// Resume continues an unfinished upload of the same content. By default true.
func Resume(on bool) Option { return number(C.COSSLICE_OPT_RESUME, flag(on)) }

// Hash declares the content's digest, which resume, instant uploads and the server's check need. By default true.
func Hash(on bool) Option { return number(C.COSSLICE_OPT_HASH, flag(on)) }

// Verify compares with the server's record after finish where no digest was declared. By default true.
func Verify(on bool) Option { return number(C.COSSLICE_OPT_VERIFY, flag(on)) }

// SingleMax is how many bytes File and Bytes send in one request at most, up to 20 MiB, by default 1 MiB.
func SingleMax(bytes uint64) Option { return number(C.COSSLICE_OPT_SINGLE_MAX, bytes) }

// Bandwidth limits an upload to so many bytes per second; 0, the default, does not.
func Bandwidth(bytesPerSecond uint64) Option {
	return number(C.COSSLICE_OPT_BANDWIDTH, bytesPerSecond)
}

// SignWith lets a function sign instead of a key pair. nil goes back to the key pair.
func SignWith(signer Signer) Option {
	return func(c *Config) *Error {
		if signer == nil {
			return c.check(C.bridge_set_signer(c.handle, 0))
		}
		user := cgo.NewHandle(signer)
		return c.registered(C.bridge_set_signer(c.handle, C.uintptr_t(user)), user)
	}
}

// Level is how much a log line matters.
type Level int32

const (
	LogError Level = C.COSSLICE_LOG_ERROR // the upload fails
	LogWarn  Level = C.COSSLICE_LOG_WARN  // something went wrong and is being dealt with
	LogInfo  Level = C.COSSLICE_LOG_INFO  // the steps of an upload
	LogDebug Level = C.COSSLICE_LOG_DEBUG // every request
)

// LogWith lets a function take the log lines up to max. They hold no secret. nil turns logging off.
func LogWith(max Level, log func(Level, string)) Option {
	return func(c *Config) *Error {
		if log == nil {
			return c.check(C.bridge_set_logger(c.handle, C.int32_t(max), 0))
		}
		user := cgo.NewHandle(log)
		return c.registered(C.bridge_set_logger(c.handle, C.int32_t(max), C.uintptr_t(user)), user)
	}
}

func text(option C.uint32_t, value string) Option {
	return func(c *Config) *Error {
		if strings.IndexByte(value, 0) >= 0 {
			return refused(ErrInvalidArg, "an option's text has a NUL in it; C would see its end there")
		}
		copied := C.CString(value)
		defer C.free(unsafe.Pointer(copied))
		return c.check(C.cosslice_config_set_str(c.handle, option, copied))
	}
}

func number(option C.uint32_t, value uint64) Option {
	return func(c *Config) *Error {
		return c.check(C.cosslice_config_set_u64(c.handle, option, C.uint64_t(value)))
	}
}

func flag(on bool) uint64 {
	if on {
		return 1
	}
	return 0
}

// Durations are rounded up, so that a short one is not none. A negative one is out of every range.
func whole(value, unit time.Duration) uint64 {
	if value < 0 {
		return ^uint64(0)
	}
	rounded := uint64(value / unit)
	if value%unit != 0 {
		rounded++
	}
	return rounded
}

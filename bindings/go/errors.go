package cosslice

/*
#include "bridge.h"
*/
import "C"

import "syscall"

// Status is what a call came to, and what errors.Is compares with: errors.Is(err, cosslice.ErrExists).
type Status int32

// The statuses. The comments say what a caller can do.
const (
	ErrInvalidArg    Status = C.COSSLICE_E_INVALID_ARG    // an argument or option is unfit; nothing was changed
	ErrState         Status = C.COSSLICE_E_STATE          // the call does not fit what was done before, or it is closed
	ErrBusy          Status = C.COSSLICE_E_BUSY           // another goroutine, or the callback that you are in, uses it
	ErrUnknownOption Status = C.COSSLICE_E_UNKNOWN_OPTION // the library is older than this package
	ErrNoMemory      Status = C.COSSLICE_E_NOMEM          // lower InFlight or SliceSize
	ErrFile          Status = C.COSSLICE_E_FILE           // the local file cannot be read; the error wraps a syscall.Errno
	ErrSourceChanged Status = C.COSSLICE_E_SOURCE_CHANGED // the content is not what was announced, or it changed
	ErrNetwork       Status = C.COSSLICE_E_NETWORK        // after all retries; upload again to continue
	ErrTLS           Status = C.COSSLICE_E_TLS            // the server's certificate could not be verified
	ErrTimeout       Status = C.COSSLICE_E_TIMEOUT        // the server was silent; upload again to continue
	ErrProtocol      Status = C.COSSLICE_E_PROTOCOL       // something else than COS answered, such as a proxy
	ErrServer        Status = C.COSSLICE_E_SERVER         // COS refused; ServerCode says why
	ErrAuth          Status = C.COSSLICE_E_AUTH           // the signer failed, or COS refused the signature
	ErrExists        Status = C.COSSLICE_E_EXISTS         // the name is taken; see Overwrite
	ErrCanceled      Status = C.COSSLICE_E_CANCELED       // by the context or Cancel; upload again to continue
	ErrForked        Status = C.COSSLICE_E_FORKED         // made before a fork
	ErrConflict      Status = C.COSSLICE_E_CONFLICT       // an unfinished upload of other content has the name
	ErrIntegrity     Status = C.COSSLICE_E_INTEGRITY      // server and client disagree about the content
	ErrNotFound      Status = C.COSSLICE_E_NOT_FOUND      // the bucket or the parent directory does not exist
	ErrPanic         Status = C.COSSLICE_E_PANIC          // a bug in the library
)

// Error is a few words for the status.
func (s Status) Error() string { return C.GoString(C.cosslice_status_str(C.cosslice_status(s))) }

// Error is a failed call with all that is known of it. errors.Is compares it with a [Status] and with what it wraps: the
// context's error, the signer's error, or a syscall.Errno.
type Error struct {
	Status        Status
	Message       string // one sentence that says what to do; never a secret
	HTTPStatus    int    // of the reply that it is about; -1 when there was none
	ServerCode    int    // COS's number, such as -177; 0 when there was none
	ServerMessage string // COS's own words
	RequestID     string // to quote to Tencent's support
	OSError       syscall.Errno
	Retryable     bool   // the same upload may well succeed later
	ResumeToken   string // for ResumeToken, to continue a push upload; "" when there is nothing to continue

	cause error
}

func (e *Error) Error() string { return "cosslice: " + e.Message }

// Is tells whether target is the error's status.
func (e *Error) Is(target error) bool {
	status, ok := target.(Status)
	return ok && status == e.Status
}

// Unwrap gives what led to it: the context's error, the signer's, or the operating system's.
func (e *Error) Unwrap() error {
	if e.cause != nil {
		return e.cause
	}
	if e.OSError != 0 {
		return e.OSError
	}
	return nil
}

func refused(status Status, message string) *Error {
	return &Error{Status: status, Message: message, HTTPStatus: -1}
}

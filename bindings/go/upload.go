package cosslice

/*
#include <stdlib.h>
#include "bridge.h"
*/
import "C"

import (
	"context"
	"errors"
	"io"
	"runtime"
	"runtime/cgo"
	"strings"
	"sync"
	"syscall"
	"unsafe"
)

// Upload is one upload of one object: File, Bytes or Reader for the whole of it; or, in pieces, Hash (optional), Init,
// SeekTo (optional), Feed, Finish. A failure is final, but for calls that are refused for their arguments or their order:
// make another upload to go on, which continues where the server stands.
type Upload struct {
	mu      sync.Mutex // guards the rest; never held while the library blocks
	handle  *C.cosslice_upload
	calling bool
	closing bool // by a Close that found a call running
}

// Phase is what is being done with the content.
type Phase uint32

const (
	Idle      Phase = C.COSSLICE_PHASE_IDLE      // nothing yet
	Hashing   Phase = C.COSSLICE_PHASE_HASHING   // reading it for its digest; progress counts bytes read
	Sending   Phase = C.COSSLICE_PHASE_SENDING   // sending slices; progress counts bytes acknowledged
	Finishing Phase = C.COSSLICE_PHASE_FINISHING // the server puts the object together
	Done      Phase = C.COSSLICE_PHASE_DONE      // the object is there
)

func (p Phase) String() string {
	switch p {
	case Idle:
		return "idle"
	case Hashing:
		return "hashing"
	case Sending:
		return "sending"
	case Finishing:
		return "finishing"
	case Done:
		return "done"
	}
	return "unknown"
}

// Progress is how far an upload is.
type Progress struct {
	Phase       Phase
	Done, Total uint64 // bytes
}

// TextInfo is a text that can be asked of an upload.
type TextInfo uint32

const (
	InfoAccessURL     TextInfo = C.COSSLICE_INFO_ACCESS_URL     // where the CDN serves the object
	InfoSourceURL     TextInfo = C.COSSLICE_INFO_SOURCE_URL     // where its origin serves it
	InfoResourcePath  TextInfo = C.COSSLICE_INFO_RESOURCE_PATH  // "/appid/bucket/path"
	InfoURL           TextInfo = C.COSSLICE_INFO_URL            // for further operations
	InfoPreviewURL    TextInfo = C.COSSLICE_INFO_PREVIEW_URL    // when COS said so
	InfoVID           TextInfo = C.COSSLICE_INFO_VID            // when COS said so
	InfoSHA1          TextInfo = C.COSSLICE_INFO_SHA1           // in hex, once it is known
	InfoMessage       TextInfo = C.COSSLICE_INFO_MESSAGE        // why the last call failed
	InfoServerMessage TextInfo = C.COSSLICE_INFO_SERVER_MESSAGE // COS's own words
	InfoRequestID     TextInfo = C.COSSLICE_INFO_REQUEST_ID     // to quote to Tencent's support
	InfoResumeToken   TextInfo = C.COSSLICE_INFO_RESUME_TOKEN   // continues this push upload later
)

// NumberInfo is a number that can be asked of an upload.
type NumberInfo uint32

const (
	InfoBytesTotal   NumberInfo = C.COSSLICE_INFO_BYTES_TOTAL
	InfoBytesDone    NumberInfo = C.COSSLICE_INFO_BYTES_DONE    // acknowledged by COS
	InfoBytesResumed NumberInfo = C.COSSLICE_INFO_BYTES_RESUMED // of these, found on the server
	InfoNextOffset   NumberInfo = C.COSSLICE_INFO_NEXT_OFFSET   // first byte that the server lacks, after Init
	InfoSliceSize    NumberInfo = C.COSSLICE_INFO_SLICE_SIZE
	InfoInstant      NumberInfo = C.COSSLICE_INFO_INSTANT  // 1: the server had the content already
	InfoVerified     NumberInfo = C.COSSLICE_INFO_VERIFIED // 1: the server is known to hold these bytes
	InfoHTTPStatus   NumberInfo = C.COSSLICE_INFO_HTTP_STATUS
	InfoServerCode   NumberInfo = C.COSSLICE_INFO_SERVER_CODE
	InfoOSError      NumberInfo = C.COSSLICE_INFO_OS_ERROR
	InfoRetryable    NumberInfo = C.COSSLICE_INFO_RETRYABLE
	InfoRetries      NumberInfo = C.COSSLICE_INFO_RETRIES // requests that had to be sent again
	InfoPhase        NumberInfo = C.COSSLICE_INFO_PHASE   // a Phase
)

// Text gives a text, or "" when it is not known, a call is running, or the upload is closed.
func (u *Upload) Text(info TextInfo) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.handle == nil || u.calling { // another call would take the text away while it is copied
		return ""
	}
	return u.text(info)
}

// Number gives a number at any time, or -1 when it is not known or the upload is closed.
func (u *Upload) Number(info NumberInfo) int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.handle == nil {
		return -1
	}
	return u.number(info)
}

// OnProgress lets a function hear how far the upload is: after each slice, and about ten times a second. nil turns it
// off. To stop an upload, end its context.
func (u *Upload) OnProgress(progress func(Progress)) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.handle == nil {
		return closedUpload()
	}
	if progress == nil {
		return u.check(C.bridge_set_progress(u.handle, 0))
	}
	user := cgo.NewHandle(progress)
	err := u.check(C.bridge_set_progress(u.handle, C.uintptr_t(user)))
	if err != nil {
		user.Delete()
	}
	return err
}

// File uploads the local file name: hashes it, sends what the server lacks, finishes.
func (u *Upload) File(ctx context.Context, name string) error {
	if strings.IndexByte(name, 0) >= 0 {
		return refused(ErrInvalidArg, "the file name has a NUL in it")
	}
	copied := C.CString(name)
	defer C.free(unsafe.Pointer(copied))
	return u.call(ctx, C.BRIDGE_FILE, unsafe.Pointer(copied), 0)
}

// Bytes uploads data from where it lies, without a copy. It must not change meanwhile.
func (u *Upload) Bytes(ctx context.Context, data []byte) error {
	return u.call(ctx, C.BRIDGE_BUFFER, first(data), uint64(len(data)))
}

// Reader uploads the next size bytes of source. A source that is also an io.Seeker is read twice, first for the digest,
// so that the upload can continue an earlier one and be checked by the server; then only what the server lacks is read.
// Another source is read once; its upload continues an earlier one only by [ResumeToken].
func (u *Upload) Reader(ctx context.Context, source io.Reader, size uint64) error {
	seeker, seekable := source.(io.Seeker)
	var start int64
	if seekable {
		at, err := seeker.Seek(0, io.SeekCurrent)
		seekable = err == nil // a pipe is an *os.File too
		start = at
	}
	if seekable {
		if err := u.copy(source, size, func(piece []byte) error { return u.Hash(ctx, piece) }); err != nil {
			return err
		}
	}
	if err := u.Init(ctx, size); err != nil {
		return err
	}
	rest := size
	if next := u.Number(InfoNextOffset); seekable && next >= 0 && uint64(next) <= size {
		if _, err := seeker.Seek(start+next, io.SeekStart); err != nil {
			return err
		}
		if err := u.SeekTo(uint64(next)); err != nil {
			return err
		}
		rest = size - uint64(next)
	}
	if err := u.copy(source, rest, func(piece []byte) error { return u.Feed(ctx, piece) }); err != nil {
		return err
	}
	return u.Finish(ctx)
}

// Hash takes the next bytes of an optional first pass over the content, before Init. It sends nothing.
func (u *Upload) Hash(ctx context.Context, data []byte) error {
	return u.call(ctx, C.BRIDGE_HASH, first(data), uint64(len(data)))
}

// Init opens an upload of size bytes, or continues one. Afterwards InfoNextOffset says what the server lacks first.
func (u *Upload) Init(ctx context.Context, size uint64) error {
	return u.call(ctx, C.BRIDGE_INIT, nil, size)
}

// SeekTo says that the next Feed begins at offset, which is at most InfoNextOffset. It does not block.
func (u *Upload) SeekTo(offset uint64) error {
	return u.call(context.Background(), C.BRIDGE_SEEK, nil, offset)
}

// Feed takes the next bytes, as many as there are; they are copied. It blocks while too many slices are on their way.
func (u *Upload) Feed(ctx context.Context, data []byte) error {
	return u.call(ctx, C.BRIDGE_FEED, first(data), uint64(len(data)))
}

// Finish waits for the slices on their way and puts the object together.
func (u *Upload) Finish(ctx context.Context) error {
	return u.call(ctx, C.BRIDGE_FINISH, nil, 0)
}

// Cancel ends the call that is running, or the next one, within 250 ms. What the server has stays there.
func (u *Upload) Cancel() {
	u.mu.Lock()
	defer u.mu.Unlock()
	C.cosslice_upload_cancel(u.handle) // takes NULL
}

// Close frees the upload. A call that is running is canceled, and frees it when it ends. Closing again does nothing.
func (u *Upload) Close() {
	u.mu.Lock()
	var free *C.cosslice_upload
	if u.calling {
		u.closing = true
		C.cosslice_upload_cancel(u.handle)
	} else {
		free, u.handle = u.handle, nil
		runtime.SetFinalizer(u, nil)
	}
	u.mu.Unlock()
	C.cosslice_upload_free(free) // it may log, and the logger may ask u
}

// One call into the library, which its callbacks find.
type call struct {
	ctx      context.Context
	handle   *C.cosslice_upload
	err      error // of a callback
	panicked any   // by a callback
}

func (u *Upload) call(ctx context.Context, which C.enum_bridge_call, data unsafe.Pointer, number uint64) error {
	u.mu.Lock()
	if u.handle == nil || u.closing {
		u.mu.Unlock()
		return closedUpload()
	}
	if u.calling {
		u.mu.Unlock()
		return refused(ErrBusy, "another goroutine, or the callback that you are in, uses the upload")
	}
	u.calling = true
	handle := u.handle
	u.mu.Unlock()

	this := &call{ctx: ctx, handle: handle}
	id := cgo.NewHandle(this)
	returned, watched := make(chan struct{}), make(chan struct{})
	if ctx.Done() == nil {
		close(watched)
	} else {
		go func() {
			defer close(watched)
			select {
			case <-ctx.Done():
				C.cosslice_upload_cancel(handle)
			case <-returned:
			}
		}()
	}
	if ctx.Err() != nil { // the watcher may not have come to it yet
		C.cosslice_upload_cancel(handle)
	}
	status := C.bridge_upload(C.uintptr_t(id), which, handle, data, C.uint64_t(number))
	close(returned)
	<-watched // or it might cancel what is freed
	id.Delete()

	u.mu.Lock()
	u.calling = false
	failure := u.check(status)
	closing := u.closing
	u.mu.Unlock()
	if closing {
		u.Close()
	}
	if this.panicked != nil {
		panic(this.panicked)
	}
	if failure == nil {
		return nil
	}
	var details *Error
	if errors.As(failure, &details) {
		details.cause = this.err
		if details.cause == nil && details.Status == ErrCanceled {
			details.cause = ctx.Err()
		}
	}
	return failure
}

// Sends size bytes of source in pieces. When it ends early, so does the upload.
func (u *Upload) copy(source io.Reader, size uint64, send func([]byte) error) error {
	piece := make([]byte, 256<<10)
	for size > 0 {
		if uint64(len(piece)) > size {
			piece = piece[:size]
		}
		got, err := source.Read(piece)
		if got > 0 {
			if err := send(piece[:got]); err != nil {
				return err
			}
			size -= uint64(got)
		}
		if err == io.EOF && size > 0 {
			e := refused(ErrSourceChanged, "the source ended before the size that was announced")
			e.ResumeToken, e.cause = u.Text(InfoResumeToken), io.ErrUnexpectedEOF
			return e
		}
		if err != nil && err != io.EOF {
			return err
		}
	}
	return nil
}

func (u *Upload) check(status C.cosslice_status) error {
	if status == C.COSSLICE_OK {
		return nil
	}
	e := &Error{
		Status:        Status(status),
		Message:       u.text(InfoMessage),
		HTTPStatus:    int(u.number(InfoHTTPStatus)),
		ServerMessage: u.text(InfoServerMessage),
		RequestID:     u.text(InfoRequestID),
		Retryable:     u.number(InfoRetryable) == 1,
		ResumeToken:   u.text(InfoResumeToken),
	}
	if e.Message == "" {
		e.Message = e.Status.Error()
	}
	if code := u.number(InfoServerCode); code != -1 {
		e.ServerCode = int(code)
	}
	if number := u.number(InfoOSError); number > 0 {
		e.OSError = syscall.Errno(number)
	}
	return e
}

func (u *Upload) text(info TextInfo) string {
	return C.GoString(C.cosslice_upload_get_str(u.handle, C.uint32_t(info)))
}

func (u *Upload) number(info NumberInfo) int64 {
	return int64(C.cosslice_upload_get_i64(u.handle, C.uint32_t(info)))
}

func closedUpload() *Error { return refused(ErrState, "the upload is closed") }

// Where data begins; C must not see the address of nothing.
func first(data []byte) unsafe.Pointer {
	if len(data) == 0 {
		return nil
	}
	return unsafe.Pointer(&data[0])
}

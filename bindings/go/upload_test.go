package cosslice_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"cosslice"
)

func TestBytes(t *testing.T) {
	data := content(3*mib + 17)
	upload := newUpload(t, object(t))
	var seen []cosslice.Progress
	if err := upload.OnProgress(func(now cosslice.Progress) { seen = append(seen, now) }); err != nil {
		t.Fatal(err)
	}
	if err := upload.Bytes(within(t), data); err != nil {
		t.Fatal(err)
	}
	arrived(t, object(t), data)
	digest := sha1.Sum(data)
	if got := upload.Text(cosslice.InfoSHA1); got != hex.EncodeToString(digest[:]) {
		t.Error("SHA-1 is", got)
	}
	for _, info := range []cosslice.TextInfo{cosslice.InfoAccessURL, cosslice.InfoSourceURL, cosslice.InfoURL, cosslice.InfoResourcePath} {
		if upload.Text(info) == "" {
			t.Error("no text for info", info)
		}
	}
	if upload.Number(cosslice.InfoBytesDone) != int64(len(data)) || upload.Number(cosslice.InfoVerified) != 1 ||
		cosslice.Phase(upload.Number(cosslice.InfoPhase)) != cosslice.Done {
		t.Error("the numbers are wrong")
	}
	var sending uint64
	for _, now := range seen {
		if now.Total != uint64(len(data)) || now.Done > now.Total {
			t.Error("progress was", now)
		}
		if now.Phase == cosslice.Sending {
			if now.Done < sending {
				t.Error("progress went back to", now)
			}
			sending = now.Done
		}
	}
	if sending == 0 {
		t.Error("no progress while sending:", seen)
	}
}

func TestSizes(t *testing.T) {
	for _, size := range []int{0, 1, mib - 1, mib, mib + 1} {
		data := content(size)
		for name, send := range map[string]func(*cosslice.Upload) error{
			"bytes":    func(u *cosslice.Upload) error { return u.Bytes(within(t), data) },
			"file":     func(u *cosslice.Upload) error { return u.File(within(t), file(t, data)) },
			"seekable": func(u *cosslice.Upload) error { return u.Reader(within(t), bytes.NewReader(data), uint64(size)) },
			"stream": func(u *cosslice.Upload) error {
				return u.Reader(within(t), iotest.HalfReader(iotest.DataErrReader(bytes.NewReader(data))), uint64(size))
			},
		} {
			path := fmt.Sprintf("%s-%s-%d", object(t), name, size)
			upload := newUpload(t, path)
			if err := send(upload); err != nil {
				t.Error(path, err)
				continue
			}
			arrived(t, path, data)
		}
	}
}

func TestFileThatIsNotThere(t *testing.T) {
	err := newUpload(t, object(t)).File(within(t), "/nowhere/at/all")
	var errno syscall.Errno
	if !errors.Is(err, cosslice.ErrFile) || !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &errno) || errno != syscall.ENOENT {
		t.Error("the error is", err)
	}
	if errors.Is(err, cosslice.ErrNetwork) {
		t.Error("it is every status")
	}
}

func TestNameThatIsTaken(t *testing.T) {
	if err := newUpload(t, object(t)).Bytes(within(t), content(100)); err != nil {
		t.Fatal(err)
	}
	err := newUpload(t, object(t)).Bytes(within(t), content(101))
	var failure *cosslice.Error
	if !errors.Is(err, cosslice.ErrExists) || !errors.As(err, &failure) {
		t.Fatal("the error is", err)
	}
	if failure.ServerCode >= 0 || failure.ServerMessage == "" || failure.RequestID == "" || failure.HTTPStatus < 200 || failure.Retryable {
		t.Errorf("details are missing: %+v", failure)
	}
	if err := newUpload(t, object(t), cosslice.Overwrite(cosslice.OverwriteObject)).Bytes(within(t), content(101)); err != nil {
		t.Error(err)
	}
	arrived(t, object(t), content(101))
}

func TestSeekableSourceContinues(t *testing.T) {
	data := content(5 * mib)
	faults(t, map[string]any{"op": "upload_slice_data", "offset": 3 * mib, "do": "status", "status": 500})
	source := bytes.NewReader(append([]byte("head"), data...)) // it begins where the reader stands
	start := func() { _, _ = source.Seek(4, io.SeekStart) }
	start()
	broken := newUpload(t, object(t), cosslice.InFlight(1), cosslice.Retries(0))
	if err := broken.Reader(within(t), source, uint64(len(data))); !errors.Is(err, cosslice.ErrProtocol) {
		t.Fatal("the error is", err)
	}
	faults(t)
	start()
	upload := newUpload(t, object(t))
	if err := upload.Reader(within(t), source, uint64(len(data))); err != nil {
		t.Fatal(err)
	}
	if got := upload.Number(cosslice.InfoBytesResumed); got != 3*mib {
		t.Error(got, "bytes were resumed")
	}
	arrived(t, object(t), data)
}

func TestStreamContinuesByToken(t *testing.T) {
	data := content(4 * mib)
	faults(t, map[string]any{"op": "upload_slice_data", "offset": 2 * mib, "do": "status", "status": 500})
	stream := func() io.Reader { return io.MultiReader(bytes.NewReader(data)) } // which cannot seek
	err := newUpload(t, object(t), cosslice.InFlight(1), cosslice.Retries(0)).Reader(within(t), stream(), uint64(len(data)))
	var failure *cosslice.Error
	if !errors.As(err, &failure) || failure.ResumeToken == "" || !failure.Retryable || failure.HTTPStatus != 500 {
		t.Fatalf("the error is %+v", err)
	}
	faults(t)
	if err := newUpload(t, object(t)).Reader(within(t), stream(), uint64(len(data))); !errors.Is(err, cosslice.ErrConflict) {
		t.Error("without the token:", err)
	}
	upload := newUpload(t, object(t), cosslice.ResumeToken(failure.ResumeToken))
	if err := upload.Reader(within(t), stream(), uint64(len(data))); err != nil {
		t.Fatal(err)
	}
	if got := upload.Number(cosslice.InfoBytesResumed); got != 2*mib {
		t.Error(got, "bytes were resumed")
	}
	arrived(t, object(t), data)
}

func TestPieces(t *testing.T) {
	data := content(2*mib + 5)
	upload := newUpload(t, object(t))
	steps := []error{
		upload.Hash(within(t), data[:7]), upload.Hash(within(t), data[7:]), upload.Init(within(t), uint64(len(data))),
		upload.SeekTo(0), upload.Feed(within(t), data[:mib+1]), upload.Feed(within(t), nil), upload.Feed(within(t), data[mib+1:]),
		upload.Finish(within(t)),
	}
	for step, err := range steps {
		if err != nil {
			t.Error(step, err)
		}
	}
	arrived(t, object(t), data)
}

func TestSourcesThatEndBadly(t *testing.T) {
	short := newUpload(t, object(t)+"1").Reader(within(t), io.MultiReader(strings.NewReader("abc")), 4)
	if !errors.Is(short, cosslice.ErrSourceChanged) || !errors.Is(short, io.ErrUnexpectedEOF) {
		t.Error("a source that is too short:", short)
	}
	mine := errors.New("the disk fell off")
	if err := newUpload(t, object(t)+"2").Reader(within(t), iotest.ErrReader(mine), 4); err != mine {
		t.Error("a source that fails:", err)
	}
}

func TestContextEndsACall(t *testing.T) {
	faults(t, map[string]any{"op": "upload_slice_data", "do": "stall"})
	for name, test := range map[string]struct {
		context func(context.Context) (context.Context, context.CancelFunc)
		cause   error
	}{
		"canceled": {context.WithCancel, context.Canceled},
		"deadline": {func(outer context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(outer, 50*time.Millisecond)
		}, context.DeadlineExceeded},
	} {
		upload := newUpload(t, object(t), cosslice.Overwrite(cosslice.OverwriteUnfinished), cosslice.Hash(false)) // it may be there
		ctx, cancel := test.context(context.Background())
		started := time.Now()
		_ = upload.OnProgress(func(now cosslice.Progress) {
			if now.Phase == cosslice.Sending && test.cause == context.Canceled {
				cancel()
			}
		})
		err := upload.Bytes(ctx, content(3*mib))
		cancel()
		if !errors.Is(err, cosslice.ErrCanceled) || !errors.Is(err, test.cause) {
			t.Error(name, err)
		}
		if took := time.Since(started); took > 10*time.Second { // promised are 250 ms; the silence would last a minute
			t.Error(name, "took", took)
		}
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	if err := newUpload(t, object(t)).Init(done, 1); !errors.Is(err, context.Canceled) {
		t.Error("a context that ended before:", err)
	}
}

type key struct{}

func TestSigner(t *testing.T) {
	server, err := cosslice.NewConfig(cosslice.AppID(appID), cosslice.Bucket(bucket), cosslice.SecretID(secretID), cosslice.SecretKey(secretKey))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var asked []cosslice.SignRequest
	signer := func(ctx context.Context, request cosslice.SignRequest) (string, error) {
		if ctx.Value(key{}) != "mine" {
			t.Error("the signer has another context")
		}
		asked = append(asked, request)
		return server.Sign(request.Path, time.Unix(int64(request.ExpiresAtS), 0))
	}
	keyless := []cosslice.Option{cosslice.SecretID(""), cosslice.SecretKey(""), cosslice.SignWith(signer)}
	upload := newUpload(t, object(t), keyless...)
	if err := upload.Bytes(context.WithValue(within(t), key{}, "mine"), content(2*mib)); err != nil {
		t.Fatal(err)
	}
	arrived(t, object(t), content(2*mib))
	if len(asked) == 0 || asked[0].Path != object(t) || asked[0].AppID != appID || asked[0].Bucket != bucket || asked[0].Op == "" ||
		!strings.HasPrefix(asked[0].FileID, "/"+appID+"/"+bucket+"/") || asked[0].ExpiresAtS <= asked[0].NowS {
		t.Errorf("it was asked for %+v", asked)
	}

	mine := errors.New("the server that signs is on holiday")
	refusing := newUpload(t, object(t), cosslice.SignWith(func(context.Context, cosslice.SignRequest) (string, error) { return "", mine }))
	if err := refusing.Bytes(within(t), content(mib)); !errors.Is(err, mine) || !errors.Is(err, cosslice.ErrAuth) {
		t.Error("the error is", err)
	}
	long := strings.Repeat("x", 5000) // more than the library has room for at first
	garbage := newUpload(t, object(t), cosslice.SignWith(func(context.Context, cosslice.SignRequest) (string, error) { return long, nil }))
	if err := garbage.Bytes(within(t), content(mib)); !errors.Is(err, cosslice.ErrAuth) || strings.Contains(err.Error(), "xxx") {
		t.Error("the error is", err)
	}
}

func TestSignature(t *testing.T) {
	expires := time.Now().Add(time.Hour)
	for _, test := range []struct {
		path, field string
		expires     time.Time
	}{
		{"/dir/a b+中.txt", "f=/1250000000/bkt/dir/a%20b%2B%E4%B8%AD.txt", expires},
		{"", "f=", expires},
		{"/x", "e=0", time.Time{}},
		{"/" + strings.Repeat("中", 300), "e=", expires}, // longer than the first guess
	} {
		signature, err := newConfig(t).Sign(test.path, test.expires)
		if err != nil {
			t.Error(err)
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(signature)
		if err != nil || len(raw) < 20 {
			t.Error("not a signature:", signature)
			continue
		}
		mac := hmac.New(sha1.New, []byte(secretKey))
		mac.Write(raw[20:])
		if !hmac.Equal(mac.Sum(nil), raw[:20]) || !strings.Contains(string(raw[20:])+"&", test.field) {
			t.Error("wrong signature of", string(raw[20:]))
		}
	}
	if _, err := newConfig(t).Sign("relative", expires); !errors.Is(err, cosslice.ErrInvalidArg) {
		t.Error("the error is", err)
	}
}

func TestPanicsComeOut(t *testing.T) {
	for name, options := range map[string][]cosslice.Option{
		"signer":   {cosslice.SignWith(func(context.Context, cosslice.SignRequest) (string, error) { panic("mine") })},
		"log":      {cosslice.LogWith(cosslice.LogDebug, func(cosslice.Level, string) { panic("mine") })},
		"progress": {},
	} {
		upload := newUpload(t, object(t)+name, options...)
		if name == "progress" {
			_ = upload.OnProgress(func(cosslice.Progress) { panic("mine") })
		}
		func() {
			defer func() {
				if got := recover(); got != "mine" {
					t.Error(name, "panicked with", got)
				}
			}()
			t.Error(name, "did not panic but gave", upload.Bytes(within(t), content(2*mib)))
		}()
		upload.Close()
	}
	if err := newUpload(t, object(t)).Bytes(within(t), content(10)); err != nil {
		t.Error("afterwards:", err)
	}
}

func TestBusyAndClosing(t *testing.T) {
	upload := newUpload(t, object(t))
	inside := errors.New("never called")
	_ = upload.OnProgress(func(now cosslice.Progress) {
		inside = upload.Finish(context.Background())
		if upload.Text(cosslice.InfoMessage) != "" || upload.Number(cosslice.InfoBytesTotal) != 2*mib {
			t.Error("texts are there, or numbers are not, during a call")
		}
	})
	if err := upload.Bytes(within(t), content(2*mib)); err != nil {
		t.Error(err)
	}
	if !errors.Is(inside, cosslice.ErrBusy) {
		t.Error("inside:", inside)
	}

	faults(t, map[string]any{"op": "upload_slice_data", "do": "stall"})
	closed := newUpload(t, object(t), cosslice.Overwrite(cosslice.OverwriteUnfinished), cosslice.Hash(false))
	_ = closed.OnProgress(func(now cosslice.Progress) {
		if now.Phase == cosslice.Sending {
			closed.Close()
		}
	})
	if err := closed.Bytes(within(t), content(3*mib)); !errors.Is(err, cosslice.ErrCanceled) {
		t.Error("closed during a call:", err)
	}
	if err := closed.Finish(within(t)); !errors.Is(err, cosslice.ErrState) {
		t.Error("used after Close:", err)
	}
	closed.Close()
	closed.Cancel()
	if closed.Number(cosslice.InfoBytesDone) != -1 || closed.Text(cosslice.InfoURL) != "" || closed.OnProgress(nil) == nil {
		t.Error("a closed upload answers")
	}
}

func TestOptions(t *testing.T) {
	all := []cosslice.Option{
		cosslice.Region("gz"), cosslice.BizAttr("x"), cosslice.ResumeToken(""), cosslice.CAPEM(""), cosslice.Proxy(""),
		cosslice.UserAgent("go-test/1"), cosslice.SliceSize(mib), cosslice.InFlight(2), cosslice.Retries(0),
		cosslice.ConnectTimeout(time.Second), cosslice.IOTimeout(1500 * time.Millisecond), cosslice.SignTTL(time.Hour),
		cosslice.Overwrite(cosslice.OverwriteNever), cosslice.Resume(true), cosslice.Hash(false), cosslice.Verify(false),
		cosslice.SingleMax(0), cosslice.Bandwidth(0), cosslice.LogWith(cosslice.LogInfo, nil), cosslice.SignWith(nil),
	}
	if err := newUpload(t, object(t), all...).Bytes(within(t), content(10)); err != nil {
		t.Error(err)
	}
	config := newConfig(t)
	for name, unfit := range map[string]cosslice.Option{
		"in flight": cosslice.InFlight(65), "timeout": cosslice.IOTimeout(-time.Second), "zero timeout": cosslice.ConnectTimeout(1),
		"bucket": cosslice.Bucket("a\x00b"), "UTF-8": cosslice.BizAttr("\xff"), "mode": cosslice.Overwrite(3),
		"level": cosslice.LogWith(99, func(cosslice.Level, string) {}),
	} {
		if err := config.Set(unfit); !errors.Is(err, cosslice.ErrInvalidArg) || len(err.Error()) < 15 {
			t.Error(name, err)
		}
	}
	for _, path := range []string{"", "relative", "/a\x00b", "/a/", "/a//b"} {
		if _, err := config.NewUpload(path); !errors.Is(err, cosslice.ErrInvalidArg) {
			t.Errorf("path %q: %v", path, err)
		}
	}
	config.Close()
	config.Close()
	_, err := config.NewUpload("/a")
	if !errors.Is(err, cosslice.ErrState) || !errors.Is(config.Set(), cosslice.ErrState) {
		t.Error("used after Close:", err)
	}
}

func TestLog(t *testing.T) {
	var lines []string
	upload := newUpload(t, object(t), cosslice.LogWith(cosslice.LogDebug, func(level cosslice.Level, line string) {
		if level < cosslice.LogError || level > cosslice.LogDebug {
			t.Error("level", level)
		}
		lines = append(lines, line)
	}))
	if err := upload.Bytes(within(t), content(2*mib)); err != nil {
		t.Fatal(err)
	}
	upload.Close()
	if len(lines) == 0 || strings.Contains(strings.Join(lines, ""), secretKey) {
		t.Error("the log is", lines)
	}
}

func TestManyAtOnce(t *testing.T) {
	config := newConfig(t)
	var all sync.WaitGroup
	for i := 0; i < 12; i++ {
		path := fmt.Sprintf("%s-%d", object(t), i)
		data := content(mib + i*1000)
		upload, err := config.NewUpload(path)
		if err != nil {
			t.Fatal(err)
		}
		all.Add(1)
		go func() {
			defer all.Done()
			defer upload.Close()
			if err := upload.Bytes(within(t), data); err != nil {
				t.Error(path, err)
				return
			}
			arrived(t, path, data)
		}()
	}
	all.Wait()
}

func TestCallbacksAreReleased(t *testing.T) {
	gone := make(chan string, 3)
	func() {
		held := func(name string) *[]byte {
			thing := &[]byte{1}
			runtime.SetFinalizer(thing, func(*[]byte) { gone <- name })
			return thing
		}
		first, second, third := held("signer"), held("log"), held("progress")
		config, err := cosslice.NewConfig(cosslice.AppID(appID), cosslice.Bucket(bucket), cosslice.Region("gz"),
			cosslice.SignWith(func(context.Context, cosslice.SignRequest) (string, error) { return string(*first), nil }),
			cosslice.LogWith(cosslice.LogInfo, func(cosslice.Level, string) { _ = *second }))
		if err != nil {
			t.Fatal(err)
		}
		upload, err := config.NewUpload("/a")
		if err != nil {
			t.Fatal(err)
		}
		_ = upload.OnProgress(func(cosslice.Progress) { _ = *third })
		config.Close()
		upload.Close()
	}()
	for end := time.Now().Add(patience); len(gone) < 3 && time.Now().Before(end); {
		runtime.GC()
		runtime.Gosched()
	}
	if len(gone) != 3 {
		t.Error("only", len(gone), "of 3 callbacks were released")
	}
}

func TestCommand(t *testing.T) {
	program := filepath.Join(t.TempDir(), "cosslice-put")
	if said, err := exec.Command("go", "build", "-o", program, "./cmd/cosslice-put").CombinedOutput(); err != nil {
		t.Fatal(err, string(said))
	}
	run := func(arguments ...string) (int, string, string) {
		command := exec.Command(program, arguments...)
		command.Env = append(os.Environ(), "COSSLICE_APP_ID="+appID, "COSSLICE_SECRET_ID="+secretID,
			"COSSLICE_SECRET_KEY="+secretKey, "COSSLICE_REGION=", "COSSLICE_ENDPOINT="+origin+"/files/v2")
		var said, complained bytes.Buffer
		command.Stdout, command.Stderr = &said, &complained
		_ = command.Run()
		return command.ProcessState.ExitCode(), said.String(), complained.String()
	}
	target := bucket + object(t)
	if code, said, complained := run(file(t, content(3*mib)), target); code != 0 || !strings.HasPrefix(said, "http") || !strings.Contains(complained, "100 %") {
		t.Error("it ended with", code, said, complained)
	}
	arrived(t, object(t), content(3*mib))
	if code, _, complained := run(file(t, content(2*mib)), target); code != 3 || !strings.Contains(complained, "request id: ") {
		t.Error("the second time it ended with", code, complained)
	}
	if code, _, complained := run(); code != 2 || !strings.Contains(complained, "usage") {
		t.Error("without arguments it ended with", code, complained)
	}
}

func TestVersion(t *testing.T) {
	manifest, err := os.ReadFile("../../Cargo.toml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(manifest), "\nversion = \""+cosslice.Version()+"\"\n") {
		t.Error("the library's version is", cosslice.Version())
	}
}

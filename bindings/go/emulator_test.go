package cosslice_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cosslice"
)

const (
	appID     = "1250000000"
	bucket    = "bkt"
	secretID  = "AKIDEXAMPLE"
	secretKey = "examplesecretkey"
	mib       = 1 << 20
	patience  = 60 * time.Second // a limit for what should take milliseconds, never a delay
)

var origin string

func TestMain(m *testing.M) { os.Exit(withEmulator(m)) }

func withEmulator(m *testing.M) int {
	binary := os.Getenv("COSSLICE_EMULATOR")
	if binary == "" {
		binary = "../../build/bin/cosslice-emulator"
	}
	data, err := os.MkdirTemp("", "cosslice-go")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(data)
	// The shell ends it when this process is gone, however it went.
	emulator := exec.Command("sh", "-c", `"$0" "$@" </dev/null & cat; kill $!`, binary, "--data", data)
	alive, err := emulator.StdinPipe()
	if err != nil {
		panic(err)
	}
	said, err := emulator.StdoutPipe()
	if err != nil {
		panic(err)
	}
	if err := emulator.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "the emulator did not start:", err)
		return 1
	}
	defer func() {
		_ = alive.Close()
		_ = emulator.Wait()
	}()
	line := make([]byte, 4096)
	n, _ := said.Read(line) // it says where it listens as soon as it does
	_, rest, found := strings.Cut(string(line[:n]), "listens on ")
	if !found {
		fmt.Fprintln(os.Stderr, "the emulator did not say where it listens:", string(line[:n]))
		return 1
	}
	origin = "http://" + strings.TrimRight(strings.Fields(rest)[0], ",;.")
	go func() { _, _ = io.Copy(io.Discard, said) }()
	return m.Run()
}

// Bytes that no two offsets share, the same for the same size.
func content(size int) []byte {
	data := make([]byte, size)
	rand.New(rand.NewSource(int64(size))).Read(data)
	return data
}

func newConfig(t *testing.T, options ...cosslice.Option) *cosslice.Config {
	t.Helper()
	account := []cosslice.Option{
		cosslice.AppID(appID), cosslice.Bucket(bucket), cosslice.Endpoint(origin + "/files/v2"),
		cosslice.SecretID(secretID), cosslice.SecretKey(secretKey),
	}
	config, err := cosslice.NewConfig(append(account, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(config.Close)
	return config
}

func newUpload(t *testing.T, path string, options ...cosslice.Option) *cosslice.Upload {
	t.Helper()
	upload, err := newConfig(t, options...).NewUpload(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(upload.Close)
	return upload
}

// An object that no other test uses.
func object(t *testing.T) string {
	return "/" + strings.ReplaceAll(t.Name(), "/", "-") + "/a b+中.bin"
}

func fetch(t *testing.T, path string) []byte {
	t.Helper()
	reply, err := http.Get(origin + (&url.URL{Path: "/" + appID + "/" + bucket + path}).EscapedPath())
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != 200 {
		t.Fatal("fetching", path, "gave", reply.Status, err)
	}
	return body
}

func arrived(t *testing.T, path string, want []byte) {
	t.Helper()
	if !bytes.Equal(fetch(t, path), want) {
		t.Error(path, "has other content than was sent")
	}
}

// Replaces the faults by these, for the test's object only. Cleared when the test ends.
func faults(t *testing.T, rules ...map[string]any) {
	t.Helper()
	if rules == nil {
		rules = []map[string]any{}
	}
	for _, rule := range rules {
		rule["path"] = object(t)
	}
	post(t, rules)
	t.Cleanup(func() { post(t, []map[string]any{}) })
}

func post(t *testing.T, rules []map[string]any) {
	t.Helper()
	body, _ := json.Marshal(rules)
	reply, err := http.Post(origin+"/_emulator/faults", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if reply.StatusCode != 200 {
		said, _ := io.ReadAll(reply.Body)
		t.Fatal("the emulator refused the faults: ", string(said))
	}
}

func file(t *testing.T, data []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

#!/bin/sh
# Shows libcosslice at work without an account: uploads to the emulator, reads back, compares, interrupts, continues.
#
#     bindings/c/demo.sh [FILE]        or: make demo FILE=...
#
# Needs build/bin/cosslice-put and build/bin/cosslice-emulator (make builds them) and python3. Leaves nothing behind.
set -u
cd "$(dirname "$0")/../.." || exit 1
file=${1:-${FILE:-}}
bin=${COSSLICE_BIN:-build/bin}
put=$bin/cosslice-put
emulator=$bin/cosslice-emulator
dir= pid=

fail() {
    printf '\ndemo: %s\n' "$*" >&2
    exit 1
}

clean_up() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null
    [ -z "$dir" ] || rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step() {
    number=$((${number:-0} + 1))
    printf '\n%d. %s\n' "$number" "$*"
}

# What the shell cannot do by itself. The emulator is on loopback, so no proxy is asked.
helper() {
    python3 - "$@" <<'PYTHON'
import hashlib, json, subprocess, sys, time, urllib.request

what, arguments = sys.argv[1], sys.argv[2:]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def sha1(stream):
    digest = hashlib.sha1()
    for piece in iter(lambda: stream.read(1 << 20), b""):
        digest.update(piece)
    return digest.hexdigest()


if what == "sample":  # NAME SEED: 64 MiB + 13 bytes that are the same every time
    with open(arguments[0], "wb") as out:
        out.write(hashlib.shake_128(arguments[1].encode()).digest((64 << 20) + 13))
elif what == "sha1":  # FILE or URL
    name = arguments[0]
    with opener.open(name, timeout=60) if name.startswith("http://") else open(name, "rb") as stream:
        print(sha1(stream))
elif what == "interrupt":  # BASE PATH BYTES COMMAND...: kill -9 COMMAND once the server has BYTES of PATH
    base, path, wanted, command = arguments[0], arguments[1], int(arguments[2]), arguments[3:]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    stored, end = 0, time.monotonic() + 120
    try:
        while stored < wanted:
            if process.poll() is not None:
                sys.exit("the upload ended before it could be interrupted")
            if time.monotonic() > end:
                sys.exit("the upload does not get on")
            state = json.load(opener.open(base + "/_emulator/state", timeout=60))
            stored = sum(upload["bytes_stored"] for upload in state["uploads"] if upload["path"] == path)
            time.sleep(0.02)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        process.kill()
        process.wait()
    print(stored)
PYTHON
}

# Runs cosslice-put; its progress goes to the terminal, its result into $result and, indented, to the reader.
upload() {
    printf '   $ cosslice-put %s\n' "$*"
    result=$("$put" "$@") || fail "the upload failed"
    printf '%s\n' "$result" | sed 's/^/   /'
}

field() { # one line of $result
    printf '%s\n' "$result" | sed -n "s/^$1  *//p"
}

compare() { # file
    want=$(helper sha1 "$1") || fail "cannot read $1"
    got=$(helper sha1 "$(field url)") || fail "cannot fetch $(field url)"
    printf '   here      %s\n   fetched   %s\n' "$want" "$got"
    [ "$want" = "$got" ] || fail "the bytes fetched are not those that were uploaded"
    [ "$want" = "$(field sha1)" ] || fail "cosslice-put told another SHA-1"
    printf '   equal\n'
}

for needed in "$put" "$emulator"; do
    [ -x "$needed" ] || fail "$needed is missing; run make first"
done
command -v python3 >/dev/null || fail "python3 is needed to fetch and compare"
[ -z "$file" ] || [ -r "$file" ] || fail "cannot read $file"
dir=$(mktemp -d "${TMPDIR:-/tmp}/cosslice-demo-XXXXXX") || fail "no temporary directory"

step "Start a COS server on this machine"
"$emulator" --data "$dir/data" --port 0 --port-file "$dir/port" >"$dir/emulator.log" 2>&1 &
pid=$!
tries=0
until [ -s "$dir/port" ]; do
    kill -0 "$pid" 2>/dev/null || fail "the emulator ended: $(cat "$dir/emulator.log")"
    tries=$((tries + 1))
    [ "$tries" -le 300 ] || fail "the emulator does not listen"
    sleep 0.1
done
base=http://127.0.0.1:$(cat "$dir/port")
printf '   page      %s/   (open it in a browser to watch the slices arrive)\n   data      %s\n' "$base" "$dir/data"
export COSSLICE_ENDPOINT="$base/files/v2" COSSLICE_APP_ID=1250000000
export COSSLICE_SECRET_ID=AKIDEXAMPLE COSSLICE_SECRET_KEY=examplesecretkey

if [ -z "$file" ]; then
    step "Make a file to upload"
    file=$dir/sample.bin
    helper sample "$file" one || fail "cannot write $file"
else
    step "Take your file"
fi
size=$(($(wc -c <"$file")))
name=$(basename "$file")
printf '   file      %s\n   bytes     %s\n' "$file" "$size"

step "Upload it in slices"
upload "$file" "bkt/demo/$name"

step "Fetch it back and compare the SHA-1"
compare "$file"

step "Upload the same content under another name: the server has it, nothing is sent"
if [ "$size" -gt 1048576 ]; then
    upload "$file" "bkt/demo/again/$name"
    case $(field instant) in
    yes*) ;;
    *) fail "the second upload was not answered at once" ;;
    esac
    compare "$file"
else
    printf '   left out: a file of up to 1 MiB goes in one request anyway\n'
fi

step "Upload another file slowly, and kill the uploader half-way (kill -9)"
other=$dir/interrupted.bin
helper sample "$other" two || fail "cannot write $other"
printf '   $ cosslice-put --bandwidth 5M %s bkt/demo/interrupted.bin\n' "$other"
stored=$(helper interrupt "$base" /demo/interrupted.bin $((24 << 20)) \
    "$put" --bandwidth 5M "$other" bkt/demo/interrupted.bin) || fail "it could not be interrupted"
[ ! -t 2 ] || printf '\n' >&2 # the killed bar did not end its line
printf '   killed when the server had %s of %s bytes\n' "$stored" "$(($(wc -c <"$other")))"

step "The same command continues where the server stands"
upload "$other" bkt/demo/interrupted.bin
[ "$(field resumed)" -ge "$stored" ] || fail "slices that the server had were sent again"
compare "$other"

step "Stop the server"
kill "$pid"
wait "$pid" || fail "the emulator did not end well: $(cat "$dir/emulator.log")"
pid=
printf '   everything arrived as it was sent\n'

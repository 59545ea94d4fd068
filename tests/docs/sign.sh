#!/bin/sh
# The sign servers of the book and the C signer that asks them, against the emulator: what a device may write arrives as it was,
# what it may not write does not, and neither the key nor a token is printed.
#
#     tests/docs/sign.sh NAME FOLDER COMMAND...
#
# COMMAND starts a sign server that signs below /FOLDER for the token s3cret, and says "http://HOST:PORT/sign" when it listens.
set -eu
cd "$(dirname "$0")/../.."
name=$1 folder=$2
shift 2
lib=${COSSLICE_LIB:-$PWD/build/lib}
work=$(mktemp -d)
emulator='' server=''
# shellcheck disable=SC2317 # called by the trap
clean_up() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$emulator" ] || kill "$emulator" 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

wait_for() { # file extended-regular-expression process
    for _ in $(seq 300); do
        grep -Eo "$2" "$1" 2>/dev/null | head -n 1 | grep . && return 0
        kill -0 "$3" || break
        sleep 0.1
    done
    cat "$1" >&2
    return 1
}

${CC:-cc} -std=c99 -Wall -Wextra -Wpedantic -Werror -O1 -Iinclude docs/examples/remote_signer.c -o "$work/remote_signer" \
    -L"$lib" -lcosslice -lcurl -Wl,-rpath,"$lib"

"${COSSLICE_EMULATOR:-build/bin/cosslice-emulator}" --data "$work/data" >"$work/emulator.log" 2>&1 &
emulator=$!
endpoint=$(wait_for "$work/emulator.log" 'http://127\.0\.0\.1:[0-9]+/files/v2' "$emulator")

export COSSLICE_APP_ID=1250000000 COSSLICE_BUCKET=bkt COSSLICE_ENDPOINT="$endpoint"
COSSLICE_SECRET_ID=AKIDEXAMPLE COSSLICE_SECRET_KEY=examplesecretkey SIGN_TOKENS=alice:s3cret,bob:0ther \
    SIGN_SERVER_TOKEN=s3cret "$@" >"$work/server.log" 2>&1 &
server=$!
SIGN_URL=$(wait_for "$work/server.log" 'http://[^ ]+/sign' "$server")
export SIGN_URL SIGN_TOKEN=s3cret

head -c 5000000 /dev/urandom >"$work/file"
"$work/remote_signer" "$work/file" "/$folder/a b+中.bin" >"$work/out" 2>&1 || {
    cat "$work/out" "$work/server.log"
    exit 1
}
curl --noproxy '*' -fsS "${endpoint%/files/v2}/1250000000/bkt/$folder/a%20b%2B%E4%B8%AD.bin" -o "$work/back" 2>"$work/fetch.log" ||
    true
if ! cmp -s "$work/file" "$work/back"; then
    echo "$name: the object is not what was sent"
    exit 1
fi

refused() { # token path
    if SIGN_TOKEN=$1 "$work/remote_signer" "$work/file" "$2" >"$work/out" 2>&1; then
        echo "$name: $2 was signed for the token of somebody else"
        exit 1
    fi
    grep -q "remote_signer: the sign server answered with 40[0-9]" "$work/out" || {
        cat "$work/out"
        exit 1
    }
}
refused 0ther "/$folder/b.bin"
refused wrong "/$folder/b.bin"
refused s3cret /bob/b.bin
if grep -E 'examplesecretkey|s3cret|0ther' "$work/server.log" "$work/out" "$work/emulator.log" | grep -v 'secret key'; then
    echo "$name: a secret was printed"
    exit 1
fi

#!/bin/sh
# The sign servers of the book and the devices that ask them, against the emulator: what a device may write arrives as it was, what it
# may not write does not, and neither the key nor a token is printed.
#
#     tests/docs/sign.sh DEVICE COMMAND...
#
# DEVICE is c or java. COMMAND starts a sign server, which reads SIGN_TOKENS and says "http://HOST:PORT/sign" when it listens.
set -eu
cd "$(dirname "$0")/../.."
kind=$1
shift
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

case $kind in
c)
    ${CC:-cc} -std=c99 -Wall -Wextra -Wpedantic -Werror -O1 -Iinclude docs/examples/remote_signer.c -o "$work/remote_signer" \
        -L"$lib" -lcosslice -lcurl -Wl,-rpath,"$lib"
    device() { "$work/remote_signer" "$@"; }
    ;;
java)
    home=${JAVA_HOME:-$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")}
    ${CC:-cc} -std=c11 -O1 -shared -fPIC -Iinclude -I"$home/include" -I"$home/include/linux" bindings/android/src/main/cpp/*.c \
        -o "$work/libcosslice_jni.so" -L"$lib" -lcosslice -Wl,-rpath,"$lib"
    "$home/bin/javac" -Xlint:all -Werror -encoding UTF-8 -d "$work/classes" -sourcepath bindings/android/src/main/java docs/examples/RemoteSigner.java
    # The name of an object is not ASCII, and a JVM reads its arguments by the locale.
    device() { LC_ALL=C.UTF-8 "$home/bin/java" -Xcheck:jni -Xshare:auto "-Djava.library.path=$work" -cp "$work/classes" RemoteSigner "$@"; }
    ;;
esac

"${COSSLICE_EMULATOR:-build/bin/cosslice-emulator}" --data "$work/data" >"$work/emulator.log" 2>&1 &
emulator=$!
endpoint=$(wait_for "$work/emulator.log" 'http://127\.0\.0\.1:[0-9]+/files/v2' "$emulator")

export COSSLICE_APP_ID=1250000000 COSSLICE_BUCKET=bkt COSSLICE_ENDPOINT="$endpoint"
COSSLICE_SECRET_ID=AKIDEXAMPLE COSSLICE_SECRET_KEY=examplesecretkey SIGN_TOKENS=alice:s3cret,bob:0ther \
    "$@" >"$work/server.log" 2>&1 &
server=$!
SIGN_URL=$(wait_for "$work/server.log" 'http://[^ ]+/sign' "$server")
export SIGN_URL SIGN_TOKEN=s3cret

head -c 5000000 /dev/urandom >"$work/file"
device "$work/file" "/alice/a b+中.bin" >"$work/out" 2>&1 || {
    cat "$work/out" "$work/server.log"
    exit 1
}
grep -q "WARNING in native method" "$work/out" && cat "$work/out" && exit 1
curl --noproxy '*' -fsS "${endpoint%/files/v2}/1250000000/bkt/alice/a%20b%2B%E4%B8%AD.bin" -o "$work/back"
if ! cmp "$work/file" "$work/back"; then
    echo "$kind: the object is not what was sent"
    exit 1
fi

refused() { # token path
    export SIGN_TOKEN="$1"
    if device "$work/file" "$2" >"$work/out" 2>&1; then
        echo "$kind: $2 was signed for a token that may not write it"
        exit 1
    fi
    grep -q "the sign server answered with 40[0-9]" "$work/out" || {
        cat "$work/out"
        exit 1
    }
    cat "$work/out" >>"$work/said"
}
refused 0ther "/alice/b.bin"
refused wrong "/alice/b.bin"
refused s3cret /bob/b.bin
if grep -E 'examplesecretkey|s3cret|0ther' "$work/server.log" "$work/said"; then
    echo "$kind: a secret was printed"
    exit 1
fi

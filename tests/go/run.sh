#!/bin/sh
# The Go package, against the emulator: vetted, then tested with the race detector and with cgo's pointer checks. Needs
# the network only where Go or pkg-config are not installed.
#
#     tests/go/run.sh [go test's arguments...]      e.g. run.sh -run TestSigner -v
#
# COSSLICE_LIB, COSSLICE_EMULATOR and COSSLICE_OUT may point elsewhere than build/.
set -u
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
lib=${COSSLICE_LIB:-$root/build/lib}
COSSLICE_EMULATOR=${COSSLICE_EMULATOR:-$root/build/bin/cosslice-emulator}
out=${COSSLICE_OUT:-$root/build/tests-go}
mkdir -p "$out/pkgconfig" || exit 1

suite=go logs=$out
. tests/kit.sh

if ! command -v go >/dev/null 2>&1 || ! command -v pkg-config >/dev/null 2>&1; then
    install_packages --no-install-recommends golang-go pkg-config libc6-dev || give_up "go or pkg-config is missing; please install them"
fi

# What `make install` would write, for this checkout.
sed -e 's|@VERSION@|0|' -e "s|\${pcfiledir}/@PREFIX@|$root|" -e "s|\${pcfiledir}/@LIBDIR@|$lib|" \
    -e "s|\${pcfiledir}/@INCLUDEDIR@|$root/include|" bindings/c/cosslice.pc.in >"$out/pkgconfig/cosslice.pc"
PKG_CONFIG_PATH=$out/pkgconfig
LD_LIBRARY_PATH=$lib
GOCACHE=$out/cache
GOFLAGS=-mod=mod
GOPROXY=off
CGO_CFLAGS="-O1 -g -Wall -Wextra -Wno-unused-parameter -Werror" # cgo's own wrappers leave a parameter unused
export COSSLICE_EMULATOR PKG_CONFIG_PATH LD_LIBRARY_PATH GOCACHE GOFLAGS GOPROXY CGO_CFLAGS

count() { # name exit-code log
    good=$(grep -c '^ *--- PASS: ' "$3")
    bad=$(grep -c '^ *--- FAIL: ' "$3")
    grep -vE '^(=== |--- PASS|\?|PASS|ok)' "$3"
    echo "== $1: $good passed, $bad failed"
    if [ "$2" -ne 0 ] && [ "$bad" -eq 0 ] || [ "$good" -eq 0 ]; then
        echo "FAILED go: $1 ended with status $2"
        bad=$((bad + 1))
    fi
    passed=$((passed + good)) failed=$((failed + bad))
}

cd bindings/go || exit 1
if unformatted=$(gofmt -l .) && [ -z "$unformatted" ] && go vet ./...; then
    passed=$((passed + 1))
else
    echo "FAILED go: gofmt ($unformatted) or vet"
    failed=$((failed + 1))
fi

timeout 900 go test -count=1 -timeout 300s -race -v "$@" ./... >"$out/race.log" 2>&1
count "race detector" $? "$out/race.log"
# The variable is for Go up to 1.20, the experiment for later ones.
case $(go env GOVERSION) in
go1.1[0-9]* | go1.20*) GODEBUG=cgocheck=2 timeout 900 go test -count=1 -timeout 300s -v "$@" ./... >"$out/pointers.log" 2>&1 ;;
*) GOEXPERIMENT=cgocheck2 timeout 900 go test -count=1 -timeout 300s -v "$@" ./... >"$out/pointers.log" 2>&1 ;;
esac
count "pointer checks" $? "$out/pointers.log"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

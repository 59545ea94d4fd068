#!/bin/sh
# Builds the book, opens every page of it in a headless Chromium, and runs the examples that it shows; the last line counts.
#
#     tests/docs/run.sh
#
# Installs Debian's chromium when it is missing and root may, and playwright-core from npm into build/docs-test. COSSLICE_EMULATOR,
# COSSLICE_BIN and COSSLICE_LIB may point elsewhere than build/. Screenshots go to build/docs-shots.
set -u
cd "$(dirname "$0")/../.." || exit 1
COSSLICE_LIB=${COSSLICE_LIB:-$PWD/build/lib}
COSSLICE_BIN=${COSSLICE_BIN:-$PWD/build/bin}
COSSLICE_EMULATOR=${COSSLICE_EMULATOR:-$COSSLICE_BIN/cosslice-emulator}
CHROMIUM=${CHROMIUM:-/usr/bin/chromium}
export COSSLICE_LIB COSSLICE_BIN COSSLICE_EMULATOR CHROMIUM
export LD_LIBRARY_PATH="$COSSLICE_LIB${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
playwright=1.64.1
out=$PWD/build/docs-test
passed=0 failed=0

give_up() {
    echo "FAILED docs: $*"
    echo "$passed passed, $((failed + 1)) failed"
    exit 1
}

packages=
[ -x "$CHROMIUM" ] || packages=chromium
[ -n "$(find /usr/include -path '*/curl/curl.h' -print -quit)" ] || packages="$packages libcurl4-openssl-dev"
command -v curl >/dev/null 2>&1 || packages="$packages curl"
# Without a font for Chinese a picture of its pages would show boxes.
fc-list :lang=zh 2>/dev/null | grep -q . || packages="$packages fontconfig fonts-noto-cjk"
if [ -n "$packages" ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        give_up "please install: $packages"
    fi
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq $packages >/dev/null || give_up "apt-get install $packages"
fi
mkdir -p "$out"
if [ "$(cat "$out/version" 2>/dev/null)" != "$playwright" ]; then
    PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm install --silent --no-audit --no-fund --no-package-lock --prefix "$out" "playwright-core@$playwright" ||
        give_up "npm install playwright-core"
    echo "$playwright" >"$out/version"
fi

sh docs/build.sh >"$out/build.log" 2>&1 || {
    cat "$out/build.log"
    give_up "docs/build.sh"
}

check() { # what command...
    what=$1
    shift
    if "$@" >"$out/log" 2>&1; then
        echo "ok     docs: $what"
        passed=$((passed + 1))
    else
        echo "FAILED docs: $what"
        sed 's/^/       /' "$out/log" | tail -n 40
        failed=$((failed + 1))
    fi
}

check "the example of an emulator with faults" env BIN="$COSSLICE_BIN" timeout 120 sh docs/examples/faults.sh
for device in c java; do
    check "the sign server in Python, asked by a device in $device" timeout 120 sh tests/docs/sign.sh $device \
        env PYTHONPATH=bindings/python PYTHONDONTWRITEBYTECODE=1 COSSLICE_LIBRARY="$COSSLICE_LIB/libcosslice.so.1" \
        "${PYTHON:-python3}" bindings/python/examples/sign_server.py --port 0
    check "the sign server in Node, asked by a device in $device" timeout 120 sh tests/docs/sign.sh $device \
        node bindings/node/sign_server.mjs --port 0
done
check "a stale include stops the build" sh tests/docs/stale.sh

timeout 900 node tests/docs/book.mjs | tee "$out/book.log"
counts=$(sed -n 's/^= \([0-9]* [0-9]*\)$/\1/p' "$out/book.log" | tail -n 1)
[ -n "$counts" ] || give_up "the browser test ended before its end"
passed=$((passed + ${counts% *}))
failed=$((failed + ${counts#* }))
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

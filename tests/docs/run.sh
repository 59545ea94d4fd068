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
mkdir -p "$out" || exit 1
suite=docs logs=$out
. tests/kit.sh

packages=
[ -x "$CHROMIUM" ] || packages=chromium
[ -n "$(find /usr/include -path '*/curl/curl.h' -print -quit)" ] || packages="$packages libcurl4-openssl-dev"
command -v curl >/dev/null 2>&1 || packages="$packages curl"
# Without a font for Chinese a picture of its pages would show boxes.
fc-list :lang=zh 2>/dev/null | grep -q . || packages="$packages fontconfig fonts-noto-cjk"
# shellcheck disable=SC2086 # a list of words
[ -z "$packages" ] || install_packages $packages || give_up "please install: $packages"
if [ "$(cat "$out/version" 2>/dev/null)" != "$playwright" ]; then
    PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm install --silent --no-audit --no-fund --no-package-lock --prefix "$out" "playwright-core@$playwright" ||
        give_up "npm install playwright-core"
    echo "$playwright" >"$out/version"
fi

sh docs/build.sh >"$out/build.log" 2>&1 || {
    cat "$out/build.log"
    give_up "docs/build.sh"
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

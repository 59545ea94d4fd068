#!/bin/sh
# The Node module, against the emulator, by node's own test runner. koffi comes from npm, as package-lock.json says, into a
# copy below build/.
#
#     tests/node/run.sh [node's arguments...]      e.g. run.sh --test-name-pattern=signer
#
# COSSLICE_LIB, COSSLICE_EMULATOR and COSSLICE_OUT may point elsewhere than build/.
set -u
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
COSSLICE_LIBRARY=${COSSLICE_LIB:-$root/build/lib}/libcosslice.so.1
COSSLICE_EMULATOR=${COSSLICE_EMULATOR:-$root/build/bin/cosslice-emulator}
COSSLICE_CARGO_TOML=$root/Cargo.toml
out=${COSSLICE_OUT:-$root/build/node}
export COSSLICE_LIBRARY COSSLICE_EMULATOR COSSLICE_CARGO_TOML

mkdir -p "$out" || exit 1
suite=node logs=$out
. tests/kit.sh
command -v node >/dev/null 2>&1 || give_up "node is missing; please install version 20 or newer"
# A proxy would come between node's fetch and the emulator.
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY

rm -rf "$out"/*.mjs "$out/tests" || exit 1
if ! cmp -s bindings/node/package-lock.json "$out/installed" || [ ! -d "$out/node_modules/koffi" ]; then
    cp bindings/node/package.json bindings/node/package-lock.json "$out/" || exit 1
    (cd "$out" && npm ci --no-audit --no-fund --ignore-scripts) >"$out/npm.log" 2>&1 || give_up "npm: $(tail -n 3 "$out/npm.log")"
    cp bindings/node/package-lock.json "$out/installed"
fi
cp bindings/node/*.mjs bindings/node/package.json "$out/" && cp -R tests/node "$out/tests" || exit 1

cd "$out" || exit 1
timeout 300 node --test --test-reporter=tap --test-concurrency=1 "$@" tests/ >tap.log 2>&1
code=$?
number() { sed -n "s/^# $1 //p" tap.log | tail -n 1; }
passed=$(number pass) failed=$(($(number fail) + $(number cancelled) + 0))
[ "$failed" -eq 0 ] && [ "$code" -eq 0 ] || grep -vE '^ *(ok|duration_ms|type:|---|\.\.\.|# Subtest)' tap.log
if [ "$code" -ne 0 ] && [ "$failed" -eq 0 ] || [ "${passed:-0}" -eq 0 ]; then
    echo "FAILED node: the tests ended with status $code"
    failed=$((failed + 1))
fi
echo "${passed:-0} passed, $failed failed"
[ "$failed" -eq 0 ]

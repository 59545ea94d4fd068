#!/bin/sh
# Cosslice.xcframework for iOS, its simulator and macOS, in build/swift. Runs on macOS with Xcode and rustup.
#
#     bindings/swift/xcframework.sh
#     bindings/swift/xcframework.sh --headers FOLDER      only the headers that go into it
#
# Use: COSSLICE_XCFRAMEWORK=<path of it, relative to Package.swift> in the environment of `swift build` or of Xcode.
set -eu
cd "$(dirname "$0")/../.."

# A folder of the module's own: two frameworks with a module map directly in Headers would clash.
headers() {
    mkdir -p "$1/CCosslice"
    cp include/cosslice.h "$1/CCosslice/"
    cat >"$1/CCosslice/module.modulemap" <<'MAP'
module CCosslice {
    header "cosslice.h"
    export *
}
MAP
}

if [ "${1:-}" = --headers ]; then
    headers "$2"
    exit
fi
[ "$(uname)" = Darwin ] || {
    echo "xcframework.sh: this needs macOS with Xcode" >&2
    exit 1
}
out=build/swift/xcframework
rm -rf "$out" build/swift/Cosslice.xcframework
headers "$out/Headers"
export IPHONEOS_DEPLOYMENT_TARGET=14.0 MACOSX_DEPLOYMENT_TARGET=11.0

library() { # name target...
    name=$1
    shift
    for target; do
        rustup target add "$target"
        cargo rustc --release --locked --lib --crate-type staticlib --target "$target"
    done
    mkdir -p "$out/$name"
    # shellcheck disable=SC2046 # a list of files
    lipo -create -output "$out/$name/libcosslice.a" $(printf "${CARGO_TARGET_DIR:-target}/%s/release/libcosslice.a " "$@")
    set -- -library "$out/$name/libcosslice.a" -headers "$out/Headers"
    arguments="$arguments $*"
}
arguments=
library ios aarch64-apple-ios
library simulator aarch64-apple-ios-sim x86_64-apple-ios
library macos aarch64-apple-darwin x86_64-apple-darwin
# shellcheck disable=SC2086 # a list of words
xcodebuild -create-xcframework $arguments -output build/swift/Cosslice.xcframework

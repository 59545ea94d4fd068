#!/bin/sh
# Installs to a prefix, moves it, and builds and runs a program against it by pkg-config: dynamically and statically.
set -eu
cd "$(dirname "$0")/.."
passed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${MAKE:-make} --no-print-directory install PREFIX=/usr DESTDIR="$work/staged" >/dev/null
# The pkg-config file must follow its folder wherever it goes.
mv "$work/staged/usr" "$work/moved"
PKG_CONFIG_PATH="$work/moved/lib/pkgconfig"
export PKG_CONFIG_PATH

check() { # what command...
    what=$1
    shift
    if "$@"; then
        echo "ok     install: $what"
        passed=$((passed + 1))
    else
        echo "FAILED install: $what"
        echo "$passed passed, 1 failed"
        exit 1
    fi
}

check "version" test "$(pkg-config --modversion cosslice)" = "$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)"
# shellcheck disable=SC2046 # lists of words
check "compiles against the shared library" \
    ${CC:-cc} -std=c99 -Wall -Wextra -Wpedantic -Werror tests/c/installed.c -o "$work/dynamic" $(pkg-config --cflags --libs cosslice)
check "runs with the shared library" env LD_LIBRARY_PATH="$work/moved/lib" "$work/dynamic"
check "needs it by its SONAME" sh -c "readelf -d '$work/dynamic' | grep -q 'libcosslice.so.1]'"
private=$(sed -n 's/^Libs.private: *//p' "$PKG_CONFIG_PATH/cosslice.pc")
# shellcheck disable=SC2046,SC2086
check "compiles against the static library" \
    ${CC:-cc} -std=c99 -Wall -Wextra -Wpedantic -Werror tests/c/installed.c -o "$work/static" $(pkg-config --cflags cosslice) \
    "$work/moved/lib/libcosslice.a" $private
check "runs with the static library" "$work/static"
check "needs no shared library then" sh -c "! readelf -d '$work/static' | grep -q libcosslice"
echo "$passed passed, 0 failed"

#!/bin/sh
# Prints the rustc and the cargo of a toolchain that has the source of the standard library (rustup component add rust-src),
# for builds that make their own: the small library, ThreadSanitizer. As root, Debian's is installed where there is none.
set -eu

has_source() { # rustc
    [ -e "$("$1" --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library/std/Cargo.toml" ]
}

is_new_enough() { # rustc
    "$1" --version 2>/dev/null | grep -qE "^rustc 1\.(8[89]|9[0-9]|[1-9][0-9][0-9])\."
}

if has_source rustc && is_new_enough rustc; then
    # Past rustup's proxy, whose choice of a toolchain depends on the folder.
    bin=$(rustc --print sysroot)/bin
else
    bin=/usr/bin
    if ! { is_new_enough $bin/rustc && has_source $bin/rustc && [ -x $bin/cargo ]; }; then
        [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 && {
            apt-get update -qq
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends rustc-web cargo-web rust-web-src
        } >&2
        is_new_enough $bin/rustc && has_source $bin/rustc || {
            echo "no toolchain has the source of the standard library (rustup component add rust-src)" >&2
            exit 1
        }
    fi
fi
echo "$bin/rustc $bin/cargo"

#!/bin/sh
# Installs what the tests need and a fresh machine may lack. Root may install; others are told what is missing.
set -eu
missing=
need() { # command package
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need pkg-config pkg-config
need readelf binutils
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing
else
    echo "please install:$missing" >&2
    exit 1
fi

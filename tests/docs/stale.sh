#!/bin/sh
# The book takes its examples from other files: when one of these changes under it, the build must stop and say where, and not
# show something else. Each case is built from a copy with one mistake in it.
set -eu
cd "$(dirname "$0")/../.."
here=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/build"
cp -R README.md README.zh-CN.md bindings src tests include "$work"

refused() { # what-it-says page line
    rm -rf "$work/docs"
    cp -R docs "$work/docs"
    printf '\n%s\n' "$3" >>"$work/docs/book/$2"
    if PYTHONDONTWRITEBYTECODE=1 NO_MKDOCS_2_WARNING=1 "$here/build/docs-venv/bin/python" -m mkdocs build --strict \
        --config-file "$work/docs/mkdocs.yml" --site-dir "$work/site" >"$work/log" 2>&1; then
        echo "built in spite of: $3"
        exit 1
    fi
    grep -qF -- "$1" "$work/log" || {
        echo "the build does not say \"$1\" about: $3"
        cat "$work/log"
        exit 1
    }
}

refused "there is no file src/no-such-file.rs to show" limits.md '{{ code "src/no-such-file.rs" }}'
refused "is on 0 lines" limits.md '{{ code "src/lib.rs" from="no such line" }}'
refused "is there 0 times" limits.md '{{ section "README.md" "## No such heading" }}'
refused "not understood" limits.md '{{ coed "src/lib.rs" }}'
refused "no-such-page.md" limits.md '[a page](no-such-page.md)'
refused "#no-such-anchor" limits.md '[an anchor](tuning.md#no-such-anchor)'

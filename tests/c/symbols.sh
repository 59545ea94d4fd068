#!/bin/sh
# The shared library exports exactly the functions of symbols.txt, the header declares exactly them, and the library's
# name for the loader carries the ABI version.
set -u
cd "$(dirname "$0")/../.." || exit 1
library=${COSSLICE_LIB:-build/lib}/libcosslice.so
passed=0 failed=0
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

same() { # what file
    if diff tests/c/symbols.txt "$2" >"$dir/difference"; then
        echo "ok     $1"
        passed=$((passed + 1))
    else
        sed 's/^/       /' "$dir/difference"
        echo "FAILED $1"
        failed=$((failed + 1))
    fi
}

nm -D --defined-only "$library" | awk '{ print $NF }' | LC_ALL=C sort >"$dir/exported"
same "exported symbols" "$dir/exported"

# Declarations only: comments are gone after the preprocessor, callbacks are not followed by '(' directly.
printf '#include <cosslice.h>\n' | ${CC:-cc} -E -P -Iinclude - | grep -oE '\bcosslice_[a-z0-9_]+ *\(' | tr -d ' (' |
    LC_ALL=C sort -u >"$dir/declared"
same "declared functions" "$dir/declared"

version=$(sed -n 's/^#define COSSLICE_ABI_VERSION \([0-9]*\).*/\1/p' include/cosslice.h)
if readelf -d "$library" | grep -q "SONAME.*\[libcosslice\.so\.$version\]"; then
    echo "ok     the SONAME is libcosslice.so.$version"
    passed=$((passed + 1))
else
    readelf -d "$library" | sed -n '/SONAME/s/^/       /p'
    echo "FAILED the SONAME is libcosslice.so.$version"
    failed=$((failed + 1))
fi
echo "= $passed $failed"
[ "$failed" -eq 0 ]

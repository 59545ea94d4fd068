#!/bin/sh
# Compiles include/cosslice.h alone, and twice in a row, in every C and C++ since C99 and C++11, with all warnings as
# errors, by each compiler that is there. Prints a line per compilation for run.sh.
set -u
cd "$(dirname "$0")/../.." || exit 1
passed=0 failed=0
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

try() { # compiler language standard
    command -v "$1" >/dev/null || return 0
    if printf '#include <cosslice.h>\n#include <cosslice.h>\n' |
        "$1" -x "$2" -std="$3" -Wall -Wextra -Wpedantic -Wconversion -Werror -Iinclude -c -o "$dir/out.o" - 2>"$dir/errors"; then
        echo "ok     header: $1 $3"
        passed=$((passed + 1))
    else
        sed 's/^/       /' "$dir/errors"
        echo "FAILED header: $1 $3"
        failed=$((failed + 1))
    fi
}

for standard in c99 c11 c17 c2x; do
    try gcc c $standard
    try clang c $standard
done
for standard in c++11 c++14 c++17 c++20; do
    try g++ c++ $standard
    try clang++ c++ $standard
done
echo "= $passed $failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

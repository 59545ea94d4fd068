#!/bin/sh
# Compiles the C++ tests and examples against the shared library in build/lib and runs them, with each compiler there is, as
# C++17 and C++20, plain and under the address and undefined behaviour sanitizers; the last line counts them all.
#
#     tests/cpp/run.sh [VARIANT...]      e.g. run.sh g++-17 clang++-20-sanitized; without names all of them
#
# CXXFLAGS is heeded; CXX_COMPILERS names other compilers. COSSLICE_LIB, COSSLICE_EMULATOR and COSSLICE_OUT may point elsewhere
# than build/.
set -u
cd "$(dirname "$0")/../.." || exit 1
lib=${COSSLICE_LIB:-$PWD/build/lib}
COSSLICE_EMULATOR=${COSSLICE_EMULATOR:-$PWD/build/bin/cosslice-emulator}
export COSSLICE_EMULATOR
out=${COSSLICE_OUT:-build/tests-cpp}
jobs=$(nproc 2>/dev/null || echo 1)
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
includes="-Iinclude -Ibindings/cpp"
passed=0 failed=0
compilers=
for compiler in ${CXX_COMPILERS:-g++ clang++}; do
    if command -v "$compiler" >/dev/null 2>&1; then
        compilers="$compilers $compiler"
    else
        echo "== $compiler is left out: it is not here"
    fi
done

check() { # what command...
    what=$1
    shift
    if "$@"; then
        echo "ok     $what"
        passed=$((passed + 1))
    else
        echo "FAILED $what"
        failed=$((failed + 1))
        return 1
    fi
}

# Debian keeps clang's sanitizers in a package of their own.
can_sanitize() { # compiler
    echo 'int main() {}' | "$1" -fsanitize=address,undefined -x c++ - -o "$out/probe" 2>/dev/null && return
    major=$(echo __clang_major__ | "$1" -E -P -x c - 2>/dev/null)
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || return
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq "libclang-rt-$major-dev" >/dev/null 2>&1
    echo 'int main() {}' | "$1" -fsanitize=address,undefined -x c++ - -o "$out/probe" 2>/dev/null
}

# The header alone, in every language version the compiler knows, and for programs without exceptions and RTTI.
# shellcheck disable=SC2086 # lists of words
header() { # compiler
    for standard in 17 20 23 2b 26; do
        echo 'int main() {}' | "$1" -std=c++$standard -x c++ -fsyntax-only - 2>/dev/null || continue
        check "the header alone compiles with $1 -std=c++$standard" \
            "$1" -std=c++$standard $warnings $includes ${CXXFLAGS:-} -fsyntax-only -x c++ tests/cpp/alone.txt
    done
    check "without exceptions and RTTI ($1)" \
        "$1" -std=c++17 $warnings $includes ${CXXFLAGS:-} -fno-exceptions -fno-rtti -fsyntax-only -x c++ tests/cpp/alone.txt
}

# shellcheck disable=SC2086
build() { # compiler standard flags folder
    flags="-std=c++$2 -O1 -g -fPIC -pthread $warnings $includes $3 ${CXXFLAGS:-}"
    link="-L$lib -lcosslice -Wl,-rpath,$lib -pthread"
    mkdir -p "$4" || return 1
    rm -f "$4"/*.o
    # shellcheck disable=SC2016 # the inner shell expands
    printf '%s\n' tests/cpp/*.cpp bindings/cpp/*.cpp | xargs -P "$jobs" -I{} sh -c '
        name=$(basename "$1" .cpp) folder=$2
        shift 2
        [ "$name" != plugin ] || set -- "$@" -fvisibility=hidden -fvisibility-inlines-hidden
        "$@" -o "$folder/$name.o"' - {} "$4" "$1" $flags -c {} || return 1
    "$1" $flags -shared "$4/plugin.o" -o "$4/libplugin.so" $link || return 1
    for example in postcard progress; do
        "$1" $flags "$4/$example.o" -o "$4/$example" $link || return 1
    done
    objects=$(printf '%s\n' tests/cpp/*.cpp | grep -v plugin | sed "s|^tests/cpp/\(.*\)\.cpp|$4/\1.o|")
    "$1" $flags $objects -o "$4/tests" -L"$4" -lplugin -Wl,-rpath,"$PWD/$4" $link
}

run() { # name folder
    COSSLICE_CPP_EXAMPLES=$2 ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
        timeout 600 "$2/tests" >"$2/log" 2>&1
    code=$?
    counts=$(sed -n 's/^= \([0-9]* [0-9]*\)$/\1/p' "$2/log" | tail -n 1)
    sed -e '/^= /d' -e '/^ok /d' "$2/log"
    passed=$((passed + ${counts% *}+0))
    failed=$((failed + ${counts#* }+0))
    echo "       $1: ${counts:-no counts}"
    # A leak is found after the counts.
    if [ -z "$counts" ] || { [ $code -ne 0 ] && [ "${counts#* }" -eq 0 ]; }; then
        echo "FAILED $1 ended with status $code"
        failed=$((failed + 1))
    fi
}

wanted() { # name
    [ -n "$names" ] || return 0
    case " $names " in *" $1 "*) return 0 ;; *) return 1 ;; esac
}

names=$*
mkdir -p "$out" || exit 1
for compiler in $compilers; do
    [ -n "$names" ] || header "$compiler"
    for standard in 17 20; do
        for kind in plain sanitized; do
            name=$(basename "$compiler")-$standard
            flags=
            if [ $kind = sanitized ]; then
                name=$name-sanitized
                flags="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
            fi
            wanted "$name" || continue
            if [ $kind = sanitized ] && ! can_sanitize "$compiler"; then
                echo "== $name is left out: $compiler has no sanitizers here"
                continue
            fi
            echo "== $name"
            # Strict: a warning in the header would be everybody's.
            if check "$name compiles" build "$compiler" $standard "$flags" "$out/$name"; then
                run "$name" "$out/$name"
            fi
        done
    done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

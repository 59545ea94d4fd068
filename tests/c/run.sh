#!/bin/sh
# Compiles the C tests against the shared library in build/lib and runs them; the last line counts them all.
#
#     tests/c/run.sh [NAME...]       e.g. run.sh misuse cancel; without names all of them
#     VALGRIND=1 tests/c/run.sh      under valgrind, where an error or a leak is a failure
#
# CC and CFLAGS are heeded. COSSLICE_LIB, COSSLICE_BIN, COSSLICE_EMULATOR and COSSLICE_OUT may point elsewhere than build/.
set -u
cd "$(dirname "$0")/../.." || exit 1
COSSLICE_LIB=${COSSLICE_LIB:-$PWD/build/lib}
COSSLICE_EMULATOR=${COSSLICE_EMULATOR:-$PWD/build/bin/cosslice-emulator}
COSSLICE_BIN=${COSSLICE_BIN:-$PWD/build/bin}
export COSSLICE_LIB COSSLICE_EMULATOR COSSLICE_BIN
out=${COSSLICE_OUT:-build/tests-c}
kit="tests/c/check.c tests/c/bytes.c tests/c/sha1.c tests/c/http.c tests/c/peer.c tests/c/process.c tests/c/emulator.c tests/c/flows.c"
warnings="-Wall -Wextra -Wpedantic -Wconversion -Werror"
passed=0 failed=0
under=
limit=600

if [ "${VALGRIND:-0}" != 0 ]; then
    # Not "possible": Rust keeps a handle of the calling thread, by a pointer into its middle, until that thread ends.
    under="valgrind --quiet --leak-check=full --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite,indirect \
        --error-exitcode=99 --child-silent-after-fork=yes --fair-sched=yes"
    limit=3600
    export COSSLICE_TEST_VALGRIND=1
    COSSLICE_TEST_SLACK_MS=${COSSLICE_TEST_SLACK_MS:-3000} # the promise is made for a machine, not for its simulation
    export COSSLICE_TEST_SLACK_MS
fi

# Adds the counts that a test prints as its last line; a test that ended without them, or badly, has failed.
count() { # name exit-code log
    counts=$(sed -n 's/^= \([0-9]* [0-9]*\)$/\1/p' "$3" | tail -n 1)
    passed=$((passed + ${counts% *}+0))
    failed=$((failed + ${counts#* }+0))
    if [ -z "$counts" ] || { [ "$2" -ne 0 ] && [ "${counts#* }" -eq 0 ]; }; then
        echo "FAILED $1 ended with status $2"
        failed=$((failed + 1))
    fi
}

run() { # name command...
    name=$1
    shift
    log=$out/$name.log
    echo "== $name"
    timeout $limit "$@" >"$log" 2>&1
    code=$?
    sed '/^= /d' "$log"
    count "$name" $code "$log"
}

program() { # name source-name argument...
    name=$1 source=$2
    shift 2
    # shellcheck disable=SC2086 # lists of words
    if ${CC:-cc} -std=c99 -O1 -g $warnings ${CFLAGS:-} -Iinclude "tests/c/$source.c" $kit -o "$out/$source" \
        -L"$COSSLICE_LIB" -lcosslice -lpthread -Wl,-rpath,"$COSSLICE_LIB"; then
        run "$name" $under "$out/$source" "$@"
    else
        echo "FAILED $name does not compile"
        failed=$((failed + 1))
    fi
}

mkdir -p "$out" || exit 1
[ $# -gt 0 ] || set -- header symbols options names misuse signer failures cancel lookup lifecycle put examples torture_fork torture_threads torture_memory storm dlclose calls memory-file memory-push
for test; do
    case $test in
    header | symbols) run "$test" "tests/c/$test.sh" ;;
    memory-*)
        if [ -n "$under" ]; then
            echo "== $test is left out: valgrind's own memory would be measured"
        else
            program "$test" memory "${test#memory-}"
        fi
        ;;
    *) program "$test" "$test" ;;
    esac
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

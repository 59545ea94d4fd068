#!/bin/sh
# What takes longer than `make test`: the C tests under valgrind and sanitizers, a panic at every moment, thousands of
# random call sequences, fuzzing. Needs what `make all` builds. The last line counts everything.
#
#     tests/check.sh [SECTION...]     valgrind, address, thread, fuzz, miri, small, native; without names all of them
#     FUZZ_SECONDS=20                 for each fuzz target
#     CALL_SEQUENCES=2000             of tests/c/calls.c
#     CHECK_DIR=build/check           where it builds
#
# A tool that is missing is installed where that is possible, and otherwise left out, which is said.
set -u
cd "$(dirname "$0")/.." || exit 1
work=${CHECK_DIR:-$PWD/build/check}
tools=$PWD/build/tools
skipped=0
host=$(rustc -vV | sed -n 's/^host: //p')
mkdir -p "$work" || exit 1
suite=check logs=$work
. tests/kit.sh
for file in build/lib/libcosslice.so build/bin/cosslice-emulator; do
    [ -e "$file" ] || { echo "$file is missing: run make"; exit 1; }
done

section() { printf '\n=== %s\n' "$*"; }
skip() {
    echo "skipped: $*"
    skipped=$((skipped + 1))
}
good() {
    echo "ok     $*"
    passed=$((passed + 1))
}
bad() {
    echo "FAILED $*"
    failed=$((failed + 1))
}

has_nightly() { cargo +nightly --version >/dev/null 2>&1; }

# Runs tests/c/run.sh with what is in the environment, and adds its counts.
c_tests() { # name of the log, then names of tests
    log=$work/$1.log
    shift
    sh tests/c/run.sh "$@" >"$log" 2>&1
    code=$?
    # All of what failed, and one line for each program that did not.
    grep -vE '^ok |^       |^[0-9]+ passed' "$log"
    grep -B 3 '^FAILED' "$log" | grep '^       '
    counts=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$log" | tail -n 1)
    if [ -z "$counts" ]; then
        bad "tests/c/run.sh ended with status $code; see $log"
    else
        echo "       ${counts% *} passed, ${counts#* } failed ($log)"
        passed=$((passed + ${counts% *}))
        failed=$((failed + ${counts#* }))
    fi
}

# Builds the library for one sanitizer, with the panics on demand: $work/NAME/libcosslice.so.1. Further words go to cargo.
sanitized() { # name cargo flags...
    name=$1 cargo=$2
    shift 2
    CARGO_TARGET_DIR=$work/$name/target "$cargo" "$@" --locked --lib --crate-type cdylib --features torture --target "$host" \
        >"$work/$name-build.log" 2>&1 || return 1
    cp "$work/$name/target/$host/debug/libcosslice.so" "$work/$name/libcosslice.so.1" && ln -sf libcosslice.so.1 "$work/$name/libcosslice.so"
}

# --- valgrind --------------------------------------------------------------------------------------------------------

check_valgrind() {
    section "valgrind: the C tests, with zero errors and zero leaks"
    command -v valgrind >/dev/null 2>&1 || install_packages --no-install-recommends valgrind || { skip "valgrind is not installed"; return; }
    # Left out: memory-* and torture_memory, which measure and replace what valgrind replaces; a smaller number of calls.
    VALGRIND=1 COSSLICE_TEST_CALLS=40 COSSLICE_OUT=$work/valgrind \
        c_tests valgrind options names misuse signer failures cancel lookup lifecycle put examples torture_fork torture_threads storm dlclose calls
}

# --- sanitizers ------------------------------------------------------------------------------------------------------

check_address() {
    section "AddressSanitizer and LeakSanitizer: library (nightly) and C tests, with a panic at every moment"
    has_nightly || { skip "there is no nightly toolchain (rustup toolchain install nightly)"; return; }
    mkdir -p "$work/address"
    # The standard library itself comes as it is: this toolchain has no source for it to be built from.
    if ! RUSTFLAGS="-Zsanitizer=address" sanitized address cargo +nightly rustc; then
        bad "the library does not build; see $work/address-build.log"
        return
    fi
    if nm -D "$work/address/libcosslice.so.1" | grep -q ' U __asan_report'; then
        good "the library is instrumented"
    else
        bad "the library is not instrumented"
    fi
    # Left out: torture_memory, whose allocator takes the sanitizer's place; programs run as processes of their own; and
    # torture_fork, for the allocator of gcc's run time (12) has no fork handlers: what another thread held stays locked in the child.
    CC="${CC:-cc} -fsanitize=address -fno-omit-frame-pointer" COSSLICE_LIB=$work/address COSSLICE_OUT=$work/address/bin \
        ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1 COSSLICE_TEST_SLACK_MS=3000 COSSLICE_TEST_CALLS=${CALL_SEQUENCES:-2000} \
        c_tests address options names misuse signer failures cancel lookup lifecycle torture torture_threads storm dlclose calls
}

check_thread() {
    section "ThreadSanitizer: library, standard library and C tests"
    has_nightly || { skip "there is no nightly toolchain, whose sanitizer's run time is used"; return; }
    runtime=$(find "$(rustc +nightly --print sysroot)/lib/rustlib/$host/lib" -name 'librustc*_rt.tsan.a' | head -n 1)
    [ -n "$runtime" ] || { skip "this nightly toolchain has no run time for it"; return; }
    mkdir -p "$work/thread/rt"
    ln -sf "$runtime" "$work/thread/rt/libtsan.a"
    # Locks and reference counts live in the standard library: unless that is built for it, too, every one is a false alarm.
    toolchain=$(sh tests/std-source.sh 2>"$work/thread-source.log") || { skip "$(tail -n 1 "$work/thread-source.log")"; return; }
    echo "       with the standard library of $("${toolchain% *}" --version | cut -d' ' -f1,2)"
    RUSTC=${toolchain% *} RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=thread -Zexternal-clangrt" \
        sanitized thread "${toolchain#* }" rustc -Zbuild-std=std,panic_unwind ||
        { bad "the library does not build; see $work/thread-build.log"; return; }
    if nm -D "$work/thread/libcosslice.so.1" | grep -q ' U __tsan_func_entry'; then
        good "the library is instrumented"
    else
        bad "the library is not instrumented"
    fi
    # The nightly toolchain's run time for the programs, too: two different ones do not go together. Left out: what has one
    # thread only; torture, which takes too long; and torture_fork, for the run time does not support threads in a child.
    CC="${CC:-cc} -fsanitize=thread -static-libtsan -L$work/thread/rt" COSSLICE_LIB=$work/thread COSSLICE_OUT=$work/thread/bin \
        TSAN_OPTIONS=die_after_fork=0 COSSLICE_TEST_SLACK_MS=5000 COSSLICE_TEST_CALLS=100 \
        c_tests thread misuse signer failures cancel lookup lifecycle torture_threads storm calls
}

# --- fuzzing ---------------------------------------------------------------------------------------------------------

check_fuzz() {
    section "fuzzing: ${FUZZ_SECONDS:-20} s for each target, from the corpus in tests/fuzz"
    has_nightly || { skip "there is no nightly toolchain"; return; }
    PATH=$PATH:$tools/bin
    if ! command -v cargo-fuzz >/dev/null 2>&1; then
        cargo install --quiet --locked --root "$tools" cargo-fuzz >"$work/cargo-fuzz.log" 2>&1 ||
            { skip "cargo-fuzz cannot be installed; see $work/cargo-fuzz.log"; return; }
    fi
    if ! cargo +nightly fuzz build --fuzz-dir tests/fuzz --target-dir "$work/fuzz" >"$work/fuzz-build.log" 2>&1; then
        bad "the targets do not build; see $work/fuzz-build.log"
        return
    fi
    for source in tests/fuzz/fuzz_targets/*.rs; do
        target=$(basename "$source" .rs)
        mkdir -p "$work/fuzz/corpus/$target"
        # New finds go to the first directory: the committed corpus stays as it is.
        if "$work/fuzz/$host/release/$target" -max_total_time="${FUZZ_SECONDS:-20}" -max_len=4096 -timeout=30 -rss_limit_mb=4096 \
            -artifact_prefix="$work/fuzz/$target-" "$work/fuzz/corpus/$target" "tests/fuzz/corpus/$target" >"$work/fuzz/$target.log" 2>&1 &&
            runs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$work/fuzz/$target.log") && [ "${runs:-0}" -gt 0 ]; then
            good "fuzz $target: $runs runs"
        else
            bad "fuzz $target:"
            tail -n 30 "$work/fuzz/$target.log"
        fi
    done
}

# --- Miri ------------------------------------------------------------------------------------------------------------

check_miri() {
    section "Miri: the protocol, tokens and slice sets"
    cargo +nightly miri --version >/dev/null 2>&1 || { skip "this nightly toolchain has no Miri (rustup component add miri)"; return; }
    # No sockets, files or foreign code: what is left are the pure parts.
    if CARGO_TARGET_DIR=$work/miri cargo +nightly miri test --locked --lib -- protocol:: resume:: hash:: config:: >"$work/miri.log" 2>&1; then
        good "Miri"
    else
        bad "Miri:"
        tail -n 30 "$work/miri.log"
    fi
}

# --- other builds ----------------------------------------------------------------------------------------------------

check_small() {
    section "the small build: C tests"
    if ! make small BUILD="$work" >"$work/small-build.log" 2>&1; then
        sh tests/std-source.sh >/dev/null 2>"$work/small-source.log" || { skip "$(tail -n 1 "$work/small-source.log")"; return; }
        bad "make small; see $work/small-build.log"
        return
    fi
    COSSLICE_LIB=$work/small COSSLICE_OUT=$work/small/bin COSSLICE_TEST_CALLS=100 \
        c_tests small symbols options misuse signer failures cancel lifecycle
}

check_native() {
    section "https by the platform's library: the tests of TLS"
    pkg-config --exists openssl || install_packages --no-install-recommends libssl-dev pkg-config || { skip "OpenSSL's headers are missing (libssl-dev)"; return; }
    if cargo test --locked -p cosslice --no-default-features --features native-tls --lib --test tls >"$work/native.log" 2>&1; then
        good "native-tls: $(sed -n 's/^test result: ok. \([0-9]* passed\).*/\1/p' "$work/native.log" | tail -n 1)"
    else
        bad "native-tls:"
        tail -n 40 "$work/native.log"
    fi
}

[ $# -gt 0 ] || set -- valgrind address thread fuzz miri small native
for one; do
    case $one in
    valgrind | address | thread | fuzz | miri | small | native) "check_$one" ;;
    *) bad "there is no section $one" ;;
    esac
done
echo
[ "$skipped" -eq 0 ] || echo "$skipped skipped, see above"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

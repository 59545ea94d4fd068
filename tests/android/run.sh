#!/bin/sh
# Builds the JNI shim with the library inside, as it is for Android, and runs the Java classes on the desktop's JVM, under
# its JNI checker, against the emulator. What only Android has is compiled and run against the stand-ins in stubs/, whose
# signatures are compared with Android's. Kotlin's part is compiled and run. The last line counts all tests.
#
# COSSLICE_LIB, COSSLICE_EMULATOR and COSSLICE_OUT may point elsewhere than build/; KOTLIN=0 leaves Kotlin out, R8=0 the run of
# what a shrinker leaves. JAVA_HOME names the JDK (17 or newer).
set -u
cd "$(dirname "$0")/../.." || exit 1
lib=${COSSLICE_LIB:-$PWD/build/lib}
emulator=${COSSLICE_EMULATOR:-build/bin/cosslice-emulator}
out=${COSSLICE_OUT:-$PWD/build/tests-android}
main=bindings/android/src/main
suite=android logs=$out
. tests/kit.sh
emulator_pid=
clean_up() { [ -z "$emulator_pid" ] || kill "$emulator_pid" 2>/dev/null; }
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
rm -rf "$out/classes" "$out/data" "$out/files" "$out/port" # not what was downloaded
mkdir -p "$out/files" || exit 1

missing=
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; } # command package
need cmake cmake
need readelf binutils
need javac openjdk-17-jdk-headless
[ "${R8:-1}" = 0 ] || {
    need proguard proguard-cli
    need unzip unzip
}
# shellcheck disable=SC2086 # a list of words
[ -z "$missing" ] || install_packages $missing || give_up "please install:$missing"
JAVA_HOME=${JAVA_HOME:-$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")}
export JAVA_HOME LC_ALL=C.UTF-8

# --- what is in the AAR

build() {
    cmake -S $main/cpp -B "$out/shim" -DCMAKE_BUILD_TYPE=Release -DCOSSLICE_LIBRARY="$lib/libcosslice.a" &&
        cmake --build "$out/shim"
}
check "the shim compiles, with the static library inside" build || give_up "nothing to run"
so=$out/shim/libcosslice_jni.so

pages() { # every segment can lie on pages of 16 KiB
    readelf -lW "$so" | awk '$1 == "LOAD" { n++; if ($NF != "0x4000") bad = 1 } END { exit !(n > 0) || bad }'
}
check "16 KiB pages" pages
exports() {
    names=$(nm -D --defined-only "$so" | awk '{ print $3 }' | sort | tr '\n' ' ')
    echo "$names"
    [ "$names" = "JNI_OnLoad JNI_OnUnload " ]
}
check "nothing but the JNI entries is exported" exports
check "the Android build asks cargo and the NDK for the right things" sh tests/android/cargo.sh "$out/cargo" "$lib/libcosslice.a"

java="javac --release 8 -Xlint:all,-options -Werror"
check "Java 8, without Android" $java -d "$out/classes" $main/java/com/cosslice/*.java || give_up "nothing to run"
check "the part for Android" $java -cp "$out/classes" -d "$out/classes" $main/java/com/cosslice/android/*.java \
    $(find tests/android/stubs -name '*.java')
check "the stand-ins are as Android says" sh tests/android/stubs.sh "$out"
kotlin=$out/npm/node_modules/kotlin-compiler
kotlinc() { # without its script, which wants bash
    libs=$kotlin/lib
    java -cp "$libs/kotlin-compiler.jar:$libs/kotlin-stdlib.jar:$libs/kotlin-script-runtime.jar:$libs/kotlinx-coroutines-core-jvm.jar:$libs/annotations-13.0.jar" \
        org.jetbrains.kotlin.cli.jvm.K2JVMCompiler -kotlin-home "$kotlin" -no-reflect -Werror "$@"
}
coroutines=$kotlin/lib/kotlinx-coroutines-core-jvm.jar

check "the tests compile" javac -cp "$out/classes" -d "$out/tests" $(find tests/android/java tests/android/android -name '*.java') || give_up "nothing to run"
if [ "${KOTLIN:-1}" != 0 ]; then
    if [ ! -f "$coroutines" ]; then
        check "the Kotlin compiler is there" npm install --silent --no-audit --no-fund --prefix "$out/npm" kotlin-compiler@2.4.20
    fi
    check "coroutines compile" kotlinc -Xexplicit-api=strict -jvm-target 1.8 -cp "$out/classes:$coroutines" -d "$out/classes" \
        $main/kotlin/com/cosslice/*.kt
    check "their tests compile" kotlinc -cp "$out/classes:$out/tests:$coroutines" -d "$out/tests" \
        tests/android/kotlin/com/cosslice/*.kt
fi

# --- running it

start_emulator

run() { # classpath class
    timeout 600 java -Xcheck:jni -Xms256m -Xmx256m -XX:+AlwaysPreTouch -Djava.library.path="$out/shim" -Dcosslice.test.port="$(cat "$out/port")" \
        -Dcosslice.test.root="$PWD" -Dcosslice.test.dir="$out/files" -cp "$1" "$2" >"$out/run.log" 2>&1
    code=$?
    sed '/^[0-9]* passed, [0-9]* failed$/d' "$out/run.log"
    counts=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$out/run.log" | tail -n 1)
    passed=$((passed + ${counts% *}+0))
    failed=$((failed + ${counts#* }+0))
    if [ -z "$counts" ] || { [ "$code" -ne 0 ] && [ "${counts#* }" -eq 0 ]; }; then
        echo "FAILED $2 ended with status $code"
        failed=$((failed + 1))
    fi
    # What the JVM says of a shim that breaks JNI's rules.
    if grep -E '^(WARNING|FATAL ERROR)|in native method' "$out/run.log" >/dev/null; then
        echo "FAILED $2: the JNI checker has complained"
        failed=$((failed + 1))
    else
        passed=$((passed + 1))
    fi
}
run "$out/classes:$out/tests" com.cosslice.Main
run "$out/classes:$out/tests" com.cosslice.AndroidMain
[ "${KOTLIN:-1}" = 0 ] || run "$out/classes:$out/tests:$coroutines:$kotlin/lib/kotlin-stdlib.jar" com.cosslice.KotlinMainKt

# --- what a shrinker leaves of an app

# R8 is not to be had here. ProGuard, whose rules R8 takes, knows no class files of newer JDKs: it gets Java 8's from the JDK.
# Its optimizer (not R8's) tears lambdas from their interfaces, so it shrinks and renames only.
shrink() { # rules
    rm -rf "$out/shrunk" "$out/shrunk.jar"
    [ -f "$out/java8.jar" ] || python3 tests/android/java8.py "$JAVA_HOME/lib/ct.sym" "$out/java8.jar"
    rm -rf "$out/app" && mkdir -p "$out/app" && cp -r "$out/classes/com" "$out/app/" && rm -rf "$out/app/com/cosslice/android" &&
        rm -f "$out"/app/com/cosslice/*Kt*.class "$out"/app/com/cosslice/Progress.class || return 1
    javac --release 8 -Xlint:-options -cp "$out/app" -d "$out/app" tests/android/shrunk/app/*.java &&
        proguard -injars "$out/app" -outjars "$out/shrunk.jar" -libraryjars "$out/java8.jar" -dontnote -dontoptimize \
            -keep 'class app.Shrunk { public static void main(java.lang.String[]); }' "$@"
}
if [ "${R8:-1}" != 0 ]; then
    check "an app is shrunk with the consumer rules" shrink -include bindings/android/consumer-rules.pro &&
        run "$out/shrunk.jar" app.Shrunk
    renamed() { unzip -l "$out/shrunk.jar" | grep -q 'com/cosslice/[a-z]\.class'; }
    check "the rest was renamed" renamed
    breaks() {
        shrink || return 1
        java -Djava.library.path="$out/shim" -Dcosslice.test.port="$(cat "$out/port")" -cp "$out/shrunk.jar" app.Shrunk >"$out/breaks" 2>&1 && return 1
        cat "$out/breaks"
        grep -E 'com/cosslice/(Hooks|Native)' "$out/breaks" # what the shim looks for
    }
    check "without the rules it would break" breaks
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

#!/bin/sh
# What CMakeLists.txt asks of cargo when Gradle calls it with the NDK's toolchain. There is no NDK here: a toolchain file
# names the things that the NDK's does, the compiler is this machine's, and a script in cargo's place writes down how it was
# called and puts a library there.
#
#     tests/android/cargo.sh OUT libcosslice.a
set -eu
out=$1 library=$2
cpp=$(cd "$(dirname "$0")/../../bindings/android/src/main/cpp" && pwd)
rm -rf "$out"
mkdir -p "$out"
cat >"$out/cargo" <<SH
#!/bin/sh
{
    pwd
    echo "\$*"
    env | grep -E '^(CC|AR|CFLAGS)_' | sort
} >"\$COSSLICE_RECORD"
while [ "\$1" != --target ]; do shift; done
target=\$2
while [ "\$1" != --target-dir ]; do shift; done
mkdir -p "\$2/\$target/release"
cp "$library" "\$2/\$target/release/"
SH
chmod +x "$out/cargo"
for pair in arm64-v8a:aarch64-linux-android armeabi-v7a:armv7-linux-androideabi x86_64:x86_64-linux-android x86:i686-linux-android; do
    abi=${pair%%:*} target=${pair##*:}
    cat >"$out/$abi.cmake" <<CMAKE
set(CMAKE_SYSTEM_NAME Linux)
set(ANDROID TRUE)
set(ANDROID_ABI $abi)
set(CMAKE_C_COMPILER_TARGET ${target}21)
CMAKE
    cmake -S "$cpp" -B "$out/$abi" -DCMAKE_TOOLCHAIN_FILE="$out/$abi.cmake" -DCMAKE_BUILD_TYPE=Release \
        -DCOSSLICE_CARGO="$out/cargo" -DCMAKE_C_FLAGS="-I$JAVA_HOME/include -I$JAVA_HOME/include/linux" \
        -DCMAKE_SHARED_LINKER_FLAGS="-Wl,--as-needed -lgcc_s" >"$out/$abi.log"
    # Only cargo's part is true to Android; the shim's is compiled and linked for this machine elsewhere.
    COSSLICE_RECORD=$out/$abi.txt cmake --build "$out/$abi" --target cosslice_cargo >>"$out/$abi.log"
    variable=$(echo "$target" | tr - _)
    cat "$out/$abi.txt"
    grep -qx "$(cd "$cpp/../../../../.." && pwd)" "$out/$abi.txt"
    grep -qx "rustc --release --locked --lib --crate-type staticlib --target $target --target-dir .*" "$out/$abi.txt"
    grep -q "^CC_$variable=/" "$out/$abi.txt"
    grep -q "^AR_$variable=/" "$out/$abi.txt"
    grep -q "^CFLAGS_$variable=--target=${target}21 --sysroot=" "$out/$abi.txt"
    test -f "$out/$abi/cargo/$target/release/libcosslice.a"
done
# An ABI that nobody has heard of is refused with its name.
sed 's/x86$/mips/' "$out/x86.cmake" | sed 's/ANDROID_ABI x86/ANDROID_ABI mips/' >"$out/mips.cmake"
if cmake -S "$cpp" -B "$out/mips" -DCMAKE_TOOLCHAIN_FILE="$out/mips.cmake" >"$out/mips.log" 2>&1; then exit 1; fi
grep -q "the ABI mips" "$out/mips.log"

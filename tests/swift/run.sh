#!/bin/sh
# The Swift package. Its C side is always checked, by clang, for Linux and Apple's platforms. Where there is a Swift compiler,
# the package is built and tested against the emulator.
#
#     tests/swift/run.sh              with `swift` of the PATH, or the one fetched before, or none
#     SWIFT=1 tests/swift/run.sh      fetches Debian's Swift into build/swift/root if need be (550 MB; Debian, as root)
#     SANITIZE=thread tests/swift/run.sh
#
# COSSLICE_LIB, COSSLICE_EMULATOR and COSSLICE_OUT may point elsewhere than build/.
set -u
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
lib=${COSSLICE_LIB:-$root/build/lib}
emulator=${COSSLICE_EMULATOR:-$root/build/bin/cosslice-emulator}
out=${COSSLICE_OUT:-$root/build/swift}
debian=$out/root # a Debian of its own, since Swift wants a newer libc than this machine may have
release=trixie
work=$(mktemp -d)
suite=swift logs=$work
. tests/kit.sh
emulator_pid=
clean_up() {
    [ -z "$emulator_pid" ] || kill "$emulator_pid" 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$out/pkgconfig" || exit 1

check() { # what command...; there are many, so that only failures are told
    what=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        echo "FAILED swift: $what"
        tail -n 40 "$work/log"
        failed=$((failed + 1))
        return 1
    fi
}

# --- the C side

command -v clang >/dev/null 2>&1 || install_packages clang
strict="-std=c99 -Wall -Wextra -Wpedantic -Werror -Wno-gnu-statement-expression -fsyntax-only"
check "the headers of the xcframework" sh bindings/swift/xcframework.sh --headers "$work/Headers"
cmp -s include/cosslice.h "$work/Headers/CCosslice/cosslice.h" || check "they are those of the library" false
for target in x86_64-linux-gnu arm64-apple-ios14.0 arm64-apple-ios14.0-simulator arm64-apple-macos11 x86_64-apple-macos11; do
    # Without a system's headers: cosslice.h needs two that come with the compiler.
    for language in c objective-c; do
        # shellcheck disable=SC2086 # a list of words
        check "$language for $target" clang -target "$target" -ffreestanding -nostdlibinc $strict -x "$language" include/cosslice.h
    done
    # shellcheck disable=SC2086
    check "the xcframework's module for $target" clang -target "$target" -ffreestanding -nostdlibinc -fmodules \
        -fmodules-cache-path="$work/cache" -I "$work/Headers" -std=c11 -Wall -Wextra -Werror -fsyntax-only tests/swift/import.m
done
check "the package's module" clang -fmodules -fmodules-cache-path="$work/cache" -I include \
    -fmodule-map-file=bindings/swift/Sources/CCosslice/module.modulemap -std=c11 -Wall -Wextra -Werror -fsyntax-only tests/swift/import.m
echo "== C side: $passed passed, $failed failed"

# --- Swift

fetch() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || {
        echo "only on Debian, as root"
        return 1
    }
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' | head -n 1)
    [ -n "$mirror" ] || { apt-get update -qq && mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' | head -n 1); }
    [ -n "$mirror" ] || {
        echo "no Debian mirror is configured"
        return 1
    }
    state=$out/apt
    rm -rf "$debian" "$debian.new"
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$debian.new" || return 1
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release main" >"$state/sources.list"
    : >"$state/status" # nothing is installed there yet
    set -- -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State="$state" \
        -o Dir::State::Lists="$state/lists" -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" \
        -o APT::Install-Recommends=false -o Debug::NoLocking=true -o Acquire::Retries=3 -qq
    apt-get "$@" update && apt-get "$@" install -y --download-only swiftlang base-files dash bash coreutils libc6-dev libstdc++-14-dev || return 1
    # base-files first: it makes /lib and its like links to /usr.
    for package in "$state"/cache/archives/base-files_*.deb "$state"/cache/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -x -C "$debian.new" --keep-directory-symlink --exclude='*lldb*' \
            --exclude='*/swift_static/*' --exclude='*/bin/*clangd*' --exclude='*/bin/docc' --exclude='./usr/share/doc/*' || return 1
    done
    rm -rf "$state" && mv "$debian.new" "$debian"
}

# Runs a command in that Debian, with this checkout, the library and what is built where they are here. The mounts are seen by it alone.
in_debian() {
    mkdir -p "$debian$root" "$debian$lib" "$debian$out" &&
        unshare --mount sh -c 'debian=$1 root=$2 lib=$3 out=$4 && shift 4 && mount -t proc proc "$debian/proc" &&
            mount --bind /dev "$debian/dev" && mount --bind "$root" "$debian$root" && mkdir -p "$debian$lib" "$debian$out" &&
            mount --bind "$lib" "$debian$lib" && mount --bind "$out" "$debian$out" && exec chroot "$debian" "$@"' \
            sh "$debian" "$root" "$lib" "$out" "$@"
}

if command -v swift >/dev/null 2>&1 && swift --version 2>/dev/null | grep -q 'Swift version'; then
    run() { "$@"; }
    path=$PATH
else
    run() { in_debian "$@"; }
    path=/usr/libexec/swift/bin:/usr/bin:/bin
    if [ ! -d "$debian" ]; then
        if [ "${SWIFT:-0}" != 1 ]; then
            echo "there is no Swift compiler, so the Swift sources were not compiled; SWIFT=1 fetches one"
            echo "$passed passed, $failed failed"
            [ "$failed" -eq 0 ]
            exit
        fi
        echo "== fetching Swift"
        check "fetching Swift" fetch
    fi
fi

sed -e 's|@VERSION@|0|' -e "s|\${pcfiledir}/@PREFIX@|$root|" -e "s|\${pcfiledir}/@LIBDIR@|$lib|" \
    -e "s|\${pcfiledir}/@INCLUDEDIR@|$root/include|" bindings/c/cosslice.pc.in >"$out/pkgconfig/cosslice.pc"
"$emulator" --data "$work/data" --port 0 --port-file "$work/port" >"$work/emulator.log" 2>&1 &
emulator_pid=$!
tries=0
until [ -s "$work/port" ] || [ $tries -gt 300 ] || ! kill -0 "$emulator_pid" 2>/dev/null; do
    tries=$((tries + 1))
    sleep 0.1
done
origin=http://127.0.0.1:$(cat "$work/port" 2>/dev/null)

swift() { # name argument...
    name=$1
    shift
    run env -i PATH="$path" HOME=/tmp LANG=C.UTF-8 LD_LIBRARY_PATH="$lib" PKG_CONFIG_PATH="$out/pkgconfig" COSSLICE_TEST_ORIGIN="$origin" \
        timeout 600 sh -c 'cd "$1" && shift && exec swift "$@"' sh "$root/bindings/swift" "$@" >"$out/$name.log" 2>&1
}

if [ "$failed" -eq 0 ]; then
    swift test test ${SANITIZE:+--sanitize=$SANITIZE} --scratch-path "$out/scratch${SANITIZE:+-$SANITIZE}" -Xswiftc -warnings-as-errors
    code=$?
    good=$(grep -c "^Test Case .* passed (" "$out/test.log")
    bad=$(grep -c "^Test Case .* failed (" "$out/test.log")
    if [ "$code" -ne 0 ] && [ "$bad" -eq 0 ] || [ "$good" -eq 0 ]; then
        bad=$((bad + 1))
    fi
    [ "$bad" -eq 0 ] || { echo "FAILED swift: the tests ended with status $code" && grep -E 'error:|failed|Fatal|WARNING' "$out/test.log" | head -n 40; }
    echo "== Swift: $good passed, $bad failed"
    passed=$((passed + good)) failed=$((failed + bad))

    head -c 3000000 /dev/urandom >"$out/content"
    put() { # the program, with the account that the emulator knows
        run env -i LD_LIBRARY_PATH="$lib" PATH="$path" COSSLICE_APP_ID=1250000000 COSSLICE_SECRET_ID=AKIDEXAMPLE COSSLICE_SECRET_KEY=examplesecretkey \
            COSSLICE_ENDPOINT="$origin/files/v2" "$out/scratch${SANITIZE:+-$SANITIZE}/debug/cosslice-put" "$@"
    }
    check "cosslice-put uploads" put "$out/content" bkt/swift-put && grep -q '^http' "$work/log" || check "it says where" false
    head -c 3000001 /dev/urandom >"$out/content"
    put "$out/content" bkt/swift-put >"$work/log" 2>&1
    check "cosslice-put: the name is taken" test $? -eq 3
    rm -f "$out/content"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

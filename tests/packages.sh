#!/bin/sh
# The library as packages: CMake and pkg-config from a prefix that was moved, and a pair of Debian packages. What is built is
# run against the emulator. (tests/install.sh holds the pkg-config file itself.)
set -u
cd "$(dirname "$0")/.." || exit 1
here=$PWD
work=$(mktemp -d)
suite=packages logs=$work
. tests/kit.sh
emulator_pid=
clean_up() {
    [ -z "$emulator_pid" ] || kill "$emulator_pid" 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
soname=libcosslice.so.$(sed -n 's/^const ABI: &str = "\(.*\)";/\1/p' build.rs)
strict="-Wall -Wextra -Wpedantic -Werror"

refused() { ! "$@"; }

command -v cmake >/dev/null 2>&1 || install_packages cmake || give_up "cmake is missing; please install it"

stage() { # libdir destdir
    ${MAKE:-make} --no-print-directory install PREFIX=/usr LIBDIR="$1" DESTDIR="$2" >"$work/log" 2>&1 || {
        cat "$work/log"
        give_up "make install"
    }
}

# --- what the programs upload to

emulator=${COSSLICE_EMULATOR:-build/bin/cosslice-emulator}
start_emulator
COSSLICE_ENDPOINT=http://127.0.0.1:$(cat "$work/port")/files/v2
export COSSLICE_ENDPOINT COSSLICE_APP_ID=1250000000 COSSLICE_BUCKET=bkt COSSLICE_SECRET_ID=AKIDEXAMPLE \
    COSSLICE_SECRET_KEY=examplesecretkey

objects=0
# Uploads under a name of its own; then other content is refused there, because it is taken.
uploads() { # command...
    objects=$((objects + 1))
    "$@" "$work/content" "$target/$objects" && refused "$@" "$work/other" "$target/$objects"
}
target=/uploads

needs_shared() { readelf -d "$1" | grep -q "NEEDED.*\[$soname\]"; }
needs_none() { ! readelf -d "$1" | grep -q "NEEDED.*libcosslice"; }

# --- CMake

mkdir "$work/project" "$work/question"
cat >"$work/project/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.5...3.25)
project(user C CXX)
set(CMAKE_C_STANDARD 99)
set(CMAKE_CXX_STANDARD 17)
find_package(cosslice ${WANTED} CONFIG REQUIRED COMPONENTS shared static)
find_package(cosslice CONFIG REQUIRED) # a second time, as from two parts of a program
foreach(kind cosslice static)
  add_executable(c-${kind} ${SOURCES}/tests/c/installed.c)
  add_executable(c-postcard-${kind} ${SOURCES}/bindings/c/postcard.c)
  add_executable(cpp-postcard-${kind} ${SOURCES}/bindings/cpp/postcard.cpp)
  foreach(program c-${kind} c-postcard-${kind} cpp-postcard-${kind})
    target_link_libraries(${program} PRIVATE cosslice::${kind})
  endforeach()
endforeach()
CMAKE
cat >"$work/question/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.5...3.25)
project(question C)
find_package(cosslice ${WANTED} CONFIG REQUIRED)
message(STATUS "is ${cosslice_VERSION}")
CMAKE

# The environment may name other places.
configure() { # prefix source build argument...
    prefix=$1 source=$2 build=$3
    shift 3
    env -u CMAKE_PREFIX_PATH -u cosslice_DIR -u CPATH -u LIBRARY_PATH cmake -S "$source" -B "$build" -DCMAKE_PREFIX_PATH="$prefix" \
        -DSOURCES="$here" -DCMAKE_C_FLAGS="$strict" -DCMAKE_CXX_FLAGS="$strict" "$@"
}

by_cmake() { # what prefix
    build=$work/by-cmake
    rm -rf "$build"
    check "$1: CMake finds it" configure "$2" "$work/project" "$build" -DWANTED="$version" || return
    check "$1: found where it lies" grep -q "cosslice_DIR:PATH=$2/" "$build/CMakeCache.txt"
    check "$1: CMake builds C and C++, shared and static" cmake --build "$build" || return
    for kind in cosslice static; do
        check "$1: C runs ($kind)" "$build/c-$kind"
        check "$1: C uploads ($kind)" uploads "$build/c-postcard-$kind"
        check "$1: C++ uploads ($kind)" uploads "$build/cpp-postcard-$kind"
    done
    for program in c c-postcard cpp-postcard; do
        check "$1: $program needs the shared library by its SONAME" needs_shared "$build/$program-cosslice"
        check "$1: $program needs none with the static one" needs_none "$build/$program-static"
    done
}

stage /usr/lib "$work/staged"
mv "$work/staged/usr" "$work/moved" # the files must follow their folder wherever it goes
head -c 3000000 "$work/moved/lib/libcosslice.a" >"$work/content"
tail -c 3000000 "$work/moved/lib/libcosslice.a" >"$work/other"
by_cmake "moved prefix" "$work/moved"

minor=${version%.*}
series=0
for wanted in "" "$minor" "$version;EXACT" "$minor...99"; do
    series=$((series + 1))
    check "version: a wish for \"$wanted\" is met" configure "$work/moved" "$work/question" "$work/q$series" -DWANTED="$wanted"
done
for wanted in 99 "$minor.999" "${version%%.*}.999" "$minor.999;EXACT" "0.0.1" "98...99"; do
    series=$((series + 1))
    check "version: a wish for \"$wanted\" is not" refused configure "$work/moved" "$work/question" "$work/q$series" -DWANTED="$wanted"
done
cp -a "$work/moved" "$work/half"
rm "$work/half/lib/libcosslice.a"
check "components: only the shared library there" configure "$work/half" "$work/question" "$work/h1" -DWANTED="COMPONENTS;shared"
check "components: a missing one is missed" refused configure "$work/half" "$work/question" "$work/h2" -DWANTED="COMPONENTS;static"
check "components: either will do when none is named" configure "$work/half" "$work/question" "$work/h3"
rm "$work/half/lib/libcosslice.so"
check "components: none there at all" refused configure "$work/half" "$work/question" "$work/h4"

# --- pkg-config, the examples of bindings/c and bindings/cpp

by_pkg_config() { # what pkgconfig-folder libdir
    export PKG_CONFIG_LIBDIR="$2"
    mkdir -p "$work/by-pc"
    # shellcheck disable=SC2046,SC2086 # lists of words
    {
        check "$1: pkg-config builds postcard" ${CC:-cc} -std=c99 $strict bindings/c/postcard.c -o "$work/by-pc/postcard" \
            $(pkg-config --cflags --libs cosslice)
        check "$1: pkg-config builds signer" ${CC:-cc} -std=c99 $strict bindings/c/signer.c -o "$work/by-pc/signer" \
            $(pkg-config --cflags --libs cosslice)
        check "$1: pkg-config builds cosslice-put" ${CC:-cc} -std=c99 $strict bindings/c/cosslice-put.c bindings/c/put/*.c \
            -o "$work/by-pc/cosslice-put" $(pkg-config --cflags --libs cosslice)
        check "$1: pkg-config builds C++" ${CXX:-c++} -std=c++17 $strict bindings/cpp/progress.cpp -o "$work/by-pc/progress" \
            $(pkg-config --cflags --libs cosslice)
        check "$1: pkg-config builds statically" ${CC:-cc} -std=c99 $strict bindings/c/signer.c -o "$work/by-pc/signer-static" \
            $(pkg-config --cflags cosslice) "$3/libcosslice.a" $(sed -n 's/^Libs.private: *//p' "$2/cosslice.pc")
    }
    for program in postcard signer progress; do
        check "$1: $program uploads" uploads env LD_LIBRARY_PATH="$3" "$work/by-pc/$program"
    done
    target=bkt/uploads
    check "$1: cosslice-put uploads" uploads env LD_LIBRARY_PATH="$3" "$work/by-pc/cosslice-put"
    target=/uploads
    check "$1: static signer uploads" uploads "$work/by-pc/signer-static"
    check "$1: needs the shared library by its SONAME" needs_shared "$work/by-pc/postcard"
    check "$1: static one needs none" needs_none "$work/by-pc/signer-static"
    unset PKG_CONFIG_LIBDIR
}

by_pkg_config "moved prefix" "$work/moved/lib/pkgconfig" "$work/moved/lib"

# --- Debian

debian() {
    triplet=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || ${CC:-cc} -print-multiarch)
    lib=/usr/lib/$triplet
    arch=$(dpkg --print-architecture)
    SOURCE_DATE_EPOCH=1700000000 # somebody may commit between two builds
    export SOURCE_DATE_EPOCH
    runtime=libcosslice${soname#libcosslice.so.}
    stage "$lib" "$work/deb-staged"
    check "deb: packed" bindings/c/deb.sh "$work/deb" "$work/deb-staged" || return
    one=$work/deb/${runtime}_${version}_$arch.deb
    two=$work/deb/libcosslice-dev_${version}_$arch.deb
    check "deb: named after SONAME, version and architecture" test -f "$one" -a -f "$two" || return
    check "deb: packed again, the same to the byte" sh -c "bindings/c/deb.sh '$work/deb2' '$work/deb-staged' &&
        cmp '$one' '$work/deb2/$(basename "$one")' && cmp '$two' '$work/deb2/$(basename "$two")'"

    field() { dpkg-deb -f "$1" "$2"; }
    check "deb: version" test "$(field "$one" Version) $(field "$two" Version)" = "$version $version"
    check "deb: the runtime depends on libc6 and libgcc-s1" sh -c \
        "dpkg-deb -f '$one' Depends | grep -qE '^libc6 \(>= 2\.[0-9]+\), libgcc-s1 \(>= [0-9.]+\)$'"
    check "deb: -dev depends on this very runtime" sh -c "dpkg-deb -f '$two' Depends | grep -qF '$runtime (= $version)'"
    check "deb: one for each architecture at a time" test "$(field "$one" Multi-Arch) $(field "$two" Multi-Arch)" = "same same"
    dpkg-deb -c "$one" | awk '{ print $6 }' | sed 's|^\.||' >"$work/one.list"
    dpkg-deb -c "$two" | awk '{ print $6 }' | sed 's|^\.||' >"$work/two.list"
    for name in "$lib/libcosslice.so.$version" "$lib/$soname" "/usr/share/doc/$runtime/copyright"; do
        check "deb: runtime has $name" grep -qxF "$name" "$work/one.list"
    done
    check "deb: runtime has nothing to build with" sh -c "! grep -E '\.(h|hpp|a|pc|cmake|so)$' '$work/one.list'"
    for name in /usr/include/cosslice.h /usr/include/cosslice.hpp "$lib/libcosslice.so" "$lib/libcosslice.a" \
        "$lib/pkgconfig/cosslice.pc" "$lib/cmake/cosslice/cosslice-config.cmake" "$lib/cmake/cosslice/cosslice-config-version.cmake"; do
        check "deb: -dev has $name" grep -qxF "$name" "$work/two.list"
    done
    check "deb: no file is in both" sh -c \
        "grep -v '/$' '$work/one.list' | sort >'$work/one.sorted' && ! grep -v '/$' '$work/two.list' | grep -xFf '$work/one.sorted'"
    check "deb: files belong to root" sh -c "! { dpkg-deb -c '$one'; dpkg-deb -c '$two'; } | awk '{ print \$2 }' | grep -v '^root/root$'"

    root=$work/root
    if [ "$(id -u)" = 0 ]; then
        # This machine's packages are the ones that the dependencies are checked against.
        mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/triggers"
        cp /var/lib/dpkg/status "$root/var/lib/dpkg/status"
        cp /var/lib/dpkg/arch "$root/var/lib/dpkg/arch" 2>/dev/null
        manage() { dpkg --root="$root" --log="$work/dpkg.log" "$@"; }
        check "deb: -dev does not install alone" refused manage -i "$two"
        check "deb: both install" manage -i "$one" "$two" || return
        check "deb: the installed files are those that were packed" sh -c \
            "test -z \"\$(dpkg --root='$root' --log='$work/dpkg.log' --verify '$runtime' libcosslice-dev)\""
    else
        check "deb: both unpack" sh -c "dpkg-deb -x '$one' '$root' && dpkg-deb -x '$two' '$root'" || return
    fi
    by_cmake "deb" "$root/usr"
    by_pkg_config "deb" "$root$lib/pkgconfig" "$root$lib"
    if [ "$(id -u)" = 0 ]; then
        check "deb: both go" manage -P libcosslice-dev "$runtime"
        check "deb: nothing stays" sh -c "! find '$root/usr' ! -type d | grep ."
    fi
}

if command -v dpkg-deb >/dev/null 2>&1; then
    debian
else
    echo "       Debian packages are left out: there is no dpkg-deb here"
fi

kill "$emulator_pid"
check "the emulator ends in peace" wait "$emulator_pid"
emulator_pid=
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

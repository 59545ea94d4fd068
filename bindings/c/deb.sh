#!/bin/sh
# Packs two Debian packages with dpkg-deb: the runtime, named after the SONAME, and what programs are built with.
#
#     bindings/c/deb.sh [OUT [STAGED]]      into OUT, build/deb by default
#
# STAGED is what `make install PREFIX=/usr LIBDIR=/usr/lib/TRIPLET DESTDIR=STAGED` made; without it that is run first. All that
# is staged and is not the runtime goes into the -dev package. DEB_ARCH, DEB_MAINTAINER and SOURCE_DATE_EPOCH are heeded; with the
# same of each the packages are the same to the byte.
set -eu
cd "$(dirname "$0")/../.."
out=${1:-build/deb}
staged=${2:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "deb.sh: $*" >&2
    exit 1
}

for tool in dpkg-deb readelf gzip md5sum; do
    command -v $tool >/dev/null 2>&1 || fail "$tool is missing"
done
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
arch=${DEB_ARCH:-$(dpkg --print-architecture)}
maintainer=${DEB_MAINTAINER:-libcosslice maintainers <maintainers@libcosslice.invalid>}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

if [ -z "$staged" ]; then
    triplet=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || ${CC:-cc} -print-multiarch)
    [ -n "$triplet" ] || fail "the multiarch triplet is not known"
    staged=$work/staged
    ${MAKE:-make} --no-print-directory install PREFIX=/usr LIBDIR="/usr/lib/$triplet" DESTDIR="$staged" >/dev/null
fi
real=$(find "$staged/usr/lib" -type f -name 'libcosslice.so.*')
[ -f "$real" ] || fail "there is not exactly one shared library in $staged"
libdir=$(dirname "${real#"$staged"}")
soname=$(readelf -d "$real" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
abi=${soname#libcosslice.so.}
[ -n "$soname" ] && [ -e "$staged$libdir/$soname" ] || fail "no link by the SONAME \"$soname\""
runtime=libcosslice$abi

# Who has the libraries that it needs, from which version on.
symbol_version() { # prefix
    readelf -V "$real" | sed -n "s/.*Name: $1_\([0-9.]*\) .*/\1/p" | sort -V | tail -n 1
}
depends() {
    needs_libc='' needs_gcc=''
    for library in $(readelf -d "$real" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
        case $library in
        libc.so.6 | libm.so.6 | libdl.so.2 | librt.so.1 | libpthread.so.0 | libutil.so.1 | ld-linux*) needs_libc=1 ;;
        libgcc_s.so.1) needs_gcc=1 ;;
        *) fail "it is not known which package has $library" ;;
        esac
    done
    [ -z "$needs_libc" ] || printf 'libc6 (>= %s)' "$(symbol_version GLIBC)"
    [ -z "$needs_gcc" ] || printf ', libgcc-s1 (>= %s)' "$(symbol_version GCC | sed 's/\.0$//')"
}

# Debian's library files are not executable.
copy() { # from to
    mkdir -p "$(dirname "$2")"
    cp -P "$1" "$2"
    [ -L "$2" ] || chmod 644 "$2"
}

finish() { # package; control fields on standard input
    root=$work/$1
    doc=$root/usr/share/doc/$1
    mkdir -p "$doc" "$root/DEBIAN"
    cp LICENSE "$doc/copyright"
    {
        echo "libcosslice ($version) unstable; urgency=medium"
        printf '\n  * What has changed is told by CHANGELOG.md of the sources.\n\n'
        echo " -- $maintainer  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")"
    } | gzip -9n >"$doc/changelog.gz"
    chmod 644 "$doc"/*
    (cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
    {
        echo "Package: $1"
        echo "Source: libcosslice"
        echo "Version: $version"
        echo "Architecture: $arch"
        echo "Multi-Arch: same"
        echo "Maintainer: $maintainer"
        echo "Installed-Size: $(find "$root/usr" -type f -printf '%k\n' | awk '{ n += $1 } END { print n + 0 }')"
        cat
    } >"$root/DEBIAN/control"
    chmod 644 "$root"/DEBIAN/*
    find "$root" -type d -exec chmod 755 {} +
    dpkg-deb --build --root-owner-group "$root" "$out/$1_${version}_$arch.deb" >/dev/null
    echo "$out/$1_${version}_$arch.deb"
}

mkdir -p "$out"
(cd "$staged" && find usr ! -type d) | while IFS= read -r name; do
    case /$name in
    "$libdir"/libcosslice.so.*) copy "$staged/$name" "$work/$runtime/$name" ;;
    *) copy "$staged/$name" "$work/libcosslice-dev/$name" ;;
    esac
done

mkdir -p "$work/$runtime/DEBIAN"
echo "activate-noawait ldconfig" >"$work/$runtime/DEBIAN/triggers"
echo "libcosslice $abi $runtime (>= $version)" >"$work/$runtime/DEBIAN/shlibs"
needed=$(depends)
finish "$runtime" <<CONTROL
Section: libs
Priority: optional
Depends: $needed
Description: upload large objects to Tencent COS - shared library
 Uploads in parallel slices through the v4 slice API, in bounded memory, with
 resume after an interruption, instant upload of what is there already, and a
 check that what arrived is what was sent.
CONTROL
finish libcosslice-dev <<CONTROL
Section: libdevel
Priority: optional
Depends: $runtime (= $version), libc6-dev
Description: upload large objects to Tencent COS - development files
 Headers for C and C++, the static library, and files for pkg-config and CMake
 of libcosslice, which uploads through the v4 slice API of Tencent COS.
CONTROL

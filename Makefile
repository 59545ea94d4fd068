# Everything a user or CI does. Artifacts go to build/, cargo's own files to target/.
#
#   make demo [FILE=...]                build, upload a file to a local emulator, fetch it back, compare
#   make test                           all tests
#   make check                          longer: valgrind, sanitizers, fuzzing
#   make docs                           build/docs: the book, and the reference from the header
#   make bench                          what an upload costs, against the floor and libcurl
#   make lib                            build/lib: shared and static library
#   make small                          build/small: the shared library with a standard library of its own, a quarter smaller
#   make header                         include/cosslice.h from src/ffi
#   make install [PREFIX=] [DESTDIR=]   headers, libraries, pkg-config file, CMake package
#   make deb                            Debian packages in build/deb

CARGO   ?= cargo
CC      ?= cc
PYTHON  ?= python3
CFLAGS  ?= -O2
CFLAGS_STRICT = -std=c99 -Wall -Wextra -Wpedantic -Werror
PREFIX  ?= /usr/local
DESTDIR ?=
LIBDIR  ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
ABI     := $(shell sed -n 's/^const ABI: &str = "\(.*\)";/\1/p' build.rs)
TARGET  := $(or $(CARGO_TARGET_DIR),target)
BUILD   := build
# Further words for cargo where the libraries are built, such as --no-default-features.
CARGOFLAGS ?=
SONAME  := libcosslice.so.$(ABI)
RUST_SOURCES := $(shell find src tests/emulator/src -name '*.rs') Cargo.toml Cargo.lock build.rs

.PHONY: all lib small header emulator examples demo docs tools test check bench install deb clean fmt lint

all: lib emulator examples

# --- the library ---------------------------------------------------------------------------------------------------

lib: $(BUILD)/lib/libcosslice.so $(BUILD)/lib/libcosslice.a

# Puts a shared library into a folder, under all its names.
define put_library # file folder
	mkdir -p $(2)
	cp --remove-destination $(1) $(2)/libcosslice.so.$(VERSION)
	ln -sf libcosslice.so.$(VERSION) $(2)/$(SONAME)
	ln -sf $(SONAME) $(2)/libcosslice.so
endef

# One build for each kind: an rlib beside the cdylib would turn LTO off.
$(BUILD)/lib/libcosslice.so: $(RUST_SOURCES)
	$(CARGO) rustc --release --locked --lib $(CARGOFLAGS) --crate-type cdylib
	$(call put_library,$(TARGET)/release/libcosslice.so,$(@D))

$(BUILD)/lib/libcosslice.a: $(RUST_SOURCES) | $(BUILD)/lib/libcosslice.so
	$(CARGO) rustc --release --locked --lib $(CARGOFLAGS) --crate-type staticlib
	mkdir -p $(@D)
	cp --remove-destination $(TARGET)/release/libcosslice.a $@

# The standard library that comes ready-made prints backtraces when a program panics, which takes 0.2 MB that this library never
# uses. Built anew without that, and for size, it needs its source, and leave to use what Rust has not made stable.
small:
	set -e; set -- $$(sh tests/std-source.sh); \
	RUSTC=$$1 RUSTC_BOOTSTRAP=1 CARGO_PROFILE_RELEASE_OPT_LEVEL=z $$2 rustc --release --locked --lib $(CARGOFLAGS) --crate-type cdylib \
	    --target-dir $(TARGET)/small --target $$($$1 -vV | sed -n 's/^host: //p') \
	    -Zbuild-std=std,panic_unwind -Zbuild-std-features=panic-unwind,optimize_for_size
	$(call put_library,$(TARGET)/small/*/release/libcosslice.so,$(BUILD)/small)

header:
	BLESS=1 $(CARGO) test --locked --test header

emulator: $(BUILD)/bin/cosslice-emulator

$(BUILD)/bin/cosslice-emulator: $(RUST_SOURCES)
	$(CARGO) build --release --locked -p cosslice-emulator
	mkdir -p $(@D)
	cp --remove-destination $(TARGET)/release/cosslice-emulator $@

# --- C examples ----------------------------------------------------------------------------------------------------

EXAMPLES := $(patsubst bindings/c/%.c,$(BUILD)/bin/%,$(wildcard bindings/c/*.c))

examples: $(EXAMPLES)

LINK_C = -L$(BUILD)/lib -lcosslice -Wl,-rpath,'$$ORIGIN/../lib'

$(BUILD)/bin/cosslice-put: bindings/c/cosslice-put.c $(wildcard bindings/c/put/*.[ch]) include/cosslice.h | $(BUILD)/lib/libcosslice.so
	mkdir -p $(@D)
	$(CC) $(CFLAGS_STRICT) $(CFLAGS) -Iinclude $< $(wildcard bindings/c/put/*.c) -o $@ $(LINK_C)

$(BUILD)/bin/%: bindings/c/%.c include/cosslice.h | $(BUILD)/lib/libcosslice.so
	mkdir -p $(@D)
	$(CC) $(CFLAGS_STRICT) $(CFLAGS) -Iinclude $< -o $@ $(LINK_C)

# --- what people run -----------------------------------------------------------------------------------------------

demo: all
	@sh bindings/c/demo.sh $(if $(FILE),"$(FILE)")

# What the tests need and a fresh machine may lack.
tools:
	@sh tests/tools.sh

test: tools all venv
	$(CARGO) test --locked --workspace
	CC="$(CC)" sh tests/c/run.sh
	sh tests/install.sh
	sh tests/cpp/run.sh g++-17 g++-20-sanitized
	sh tests/packages.sh
	sh tests/android/run.sh
	sh tests/drift/run.sh
	sh tests/node/run.sh
	sh tests/go/run.sh
	sh tests/swift/run.sh
	sh tests/docs/run.sh
	COSSLICE_EMULATOR=$(CURDIR)/$(BUILD)/bin/cosslice-emulator $(VENV)/bin/python -m pytest -q bindings/python

# The book and the reference from the header: build/docs/index.html opens from the disk.
docs:
	sh docs/build.sh

# Longer than `make test`: valgrind, sanitizers, fuzzing, the other builds, every compiler of C++, Swift with a compiler.
check: all
	CC="$(CC)" sh tests/check.sh
	sh tests/cpp/run.sh
	SWIFT=1 sh tests/swift/run.sh
	SWIFT=1 SANITIZE=thread sh tests/swift/run.sh

# Ratios to the machine's floor and to libcurl, side by side in one run.
bench: all
	$(PYTHON) benches/run.py

VENV := $(BUILD)/venv

.PHONY: venv
venv: $(VENV)/.installed

# Not editable: what is tested is the wheel that users get.
$(VENV)/.installed: $(RUST_SOURCES) $(shell find bindings/python -name '*.py' -not -path '*/tests/*') bindings/python/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check './bindings/python[test]'
	touch $@

# --- installing ----------------------------------------------------------------------------------------------------

install: lib
	install -d '$(DESTDIR)$(INCLUDEDIR)' '$(DESTDIR)$(LIBDIR)/pkgconfig'
	install -m 644 include/cosslice.h bindings/cpp/cosslice.hpp '$(DESTDIR)$(INCLUDEDIR)/'
	install -m 755 $(BUILD)/lib/libcosslice.so.$(VERSION) '$(DESTDIR)$(LIBDIR)/'
	ln -sf libcosslice.so.$(VERSION) '$(DESTDIR)$(LIBDIR)/$(SONAME)'
	ln -sf $(SONAME) '$(DESTDIR)$(LIBDIR)/libcosslice.so'
	install -m 644 $(BUILD)/lib/libcosslice.a '$(DESTDIR)$(LIBDIR)/'
	sed -e 's|@VERSION@|$(VERSION)|' \
	    -e "s|@PREFIX@|$$(realpath -m --relative-to='$(LIBDIR)/pkgconfig' '$(PREFIX)')|" \
	    -e "s|@LIBDIR@|$$(realpath -m --relative-to='$(LIBDIR)/pkgconfig' '$(LIBDIR)')|" \
	    -e "s|@INCLUDEDIR@|$$(realpath -m --relative-to='$(LIBDIR)/pkgconfig' '$(INCLUDEDIR)')|" bindings/c/cosslice.pc.in > '$(DESTDIR)$(LIBDIR)/pkgconfig/cosslice.pc'
	install -d '$(DESTDIR)$(LIBDIR)/cmake/cosslice'
	for name in cosslice-config cosslice-config-version; do \
	    sed -e 's|@VERSION@|$(VERSION)|' -e 's|@SONAME@|$(SONAME)|' \
	        -e "s|@LIBDIR@|$$(realpath -m --relative-to='$(LIBDIR)/cmake/cosslice' '$(LIBDIR)')|" \
	        -e "s|@INCLUDEDIR@|$$(realpath -m --relative-to='$(LIBDIR)/cmake/cosslice' '$(INCLUDEDIR)')|" \
	        bindings/c/cmake/$$name.cmake.in > '$(DESTDIR)$(LIBDIR)/cmake/cosslice/'$$name.cmake || exit 1; \
	done

# A runtime and a development package of Debian, in build/deb.
deb: lib
	sh bindings/c/deb.sh

# --- upkeep --------------------------------------------------------------------------------------------------------

fmt:
	$(CARGO) fmt --all

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

clean:
	rm -rf $(BUILD)
	$(CARGO) clean

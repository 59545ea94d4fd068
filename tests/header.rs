//! `include/cosslice.h` is what `src/ffi` says. `BLESS=1 cargo test --test header` writes it anew.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

fn generate() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let mut out = Vec::new();
    let mut builder = cbindgen::Builder::new().with_config(config);
    // The files of the interface alone: the words of the crate's other constants are not the caller's.
    for file in ["types", "hooks", "config", "upload"] {
        builder = builder.with_src(root.join(format!("src/ffi/{file}.rs")));
    }
    builder.generate().unwrap().write(&mut out);
    let text = String::from_utf8(out).unwrap();
    // Rust's heading for what a caller must keep to reads as well without the mark-up.
    text.replace("/// # Safety", "/// Requires:")
        .replace("// # Safety", "// Requires:")
}

#[test]
fn the_header_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/cosslice.h");
    let fresh = generate();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == fresh,
        "include/cosslice.h is stale: run `make header`"
    );
}

#[test]
fn the_abi_version_is_the_soname_suffix() {
    let build = include_str!("../build.rs");
    let abi = format!(
        "const ABI: &str = \"{}\";",
        cosslice::ffi::COSSLICE_ABI_VERSION
    );
    assert!(build.contains(&abi), "build.rs names another ABI version");
    // cargo-c names the library by a version of its own.
    let library = include_str!("../Cargo.toml")
        .split("[package.metadata.capi.library]")
        .nth(1)
        .unwrap();
    let version = format!("version = \"{}.0.0\"", cosslice::ffi::COSSLICE_ABI_VERSION);
    assert!(library.contains(&version), "cargo-c's library version");
}

#[test]
fn the_documented_ranges_are_those_of_the_table() {
    use cosslice::config::{Kind, TABLE};
    let header =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/include/cosslice.h"))
            .unwrap();
    for spec in TABLE {
        let name = format!("COSSLICE_OPT_{} = {},", spec.name, spec.opt as u32);
        let at = header
            .find(&name)
            .unwrap_or_else(|| panic!("{name} is not in the header"));
        let doc = header[..at]
            .rsplit("COSSLICE_OPT_")
            .next()
            .unwrap()
            .to_string();
        let doc = doc
            .replace("\n     * ", " ")
            .replace("\n    // ", " ")
            .replace('\n', " ");
        if let Kind::Number { min, max, default } = spec.kind {
            if max > 2 {
                assert!(doc.contains(&format!("{min} to {max}")), "{name} {doc}");
                assert!(doc.contains(&format!("Default {default}")), "{name} {doc}");
            } else {
                let words = format!("{default} ");
                let which = doc
                    .split(['.', ';', ','])
                    .find(|part| part.contains("(default)"));
                let which = which.unwrap_or_else(|| panic!("{name} names no default"));
                assert!(which.contains(&words), "{name}: {which}");
            }
        }
    }
}

//! Link arguments that plain cargo has no key for. Writes nothing.

/// The SONAME suffix. A test holds it equal to `COSSLICE_ABI_VERSION`.
const ABI: &str = "1";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    // cargo-c names the library itself.
    let is_unnamed = std::env::var_os("CARGO_FEATURE_CAPI").is_none();
    match os.as_str() {
        "linux" | "android" | "freebsd" | "netbsd" | "openbsd" => {
            if is_unnamed {
                println!("cargo:rustc-link-arg=-Wl,-soname,libcosslice.so.{ABI}");
            }
            // Worker threads and thread-locals may outlive a dlclose() by the host: stay mapped.
            println!("cargo:rustc-link-arg=-Wl,-z,nodelete");
        }
        "macos" | "ios" if is_unnamed => {
            println!("cargo:rustc-link-arg=-Wl,-install_name,@rpath/libcosslice.{ABI}.dylib");
        }
        _ => {}
    }
}

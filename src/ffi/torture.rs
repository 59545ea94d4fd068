//! The fuse of [`crate::torture`] for C tests. Not part of the interface, and only there with the feature.

/// For tests only, with the feature `torture`: a panic inside the library after `moments` further moments, where one may
/// be at the start of each call, each request and each slice. A negative number never.
#[unsafe(no_mangle)]
pub extern "C" fn cosslice_torture(moments: i64) {
    crate::torture::fuse::set(moments);
}

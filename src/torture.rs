//! For tests only: a panic at a chosen moment, to see that none leaves the library. Without the feature `torture` there is
//! nothing here but a function that does nothing.

/// A moment at which a test may want a panic: the start of each call from C, of each request, of each slice.
#[inline]
pub fn moment() {
    #[cfg(feature = "torture")]
    fuse::burn();
}

#[cfg(feature = "torture")]
pub mod fuse {
    //! The fuse that tests set.

    use std::sync::atomic::{AtomicI64, Ordering};

    static LEFT: AtomicI64 = AtomicI64::new(-1);

    /// Panics after `moments` further moments; a negative number never.
    pub fn set(moments: i64) {
        LEFT.store(moments, Ordering::SeqCst);
    }

    pub(super) fn burn() {
        if LEFT.load(Ordering::SeqCst) >= 0 && LEFT.fetch_sub(1, Ordering::SeqCst) == 0 {
            panic!("torture");
        }
    }
}

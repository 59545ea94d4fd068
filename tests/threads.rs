//! Which threads the library starts: none with one slice in flight, at most that many otherwise, and none that stays.
#![cfg(target_os = "linux")]
#![allow(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::undocumented_unsafe_blocks
)]

use std::ffi::{CString, c_void};
use std::ptr::null_mut;

use cosslice::ffi::*;
use cosslice_emulator::{Config, Emulator};

/// Threads of this process that bear the library's name. The emulator's are here too, under other names.
fn ours() -> usize {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|name| name.starts_with("cosslice-"))
        .count()
}

/// Whether all of them end. The kernel lists a thread for a moment after it was joined.
fn all_end() -> bool {
    let start = std::time::Instant::now();
    while ours() > 0 {
        if start.elapsed().as_secs() >= 30 {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

unsafe extern "C" fn count(user: *mut c_void, _: u32, _: u64, _: u64) -> i32 {
    let most = unsafe { &mut *user.cast::<usize>() };
    *most = ours().max(*most);
    0
}

/// The most threads seen while content of eight slices is uploaded.
fn most_threads(endpoint: &str, in_flight: u64, feed: bool) -> usize {
    let mut most = 0usize;
    let text = |config, option: cosslice_option, value: &str| {
        let value = CString::new(value).unwrap();
        let status = unsafe { cosslice_config_set_str(config, option as u32, value.as_ptr()) };
        assert_eq!(status, 0);
    };
    unsafe {
        let mut config = null_mut();
        assert_eq!(cosslice_config_new(&mut config), 0);
        text(config, cosslice_option::COSSLICE_OPT_APP_ID, "1250000000");
        text(config, cosslice_option::COSSLICE_OPT_BUCKET, "bkt");
        text(config, cosslice_option::COSSLICE_OPT_ENDPOINT, endpoint);
        text(
            config,
            cosslice_option::COSSLICE_OPT_SECRET_ID,
            "AKIDEXAMPLE",
        );
        text(
            config,
            cosslice_option::COSSLICE_OPT_SECRET_KEY,
            "examplesecretkey",
        );
        let option = cosslice_option::COSSLICE_OPT_IN_FLIGHT as u32;
        assert_eq!(cosslice_config_set_u64(config, option, in_flight), 0);
        let path = CString::new(format!("/threads-{in_flight}-{feed}")).unwrap();
        let mut upload = null_mut();
        assert_eq!(cosslice_upload_new(config, path.as_ptr(), &mut upload), 0);
        let user = (&raw mut most).cast();
        assert_eq!(
            cosslice_upload_set_progress(upload, Some(count), user, None),
            0
        );
        let data: Vec<u8> = (0..8u32 << 20)
            .map(|i| (i % 251) as u8 ^ in_flight as u8 ^ u8::from(feed))
            .collect();
        if feed {
            assert_eq!(cosslice_upload_init(upload, data.len() as u64), 0);
            assert_eq!(
                cosslice_upload_feed(upload, data.as_ptr().cast(), data.len()),
                0
            );
            assert_eq!(cosslice_upload_finish(upload), 0);
        } else {
            assert_eq!(
                cosslice_upload_buffer(upload, data.as_ptr().cast(), data.len()),
                0
            );
        }
        cosslice_upload_free(upload);
        cosslice_config_free(config);
    }
    most
}

#[test]
fn threads_are_as_many_as_slices_and_none_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = Emulator::start(Config::new(folder.path())).unwrap();
    for feed in [false, true] {
        assert_eq!(
            most_threads(&emulator.endpoint(), 1, feed),
            0,
            "feed: {feed}"
        );
        let most = most_threads(&emulator.endpoint(), 3, feed);
        assert!((1..=3).contains(&most), "{most} threads, feed: {feed}");
        assert!(all_end(), "threads stayed, feed: {feed}");
    }
}

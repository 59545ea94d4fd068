//! The secret key is gone from this process's memory when the handles that knew it are freed.
#![cfg(target_os = "linux")]
#![allow(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::undocumented_unsafe_blocks
)]

use std::ffi::CString;
use std::io::{Read, Seek, SeekFrom};
use std::ptr::null_mut;

use cosslice::ffi::*;

const LEN: usize = 40;

/// The key is made anew where it is needed: nothing in the program holds it, and the search itself must not find itself.
fn key_byte(i: usize) -> u8 {
    b'a' + ((i * 7 + 3) % 25) as u8
}

/// How often the key stands in writable memory.
fn copies() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut memory = std::fs::File::open("/proc/self/mem").unwrap();
    let mut found = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let from = u64::from_str_radix(from, 16).unwrap();
        let to = u64::from_str_radix(to, 16).unwrap();
        // A page at a time: a region may end before its end. The window overlaps by the key's length.
        let mut window = vec![0u8; 4096 + LEN];
        let mut at = from;
        while at < to {
            let want = window.len().min((to - at) as usize);
            if memory.seek(SeekFrom::Start(at)).is_err()
                || memory.read_exact(&mut window[..want]).is_err()
            {
                break;
            }
            found += window[..want]
                .windows(LEN)
                .take(4096)
                .filter(|bytes| bytes.iter().enumerate().all(|(i, b)| *b == key_byte(i)))
                .count();
            // What was read is a copy itself, and must not be found when this very memory comes by.
            window.fill(0);
            at += 4096;
        }
    }
    found
}

#[test]
fn freed_handles_leave_no_key_behind() {
    unsafe {
        let mut config = null_mut();
        assert_eq!(cosslice_config_new(&mut config), 0);
        let text = |option: cosslice_option, value: &str| {
            let value = CString::new(value).unwrap();
            cosslice_config_set_str(config, option as u32, value.as_ptr())
        };
        assert_eq!(text(cosslice_option::COSSLICE_OPT_APP_ID, "1250000000"), 0);
        assert_eq!(text(cosslice_option::COSSLICE_OPT_BUCKET, "bkt"), 0);
        assert_eq!(text(cosslice_option::COSSLICE_OPT_REGION, "gz"), 0);
        assert_eq!(text(cosslice_option::COSSLICE_OPT_SECRET_ID, "AKID"), 0);
        let mut key: Vec<u8> = (0..LEN).map(key_byte).chain([0]).collect();
        let option = cosslice_option::COSSLICE_OPT_SECRET_KEY as u32;
        assert_eq!(
            cosslice_config_set_str(config, option, key.as_ptr().cast()),
            0
        );
        for byte in &mut key {
            std::ptr::write_volatile(byte, 0);
        }
        let mut uploads = [null_mut(); 3];
        for upload in &mut uploads {
            assert_eq!(cosslice_upload_new(config, c"/wipe".as_ptr(), upload), 0);
        }
        assert!(copies() >= 4, "the search must find what is there");
        for upload in uploads {
            cosslice_upload_free(upload);
        }
        cosslice_config_free(config);
        assert_eq!(copies(), 0, "copies of the key stayed behind");
    }
}

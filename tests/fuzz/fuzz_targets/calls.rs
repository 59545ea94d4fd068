//! Functions of the C interface in any order, against the emulator: statuses, never a panic.
#![no_main]

use std::ffi::{CString, c_char};
use std::ptr::null_mut;
use std::sync::OnceLock;

use cosslice::ffi::*;
use cosslice_emulator::{Config, Emulator};
use libfuzzer_sys::fuzz_target;

const LEN: usize = 200_000;

fn emulator() -> &'static Emulator {
    static EMULATOR: OnceLock<(Emulator, tempfile::TempDir)> = OnceLock::new();
    &EMULATOR
        .get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let mut config = Config::new(folder.path());
            config.settings = config
                .settings
                .with(&serde_json::json!({"slice_sizes": [65536]}))
                .unwrap();
            (Emulator::start(config).unwrap(), folder)
        })
        .0
}

// Two bytes for a call: which one, and what with.
fuzz_target!(|input: &[u8]| {
    if input.len() > 120 {
        return;
    }
    let emulator = emulator();
    emulator.reset().unwrap();
    let data = [b'x'; LEN];
    let ok = |status: cosslice_status| {
        assert!((-19..=0).contains(&status), "status {status}");
        status
    };
    unsafe {
        let mut config = null_mut();
        assert_eq!(cosslice_config_new(&mut config), 0);
        let set = |option: u32, value: &str| {
            let value = CString::new(value).unwrap();
            assert_eq!(cosslice_config_set_str(config, option, value.as_ptr()), 0);
        };
        set(1, "1250000000");
        set(2, "bkt");
        set(4, &emulator.endpoint());
        set(5, "AKIDEXAMPLE");
        set(6, "examplesecretkey");
        for (option, value) in [(101, 65536), (103, 0), (104, 500), (105, 500), (111, 1000)] {
            assert_eq!(cosslice_config_set_u64(config, option, value), 0);
        }
        let mut uploads: [*mut cosslice_upload; 2] = [null_mut(); 2];
        let mut token = CString::default();
        for pair in input.as_chunks::<2>().0 {
            let [which, with] = *pair;
            let upload = &mut uploads[usize::from(which >> 7)];
            let len = usize::from(with) * usize::from(with) * 3 % (LEN + 1);
            match which % 16 {
                0 | 1 => {
                    cosslice_upload_free(*upload);
                    let path: *const c_char = if with % 2 == 0 {
                        c"/a".as_ptr()
                    } else {
                        c"/b".as_ptr()
                    };
                    if ok(cosslice_upload_new(config, path, upload)) != 0 {
                        assert!(upload.is_null());
                    }
                }
                2 => drop(ok(cosslice_upload_hash(*upload, data.as_ptr().cast(), len))),
                3 | 4 => drop(ok(cosslice_upload_init(*upload, len as u64))),
                5 => drop(ok(cosslice_upload_seek(*upload, u64::from(with) * 16384))),
                6..=8 => drop(ok(cosslice_upload_feed(*upload, data.as_ptr().cast(), len))),
                9 | 10 => drop(ok(cosslice_upload_finish(*upload))),
                11 => drop(ok(cosslice_upload_buffer(
                    *upload,
                    data.as_ptr().cast(),
                    len,
                ))),
                12 => cosslice_upload_cancel(*upload),
                13 => drop(ok(cosslice_config_set_u64(
                    config,
                    100 + u32::from(with >> 4),
                    u64::from(with % 16),
                ))),
                14 => {
                    let text = cosslice_upload_get_str(*upload, 11);
                    if with % 2 == 0 {
                        token = std::ffi::CStr::from_ptr(text).to_owned();
                    } else {
                        ok(cosslice_config_set_str(config, 9, token.as_ptr()));
                    }
                }
                _ => {
                    assert!(!cosslice_upload_get_str(*upload, u32::from(with)).is_null());
                    cosslice_upload_get_i64(*upload, u32::from(with));
                }
            }
        }
        for upload in uploads {
            cosslice_upload_free(upload);
        }
        cosslice_config_free(config);
    }
});

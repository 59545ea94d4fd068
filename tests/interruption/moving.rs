//! The file changes while it is uploaded: E_SOURCE_CHANGED, and what was under the name stays there.

use std::fs::{FileTimes, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use cosslice_emulator::Action;
use serde_json::json;

use crate::common::handles::{FINISHING, HASHING, SENDING};
use crate::common::{Beat, Config, Failure, MIB, Server, content, sha1, until};

const PATH: &str = "/moving";
const SIZE: usize = 4 * MIB;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Grows,
    Shrinks,
    Overwritten,
    /// And its time set back, so that only its bytes can tell.
    OverwrittenUnseen,
}

impl Change {
    fn apply(self, path: &Path) {
        let file = OpenOptions::new().write(true).open(path).unwrap();
        let size = SIZE as u64;
        match self {
            Change::Grows => file.write_all_at(b"more", size).unwrap(),
            Change::Shrinks => file.set_len(size - 1).unwrap(),
            _ => file.write_all_at(b"!", size - 1).unwrap(),
        }
        if self == Change::OverwrittenUnseen {
            set_old(path);
        }
    }
}

fn set_old(path: &Path) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    file.set_times(FileTimes::new().set_modified(then)).unwrap();
}

struct Scene {
    server: Server,
    folder: tempfile::TempDir,
    bytes: Vec<u8>,
}

impl Scene {
    fn new() -> Self {
        let bytes = content(7, SIZE);
        let folder = tempfile::tempdir().unwrap();
        let scene = Scene {
            server: Server::start(),
            folder,
            bytes,
        };
        std::fs::write(scene.file(), &scene.bytes).unwrap();
        set_old(&scene.file());
        // What is under the name before.
        scene.config().upload(PATH).buffer(b"old").unwrap();
        scene
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("file")
    }

    fn config(&self) -> Config {
        self.server.config().number("OVERWRITE", 1)
    }

    /// Uploads the file and changes it in the first progress callback that fits.
    fn run(&self, config: Config, change: Change, phase: u32, at: u64) -> Result<(), Failure> {
        let (file, done) = (self.file(), Arc::new(AtomicBool::new(false)));
        let upload = config.upload(PATH);
        let changed = Arc::clone(&done);
        upload.progress(move |beat: Beat| {
            if beat.phase == phase && beat.done >= at && !changed.swap(true, Ordering::SeqCst) {
                change.apply(&file);
            }
            if beat.phase == HASHING {
                // Progress of hashing is told every 40 ms: who takes as long hears of every piece.
                std::thread::sleep(Duration::from_millis(41));
            }
            false
        });
        let outcome = upload.file(&self.file());
        assert!(
            done.load(Ordering::SeqCst),
            "{change:?}: it was not changed"
        );
        outcome
    }

    #[track_caller]
    fn is_untouched(&self) {
        assert_eq!(self.server.object_sha1(PATH), Some(sha1(b"old")));
    }
}

#[test]
fn a_file_that_changes_while_it_is_hashed() {
    for change in [Change::Grows, Change::Shrinks, Change::Overwritten] {
        let scene = Scene::new();
        let outcome = scene.run(scene.config(), change, HASHING, 1);
        assert_eq!(
            outcome.unwrap_err().name(),
            "E_SOURCE_CHANGED",
            "{change:?}"
        );
        scene.is_untouched();
        assert_eq!(
            scene.server.count("upload_slice_init"),
            0,
            "nothing was sent"
        );
    }
}

#[test]
fn a_file_that_changes_while_it_is_sent() {
    use Change::{Grows, Overwritten, OverwrittenUnseen, Shrinks};
    for change in [Grows, Shrinks, Overwritten, OverwrittenUnseen] {
        for (hash, in_flight, at) in [
            (1, 1, 0),
            (1, 1, 2 * MIB),
            (1, 4, 0),
            (0, 1, MIB),
            (0, 4, 0),
        ] {
            if change == OverwrittenUnseen && (hash == 0 || in_flight > 1) {
                // Nothing tells, or the last byte may be out already.
                continue;
            }
            let scene = Scene::new();
            let config = scene
                .config()
                .number("HASH", hash)
                .number("IN_FLIGHT", in_flight);
            let outcome = scene.run(config, change, SENDING, at as u64);
            let case = format!("{change:?}, HASH {hash}, IN_FLIGHT {in_flight}, at {at}");
            assert_eq!(outcome.unwrap_err().name(), "E_SOURCE_CHANGED", "{case}");
            scene.is_untouched();
        }
    }
}

#[test]
fn a_file_that_changes_when_all_of_it_is_out() {
    for change in [Change::Grows, Change::Shrinks, Change::Overwritten] {
        for hash in [1, 0] {
            let scene = Scene::new();
            let config = scene.config().number("HASH", hash);
            // Either is honest: the file as it was is there, or nothing happened.
            match scene.run(config, change, FINISHING, 0) {
                Ok(()) => {
                    let object = scene.server.object_sha1(PATH);
                    assert_eq!(object, Some(sha1(&scene.bytes)), "{change:?}");
                }
                Err(failure) => {
                    assert_eq!(failure.name(), "E_SOURCE_CHANGED", "{change:?}");
                    scene.is_untouched();
                }
            }
        }
    }
}

#[test]
fn a_file_that_is_replaced_is_not_mixed() {
    let scene = Scene::new();
    let (file, other) = (scene.file(), scene.folder.path().join("other"));
    std::fs::write(&other, content(8, SIZE)).unwrap();
    let upload = scene.config().upload(PATH);
    upload.progress(move |beat: Beat| {
        if beat.phase == SENDING && other.exists() {
            std::fs::rename(&other, &file).unwrap();
        }
        false
    });
    upload.file(&scene.file()).unwrap();
    assert_eq!(
        scene.server.object_sha1(PATH),
        Some(sha1(&scene.bytes)),
        "the file that was opened"
    );
}

/// The server holds a slice, the file changes, the slice is sent again.
#[test]
fn a_file_that_changes_while_the_server_is_silent() {
    for change in [Change::Grows, Change::Shrinks, Change::OverwrittenUnseen] {
        let scene = &Scene::new();
        scene.server.faults(json!([
            {"op": "upload_slice_data", "nth": 4, "count": 1, "do": "stall"}]));
        let config = scene
            .config()
            .number("IN_FLIGHT", 1)
            .number("IO_TIMEOUT_MS", 500);
        let outcome = std::thread::scope(|scope| {
            let upload = config.upload(PATH);
            let upload = scope.spawn(move || upload.file(&scene.file()));
            until("the stall", || {
                let requests = scene.server.requests();
                requests.iter().any(|r| r.faults.contains(&Action::Stall))
            });
            change.apply(&scene.file());
            upload.join().unwrap()
        });
        assert_eq!(
            outcome.unwrap_err().name(),
            "E_SOURCE_CHANGED",
            "{change:?}"
        );
        scene.is_untouched();
    }
}

/// Up to SINGLE_MAX a file is read once: what is hashed is what is sent.
#[test]
fn a_small_file_that_changes_is_not_mixed() {
    for phase in [HASHING, SENDING] {
        let scene = Scene::new();
        let config = scene.config().number("SINGLE_MAX", SIZE as u64);
        scene.run(config, Change::Overwritten, phase, 0).unwrap();
        let object = scene.server.object_sha1(PATH);
        assert_eq!(object, Some(sha1(&scene.bytes)));
    }
}

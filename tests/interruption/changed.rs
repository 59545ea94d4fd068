//! The content changes between the tries: never an object mixed of both.

use serde_json::json;

use crate::common::{Config, MIB, Server, content, sha1};
use crate::support::{Job, Mode, Report};

const PATH: &str = "/changed";

/// A server with an unfinished upload, and a folder for files.
struct Scene {
    server: Server,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        Scene {
            server: Server::start(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn config(&self, overwrite: u64) -> Config {
        self.server
            .config()
            .number("OVERWRITE", overwrite)
            .number("RETRIES", 0)
            .number("IN_FLIGHT", 1)
            .number("SINGLE_MAX", 0)
    }

    fn run(&self, mode: Mode, bytes: &[u8], config: Config, token: &str) -> Report {
        let file = self.folder.path().join("content");
        std::fs::write(&file, bytes).unwrap();
        let job = Job {
            mode,
            path: PATH,
            file: &file,
            content: bytes,
            chunk: MIB,
        };
        job.run(config, token, |_| false, &mut |_| {})
    }

    /// An upload that dies after `slices` slices. Its report has the token.
    fn interrupted(&self, mode: Mode, bytes: &[u8], slices: u64) -> Report {
        self.server.faults(json!([
            {"op": "upload_slice_data", "nth": slices + 1, "count": 1000, "do": "drop_before_body"},
            {"op": "upload_slice_finish", "do": "drop_before_body"},
        ]));
        let report = self.run(mode, bytes, self.config(1), "");
        assert_eq!(failed(&report), "E_NETWORK");
        self.server.faults(json!([]));
        assert_eq!(self.stored(), slices);
        report
    }

    fn stored(&self) -> u64 {
        let state = self.server.state();
        state["uploads"][0]["slices_stored"].as_u64().unwrap_or(0)
    }

    fn object(&self) -> Option<String> {
        self.server.object_sha1(PATH)
    }
}

#[track_caller]
fn failed(report: &Report) -> &'static str {
    let failure = report.outcome.as_ref().expect_err("it should have failed");
    assert!(!failure.message.is_empty());
    failure.name()
}

/// Contents of one length: the second one differs from the first in one byte.
fn pair(len: usize, at: usize) -> (Vec<u8>, Vec<u8>) {
    let old = content(1, len);
    let mut new = old.clone();
    new[at] ^= 1;
    (old, new)
}

#[test]
fn a_changed_content_with_a_digest_is_a_conflict_or_a_clean_restart() {
    for mode in [Mode::File, Mode::Buffer, Mode::Hashed, Mode::HashedSeek] {
        // In a slice that is there, and in one that is not.
        for at in [MIB / 2, 4 * MIB - 1] {
            let (old, new) = pair(4 * MIB, at);
            let scene = Scene::new();
            scene.interrupted(mode, &old, 2);
            for overwrite in [0, 1] {
                let report = scene.run(mode, &new, scene.config(overwrite), "");
                assert_eq!(failed(&report), "E_CONFLICT", "{mode:?} {at}");
                assert_eq!((scene.object(), scene.stored()), (None, 2));
            }
            let report = scene.run(mode, &new, scene.config(2), "");
            report.outcome.unwrap();
            assert_eq!(report.resumed.max(0), 0, "{mode:?} {at}");
            assert_eq!(scene.object(), Some(sha1(&new)), "{mode:?} {at}");
        }
    }
}

#[test]
fn the_same_content_goes_on_in_any_mode_that_knows_it() {
    let bytes = content(2, 3 * MIB + 5);
    for first in [Mode::File, Mode::Buffer, Mode::Hashed] {
        for second in [Mode::File, Mode::Buffer, Mode::Hashed, Mode::HashedSeek] {
            let scene = Scene::new();
            scene.interrupted(first, &bytes, 2);
            let report = scene.run(second, &bytes, scene.config(0), "");
            report.outcome.unwrap();
            assert_eq!(report.resumed, 2 * MIB as i64, "{first:?} {second:?}");
            assert_eq!(scene.object(), Some(sha1(&bytes)));
            assert_eq!(scene.server.counter("slices_stored"), 4);
        }
    }
}

#[test]
fn without_a_known_identity_nothing_is_continued() {
    let bytes = content(3, 3 * MIB);
    let scene = Scene::new();
    scene.interrupted(Mode::Plain, &bytes, 2);
    for mode in [Mode::Plain, Mode::File, Mode::Hashed] {
        let report = scene.run(mode, &bytes, scene.config(1), "");
        assert_eq!(failed(&report), "E_CONFLICT", "{mode:?}");
        assert_eq!((scene.object(), scene.stored()), (None, 2), "{mode:?}");
    }
    let report = scene.run(Mode::Plain, &bytes, scene.config(2), "");
    report.outcome.unwrap();
    assert_eq!(report.resumed.max(0), 0);
    assert_eq!(scene.object(), Some(sha1(&bytes)));
}

/// COS deletes object and unfinished upload together: OVERWRITE 2 must not get there.
#[test]
fn what_is_discarded_never_takes_an_object_along() {
    for mode in [Mode::File, Mode::Hashed, Mode::Plain] {
        let (old, new) = pair(3 * MIB, MIB);
        let object = b"what was there before";
        let scene = Scene::new();
        let before = scene.server.config().upload(PATH);
        before.buffer(object).unwrap();
        scene.interrupted(mode, &old, 2);
        let report = scene.run(mode, &new, scene.config(2), "");
        assert_eq!(failed(&report), "E_CONFLICT", "{mode:?}");
        assert_eq!(scene.object(), Some(sha1(object)), "{mode:?}");
        assert_eq!(scene.server.count("delete"), 0, "{mode:?}");
        assert_eq!(scene.stored(), 2, "{mode:?}");
    }
}

#[test]
fn another_length_is_another_content() {
    let bytes = content(9, 4 * MIB);
    for mode in [Mode::File, Mode::Hashed, Mode::Plain] {
        for len in [3 * MIB, 4 * MIB - 1] {
            let scene = Scene::new();
            // All that the shorter one has is there and is the same.
            scene.interrupted(mode, &bytes, 3);
            let report = scene.run(mode, &bytes[..len], scene.config(1), "");
            assert_eq!(failed(&report), "E_CONFLICT", "{mode:?} {len}");
            assert_eq!((scene.object(), scene.stored()), (None, 3));
            let report = scene.run(mode, &bytes[..len], scene.config(2), "");
            report.outcome.unwrap();
            assert_eq!(scene.object(), Some(sha1(&bytes[..len])));
        }
    }
}

#[test]
fn resume_0_never_continues() {
    let bytes = content(4, 3 * MIB);
    let scene = Scene::new();
    scene.interrupted(Mode::File, &bytes, 2);
    let config = scene.config(1).number("RESUME", 0);
    let report = scene.run(Mode::File, &bytes, config, "");
    assert_eq!(failed(&report), "E_CONFLICT");
    let config = scene.config(2).number("RESUME", 0);
    let report = scene.run(Mode::File, &bytes, config, "");
    report.outcome.unwrap();
    assert_eq!(report.resumed.max(0), 0);
    assert_eq!(scene.object(), Some(sha1(&bytes)));
}

#[test]
fn bytes_fed_again_are_held_against_the_token() {
    for at in [0, 2 * MIB - 1, 3 * MIB] {
        let (old, new) = pair(4 * MIB, at);
        let scene = Scene::new();
        let token = scene.interrupted(Mode::Token, &old, 2).token;
        let report = scene.run(Mode::Token, &new, scene.config(1), &token);
        if at < 2 * MIB {
            assert_eq!(failed(&report), "E_SOURCE_CHANGED", "{at}");
            assert_eq!((scene.object(), scene.stored()), (None, 2), "{at}");
            let report = scene.run(Mode::Token, &new, scene.config(2), "");
            report.outcome.unwrap();
        } else {
            // What is there is the same, and what differs never was there.
            report.outcome.unwrap();
            assert_eq!(report.resumed, 2 * MIB as i64);
        }
        assert_eq!(scene.object(), Some(sha1(&new)), "{at}");
    }
}

/// A token that is older than the last slices, as it is after a kill between a slice and the writing of its token.
#[test]
fn slices_that_the_token_does_not_know_are_not_taken_on_trust() {
    // A slice known to neither, one known to the server only, and one behind those.
    for at in [MIB, 2 * MIB - 1, 3 * MIB] {
        for verify in [1, 0] {
            let (old, new) = pair(4 * MIB, at);
            let scene = Scene::new();
            let token = early_token(&scene, &old, 1, 3);
            let config = scene.config(1).number("VERIFY", verify);
            let report = scene.run(Mode::Token, &new, config, &token);
            let mixed = scene.object().filter(|object| *object != sha1(&new));
            assert_eq!(mixed, None, "{at}, VERIFY {verify}: {:?}", report.outcome);
            if let Err(failure) = report.outcome {
                assert_eq!(failure.name(), "E_CONFLICT", "{failure:?}");
                assert_eq!(failure.retryable, 0, "the same again would not help");
                // The way out that it names.
                let config = scene.config(2).number("VERIFY", verify);
                let report = scene.run(Mode::Token, &new, config, "");
                assert!(report.outcome.is_ok(), "{at}: {:?}", report.outcome);
                assert_eq!(scene.object(), Some(sha1(&new)), "{at}");
            }
        }
    }
}

/// Neither are they when the server's list is looked at again in the middle of the upload.
#[test]
fn slices_that_the_token_does_not_know_are_no_better_at_a_second_look() {
    for code in [-290, -4024, -4026] {
        let (old, new) = pair(4 * MIB, 2 * MIB);
        let scene = Scene::new();
        let token = early_token(&scene, &old, 1, 3);
        scene.server.faults(json!([
            {"op": "upload_slice_data", "nth": 1, "do": "code", "code": code, "status": 400}]));
        let config = scene.config(1).number("VERIFY", 0);
        let report = scene.run(Mode::Token, &new, config, &token);
        let mixed = scene.object().filter(|object| *object != sha1(&new));
        assert_eq!(mixed, None, "{code}: {:?}", report.outcome);
    }
}

/// The token as it was when `known` slices had been fed; the upload dies when `stored` are there.
fn early_token(scene: &Scene, bytes: &[u8], known: usize, stored: u64) -> String {
    scene.server.faults(json!([
        {"op": "upload_slice_data", "nth": stored + 1, "count": 1000, "do": "drop_before_body"},
    ]));
    let upload = scene.config(1).upload(PATH);
    upload.init(bytes.len() as u64).unwrap();
    let mut token = upload.text("RESUME_TOKEN");
    for (index, piece) in bytes.chunks(MIB).enumerate() {
        if upload.feed(piece).is_err() {
            break;
        }
        if index + 1 == known {
            token = upload.text("RESUME_TOKEN");
        }
    }
    drop(upload);
    scene.server.faults(json!([]));
    assert_eq!(scene.stored(), stored);
    token
}

/// The same content, and a token that knows less than the server: it ends well.
#[test]
fn an_early_token_of_the_same_content_goes_on() {
    for (known, stored) in [(0, 0), (0, 3), (1, 3), (2, 2)] {
        let bytes = content(5, 4 * MIB);
        let scene = Scene::new();
        let token = early_token(&scene, &bytes, known, stored);
        let report = scene.run(Mode::Token, &bytes, scene.config(1), &token);
        report.outcome.unwrap();
        assert_eq!(scene.object(), Some(sha1(&bytes)));
        let again = scene.server.counter("slices_again");
        assert!(again <= stored - known as u64, "{known} {stored}: {again}");
    }
}

/// What an upload learned of its content does not get lost when the next one dies sooner.
#[test]
fn a_token_never_knows_less_than_the_one_it_came_from() {
    let (old, new) = pair(4 * MIB, 2 * MIB);
    let scene = Scene::new();
    let first = scene.interrupted(Mode::Token, &old, 3).token;
    // The second upload dies after its first feed.
    let config = scene.config(1).text("RESUME_TOKEN", &first);
    let upload = config.upload(PATH);
    upload.init(old.len() as u64).unwrap();
    let at_init = upload.text("RESUME_TOKEN");
    upload.feed(&old[..MIB]).unwrap();
    let after_feed = upload.text("RESUME_TOKEN");
    drop(upload);
    for token in [at_init, after_feed] {
        let report = scene.run(Mode::Token, &new, scene.config(1), &token);
        assert_eq!(failed(&report), "E_SOURCE_CHANGED");
        assert_eq!((scene.object(), scene.stored()), (None, 3));
    }
}

/// Nothing can be mixed with an upload that holds nothing, whatever an old token says.
#[test]
fn an_old_token_does_not_bar_an_empty_upload() {
    let bytes = content(6, 3 * MIB);
    let scene = Scene::new();
    let token = scene.interrupted(Mode::Token, &bytes, 2).token;
    let discarded = scene.run(Mode::Plain, &bytes, scene.config(2), "");
    discarded.outcome.unwrap();
    // Another one is opened, and its reply is lost.
    scene.server.faults(json!([
        {"op": "upload_slice_init", "do": "drop_after_commit"}]));
    let report = scene.run(Mode::Token, &bytes, scene.config(1), &token);
    assert_eq!(failed(&report), "E_NETWORK");
    scene.server.faults(json!([]));
    let report = scene.run(Mode::Token, &bytes, scene.config(1), &token);
    report.outcome.unwrap();
    assert_eq!(scene.object(), Some(sha1(&bytes)));
}

/// Only the finish is missing: the token knows the digest of all, also for a caller who feeds nothing again.
#[test]
fn an_upload_that_lacks_only_its_finish_is_still_verified() {
    for mode in [Mode::Token, Mode::TokenSeek] {
        let bytes = content(10, 3 * MIB + 9);
        let scene = Scene::new();
        let token = scene.interrupted(Mode::Token, &bytes, 4).token;
        let report = scene.run(mode, &bytes, scene.config(1), &token);
        report.outcome.unwrap();
        assert_eq!(report.resumed, bytes.len() as i64, "{mode:?}");
        assert_eq!(scene.object(), Some(sha1(&bytes)), "{mode:?}");
        assert_eq!(report.verified, 1, "{mode:?}");
    }
}

/// The server forgets all of an upload right before its finish.
#[test]
fn an_upload_that_is_gone_at_the_finish() {
    let bytes = content(11, 3 * MIB);
    for hashed in [false, true] {
        let scene = Scene::new();
        let upload = scene.config(1).upload(PATH);
        if hashed {
            upload.hash(&bytes).unwrap();
        }
        upload.init(bytes.len() as u64).unwrap();
        upload.feed(&bytes).unwrap();
        scene.server.reset().unwrap();
        let failure = upload.finish().unwrap_err();
        assert_eq!(failure.name(), "E_SERVER", "{failure:?}");
        assert_eq!(failure.retryable, 1, "{failure:?}");
        assert!(failure.message.contains("upload again"), "{failure:?}");
        assert_eq!(scene.object(), None);
        // Whatever the failed one left behind is no hindrance.
        let report = scene.run(Mode::Plain, &bytes, scene.config(1), "");
        assert!(hashed || report.outcome.is_ok(), "{:?}", report.outcome);
        let mode = Mode::File;
        let report = scene.run(mode, &bytes, scene.config(1), "");
        report.outcome.unwrap();
        assert_eq!(scene.object(), Some(sha1(&bytes)));
    }
}

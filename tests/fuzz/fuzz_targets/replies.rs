//! Any reply to any step: an answer that can be believed, or a fault with a message fit for one line.
#![no_main]

use std::sync::Arc;

use cosslice::config::{MAX_SLICE_SIZE, MAX_SLICES};
use cosslice::error::Status;
use cosslice::hash::{Digest, Tally};
use cosslice::protocol::v4::V4;
use cosslice::protocol::{Answer, Content, Plan, Reply, Step, Wire};
use libfuzzer_sys::fuzz_target;

const STATUSES: [u16; 12] = [200, 204, 206, 301, 400, 401, 403, 404, 409, 500, 502, 503];

// The first byte picks the step, the second one the HTTP status; the rest is the body.
fuzz_target!(|input: &[u8]| {
    let [step, status, body @ ..] = input else {
        return;
    };
    let wire = V4::new("1250000000", "bkt", "/a b", step & 0x40 == 0, "").unwrap();
    let mut tally = Tally::new(1 << 20);
    tally.update(b"content");
    let content = Content {
        size: 5 << 20,
        fingerprint: (step & 0x80 == 0).then(|| Arc::new(tally.finish())),
    };
    let plan = Plan {
        session: "session".into(),
        size: content.size,
        slice_size: 1 << 20,
        serial: false,
        declared: Some(Digest([7; 20])),
    };
    let step = match step % 7 {
        0 => Step::Single(&content),
        1 => Step::Open(&content, 1 << 20),
        2 => Step::Put {
            plan: &plan,
            offset: 1 << 20,
            len: 1 << 20,
        },
        3 => Step::List { expected: 5 },
        4 => Step::Commit(&plan),
        5 => Step::Inspect,
        _ => Step::Discard,
    };
    let reply = Reply {
        status: STATUSES[usize::from(*status) % STATUSES.len()],
        request_id: (*status & 0x80 != 0).then(|| "id".into()),
        date: None,
        body: body.to_vec(),
    };
    match wire.read(&step, &reply) {
        Ok(answer) => {
            assert!((200..300).contains(&reply.status));
            match answer {
                Answer::Opened(plan) => {
                    assert!(matches!(step, Step::Open(..)));
                    assert_eq!(plan.size, content.size);
                    check_plan(&plan);
                }
                Answer::Standing(standing) => {
                    assert!(matches!(step, Step::List { .. }));
                    check_plan(&standing.plan);
                }
                Answer::Accepted { .. } => assert!(matches!(step, Step::Put { .. })),
                Answer::Discarded => assert!(matches!(step, Step::Discard)),
                Answer::Facts(_) => assert!(matches!(step, Step::Inspect)),
                Answer::Instant(_) => assert!(matches!(step, Step::Open(..))),
                Answer::Complete(_) => assert!(matches!(step, Step::List { .. })),
                Answer::Stored(_) => assert!(matches!(step, Step::Single(_) | Step::Commit(_))),
            }
        }
        Err(fault) => {
            let error = fault.error;
            assert!(!matches!(error.status, Status::Ok | Status::Panic));
            assert!(error.message.len() < 4000 && !error.message.is_empty());
            assert!(
                !error.message.chars().any(char::is_control),
                "{:?}",
                error.message
            );
            assert!(!error.server_message.chars().any(char::is_control));
        }
    }
});

fn check_plan(plan: &Plan) {
    assert!(!plan.session.is_empty());
    assert!(plan.slice_size > 0 && plan.slice_size <= MAX_SLICE_SIZE);
    assert!(plan.size.div_ceil(plan.slice_size) <= MAX_SLICES);
}

//! The codes of protocol.md section 7: what can be done about each, as its table says.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use cosslice::error::Status;
use cosslice::protocol::v4::V4;
use cosslice::protocol::{Class, Fault, Reply, Step, Wire, codes};
use serde_json::json;

/// What a reply with this code comes to.
fn read(code: i64, http_status: u16) -> Fault {
    let wire = V4::new("10055004", "accesslog", "/testfolder/111.txt", false, "").unwrap();
    let reply = Reply {
        status: http_status,
        request_id: None,
        date: None,
        body: json!({"code": code, "message": "M"})
            .to_string()
            .into_bytes(),
    };
    wire.read(&Step::Inspect, &reply).unwrap_err()
}

/// Rows of the table: from, to, the letters of its class column.
const TABLE: &[(i64, i64, &str)] = &[
    (-47, -47, "A"),
    (-48, -48, "A"),
    (-59, -59, "A"),
    (-63, -60, "A"),
    (-64, -64, "A"),
    (-65, -65, "C"),
    (-66, -66, "R"),
    (-70, -70, "A"),
    (-71, -71, "R"),
    (-72, -72, "A"),
    (-74, -73, "A"),
    (-75, -75, "C"),
    (-76, -76, "A"),
    (-77, -77, "A"),
    (-78, -78, "C"),
    (-83, -79, "A"),
    (-89, -84, "R"),
    (-95, -94, "S"),
    (-96, -96, "A"),
    (-97, -97, "A"),
    (-99, -98, "R"),
    (-121, -121, "AC"),
    (-133, -133, "C"),
    (-144, -143, "S"),
    (-166, -166, "S"),
    (-147, -147, "C"),
    (-152, -152, "R"),
    (-164, -160, "C"),
    (-165, -165, "C"),
    (-170, -170, "C"),
    (-167, -167, "C"),
    (-169, -169, "C"),
    (-172, -171, "C"),
    (-179, -179, "C"),
    (-168, -168, "IC"),
    (-173, -173, "X"),
    (-174, -174, "I"),
    (-175, -175, "I"),
    (-176, -176, "X"),
    (-177, -177, "X"),
    (-178, -178, "X"),
    (-180, -180, "C"),
    (-182, -182, "C"),
    (-191, -191, "C"),
    (-181, -181, "R"),
    (-190, -190, "R"),
    (-194, -192, "R"),
    (-195, -195, "R"),
    (-196, -196, "R"),
    (-197, -197, "C"),
    (-199, -199, "C"),
    (-285, -283, "C"),
    (-286, -286, "S"),
    (-291, -290, "S"),
    (-289, -289, "A"),
    (-298, -292, "R"),
    (-300, -300, "R"),
    (-4001, -4000, "R"),
    (-4002, -4002, "C"),
    (-4012, -4003, "R"),
    (-4017, -4017, "R"),
    (-4013, -4013, "S"),
    (-4021, -4021, "S"),
    (-4015, -4014, "S"),
    (-4024, -4024, "S"),
    (-4016, -4016, "I"),
    (-4018, -4018, "X"),
    (-4019, -4019, "S"),
    (-4020, -4020, "X"),
    (-4022, -4022, "C"),
    (-4023, -4023, "I"),
    (-4025, -4025, "R"),
    (-4027, -4026, "S"),
    (-5965, -5965, "C"),
    (-5971, -5971, "C"),
    (-5980, -5979, "C"),
    (-5993, -5990, "C"),
    (-5996, -5995, "C"),
    (-5998, -5998, "A"),
    (-5999, -5999, "C"),
    (-5973, -5972, "C"),
    (-5975, -5975, "C"),
    (-5994, -5994, "C"),
    (-5982, -5981, "R"),
    (-5985, -5985, "R"),
    (-5989, -5989, "R"),
    (-5997, -5997, "R"),
    (-5983, -5983, "S"),
    (-5984, -5984, "I"),
    (-6999, -6991, "R"),
    (-6101, -6101, "CS"),
    (-45062, -45062, "CS"),
    (-29094, -29094, "CI"),
    (-9999, -9999, "R"),
];

/// The letters that a class stands for.
fn letters(class: Class) -> &'static str {
    match class {
        Class::Retry | Class::Slow => "R",
        Class::Clock | Class::Auth => "A",
        Class::Lost | Class::Order | Class::Restart | Class::Unfinished => "S",
        Class::Foreign | Class::Exists | Class::Same => "X",
        Class::Integrity | Class::Incomplete => "I",
        Class::NotFound | Class::Final => "C",
    }
}

#[test]
fn every_code_of_section_7_has_the_class_of_the_table() {
    let mut wrong = Vec::new();
    for (from, to, allowed) in TABLE {
        for code in *from..=*to {
            // The number decides, whatever the HTTP status is.
            for status in [200, 400, 403, 404, 409, 500, 503] {
                let fault = read(code, status);
                let letter = letters(fault.class);
                if !allowed.contains(letter) {
                    wrong.push(format!(
                        "{code} with HTTP {status}: {letter}, not {allowed}"
                    ));
                }
                if fault.error.server_code != Some(code) || fault.error.http_status != Some(status)
                {
                    wrong.push(format!("{code} with HTTP {status}: details {fault:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn codes_that_a_flow_depends_on() {
    for (code, class, status) in [
        (-59, Class::Clock, Status::Auth),
        (-96, Class::Clock, Status::Auth),
        (-97, Class::Auth, Status::Auth),
        (-77, Class::Auth, Status::Auth),
        (-71, Class::Slow, Status::Server),
        (-196, Class::Retry, Status::Server),
        (-290, Class::Lost, Status::Server),
        (-4024, Class::Order, Status::Server),
        (-4026, Class::Restart, Status::Server),
        (-4019, Class::Unfinished, Status::Conflict),
        (-4020, Class::Foreign, Status::Conflict),
        (-177, Class::Exists, Status::Exists),
        (-4018, Class::Same, Status::Exists),
        (-197, Class::NotFound, Status::NotFound),
        (-133, Class::NotFound, Status::NotFound),
        (-4016, Class::Integrity, Status::Integrity),
        (-29094, Class::Integrity, Status::Integrity),
        (-175, Class::Incomplete, Status::Integrity),
        (-5999, Class::Final, Status::Server),
    ] {
        let fault = read(code, 200);
        assert_eq!((fault.class, fault.error.status), (class, status), "{code}");
    }
}

#[test]
fn unknown_codes_and_bare_statuses_follow_the_rules() {
    for (status, allowed) in [
        (500, "R"),
        (502, "R"),
        (503, "R"),
        (504, "R"),
        (599, "R"),
        (403, "A"),
        (401, "A"),
        (404, "C"),
        (612, "C"),
        (409, "X"),
        (400, "C"),
        (413, "C"),
        (631, "C"),
        (418, "C"),
    ] {
        for code in [-31337, -1, 7, i64::MIN, i64::MAX] {
            let class = codes::classify(code, status).0;
            assert_eq!(letters(class), allowed, "{code} with HTTP {status}");
        }
        assert_eq!(letters(codes::classify_http(status).0), allowed, "{status}");
    }
    assert_eq!(codes::classify(-31337, 404).0, Class::NotFound);
}

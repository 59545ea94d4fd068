//! What COS's numbers mean and what can be done about them (protocol 7).

use super::Class;
use crate::error::Status;

/// One row: from code, to code (both included), class, words for a person.
type Row = (i64, i64, Class, &'static str);

/// Decided by number first. Order does not matter; ranges do not overlap.
const TABLE: &[Row] = &[
    (-47, -47, Class::Auth, "the signature has no SecretId"),
    (-48, -48, Class::Auth, "COS could not compute the signature"),
    (
        -59,
        -59,
        Class::Clock,
        "the signature has expired; check this machine's clock",
    ),
    (
        -63,
        -60,
        Class::Auth,
        "the signature is for another bucket or file",
    ),
    (-64, -64, Class::Auth, "the account is blocked"),
    (
        -65,
        -65,
        Class::Final,
        "a resume request must not carry data",
    ),
    (-66, -66, Class::Retry, "network trouble inside COS"),
    (-70, -70, Class::Auth, "the signature is for another APP_ID"),
    (-71, -71, Class::Slow, "too many requests"),
    (
        -74,
        -72,
        Class::Auth,
        "the signature is not of the kind this operation needs",
    ),
    (
        -75,
        -75,
        Class::Final,
        "COS does not support this operation",
    ),
    (-76, -76, Class::Auth, "the signature names no file"),
    (-77, -77, Class::Auth, "a one-time signature was used twice"),
    (-78, -78, Class::Final, "the protocol does not match"),
    (-79, -79, Class::Auth, "COS does not know the SECRET_ID"),
    (-80, -80, Class::Auth, "COS does not take the APP_ID"),
    (-81, -81, Class::Auth, "the request carried no signature"),
    (-82, -82, Class::Auth, "COS does not know the APP_ID"),
    (-83, -83, Class::Auth, "COS could not read the signature"),
    (-89, -84, Class::Retry, "routing trouble inside COS"),
    (
        -95,
        -94,
        Class::Lost,
        "COS does not know the upload session",
    ),
    (
        -96,
        -96,
        Class::Clock,
        "the signature has expired; check this machine's clock",
    ),
    (
        -97,
        -97,
        Class::Auth,
        "the signature is wrong; check SECRET_ID and SECRET_KEY",
    ),
    (-99, -98, Class::Retry, "trouble with signatures inside COS"),
    (
        -121,
        -121,
        Class::Auth,
        "the bucket's CORS rules forbid this",
    ),
    (-133, -133, Class::NotFound, "the bucket does not exist"),
    (
        -144,
        -143,
        Class::Restart,
        "the index of the object is damaged",
    ),
    (-147, -147, Class::Final, "the object path is not UTF-8"),
    (-152, -152, Class::Retry, "time-out inside COS"),
    (-164, -160, Class::Final, "COS refuses the object path"),
    (
        -165,
        -165,
        Class::Final,
        "the number of entries asked for is out of range",
    ),
    (
        -166,
        -166,
        Class::Restart,
        "the index of the object is gone",
    ),
    (-167, -167, Class::Final, "the CNAME is bad"),
    (
        -168,
        -168,
        Class::Integrity,
        "COS cannot read the declared SHA-1",
    ),
    (-172, -169, Class::Final, "COS refuses a parameter or quota"),
    (-173, -173, Class::Exists, "the directory is not empty"),
    (
        -174,
        -174,
        Class::Integrity,
        "the SHA-1 of the stored content differs from the declared one",
    ),
    (
        -175,
        -175,
        Class::Incomplete,
        "the size at the end differs from the size at the start, or slices are missing",
    ),
    (-176, -176, Class::Exists, "the bucket exists"),
    (
        -177,
        -177,
        Class::Exists,
        "another object exists under this name; set OVERWRITE to 1 to replace it",
    ),
    (
        -178,
        -178,
        Class::Exists,
        "a directory exists under this name",
    ),
    (-179, -179, Class::Final, "COS refuses the flag"),
    (-180, -180, Class::Final, "COS refuses the object path"),
    (
        -181,
        -181,
        Class::Retry,
        "trouble in the storage behind COS",
    ),
    (-182, -182, Class::Final, "COS refuses a parameter"),
    (-190, -190, Class::Retry, "COS could not delete"),
    (
        -191,
        -191,
        Class::Final,
        "COS refuses the parameters of the URL",
    ),
    (
        -196,
        -192,
        Class::Retry,
        "trouble in the storage behind COS",
    ),
    (
        -197,
        -197,
        Class::NotFound,
        "the object or its parent directory does not exist",
    ),
    (-199, -199, Class::Final, "COS refuses the bucket name"),
    (-283, -283, Class::Final, "the slices are too small"),
    (
        -284,
        -284,
        Class::Final,
        "COS refuses the slice size; leave SLICE_SIZE at 1048576",
    ),
    (-285, -285, Class::Final, "the content is too large"),
    (
        -286,
        -286,
        Class::Lost,
        "COS cannot read the upload session",
    ),
    (-289, -289, Class::Auth, "permission denied"),
    (
        -290,
        -290,
        Class::Lost,
        "COS does not know the upload session",
    ),
    (
        -291,
        -291,
        Class::Order,
        "COS does not take a slice at this offset",
    ),
    (
        -298,
        -292,
        Class::Retry,
        "trouble in the storage behind COS",
    ),
    (-300, -300, Class::Slow, "COS is overloaded"),
    (-4001, -4000, Class::Retry, "trouble inside COS"),
    (-4002, -4002, Class::Final, "COS refuses a parameter"),
    (-4012, -4003, Class::Retry, "trouble inside COS"),
    (
        -4013,
        -4013,
        Class::Lost,
        "COS cannot read the upload session",
    ),
    (
        -4015,
        -4014,
        Class::Order,
        "COS does not take a slice at this offset",
    ),
    (
        -4016,
        -4016,
        Class::Integrity,
        "the SHA-1 of the stored content differs from the declared one",
    ),
    (-4017, -4017, Class::Retry, "trouble inside COS"),
    (-4018, -4018, Class::Same, "this very object exists"),
    (
        -4019,
        -4019,
        Class::Unfinished,
        "an unfinished upload holds the name",
    ),
    (
        -4020,
        -4020,
        Class::Foreign,
        "an unfinished upload of other content holds the name",
    ),
    (
        -4021,
        -4021,
        Class::Lost,
        "COS cannot read the upload session",
    ),
    (-4022, -4022, Class::Final, "COS refuses the path"),
    (
        -4023,
        -4023,
        Class::Integrity,
        "the size differs from the declared one",
    ),
    (-4024, -4024, Class::Order, "the offset went back"),
    (-4025, -4025, Class::Retry, "time-out inside COS"),
    (
        -4027,
        -4026,
        Class::Restart,
        "the index of the object is damaged",
    ),
    (
        -5965,
        -5965,
        Class::Final,
        "COS could not read the list of slices",
    ),
    (-5971, -5971, Class::Final, "COS misses the size"),
    (
        -5973,
        -5972,
        Class::Final,
        "COS does not support this operation",
    ),
    (-5975, -5975, Class::Final, "COS could not read the request"),
    (-5980, -5979, Class::Final, "COS misses a field"),
    (-5982, -5981, Class::Retry, "network trouble inside COS"),
    (
        -5983,
        -5983,
        Class::Lost,
        "COS does not know the upload session",
    ),
    (
        -5984,
        -5984,
        Class::Integrity,
        "the SHA-1 of the stored content differs from the declared one",
    ),
    (-5985, -5985, Class::Retry, "network trouble inside COS"),
    (-5989, -5989, Class::Retry, "network trouble inside COS"),
    (
        -5991,
        -5990,
        Class::Final,
        "COS misses the content, or a slice is too large",
    ),
    (-5993, -5992, Class::Final, "COS could not read the form"),
    (-5994, -5994, Class::Final, "the URL does not match"),
    (
        -5996,
        -5995,
        Class::Final,
        "COS refuses the size or the method",
    ),
    (-5997, -5997, Class::Retry, "network trouble inside COS"),
    (
        -5998,
        -5998,
        Class::Auth,
        "COS could not read the signature",
    ),
    (-5999, -5999, Class::Final, "COS refuses the parameters"),
    (
        -6999,
        -6991,
        Class::Retry,
        "trouble in the storage behind COS",
    ),
    (-6101, -6101, Class::NotFound, "the object does not exist"),
    (-9999, -9999, Class::Retry, "unknown trouble inside COS"),
    (
        -29094,
        -29094,
        Class::Integrity,
        "COS misses the SHA-1 that was declared at the start",
    ),
    (
        -45062,
        -45062,
        Class::Unfinished,
        "the upload is unfinished",
    ),
];

/// What can be done about a code that came with an HTTP status. Codes that nobody has documented are judged by the
/// status (protocol 7, rules).
pub fn classify(code: i64, http_status: u16) -> (Class, &'static str) {
    if let Some(row) = TABLE.iter().find(|row| (row.0..=row.1).contains(&code)) {
        return (row.2, row.3);
    }
    classify_http(http_status)
}

/// What can be done about a reply that has a status only.
pub fn classify_http(http_status: u16) -> (Class, &'static str) {
    match http_status {
        429 | 503 => (Class::Slow, "the server asks to slow down"),
        408 | 500..=599 => (Class::Retry, "the server failed"),
        401 | 403 => (Class::Auth, "the server refused the signature"),
        404 | 612 => (Class::NotFound, "the server found nothing there"),
        409 => (Class::Exists, "the request conflicts with what is there"),
        413 => (
            Class::Final,
            "the request is too large for the server or a proxy",
        ),
        _ => (Class::Final, "the server refused the request"),
    }
}

/// The status a caller gets for a class.
pub fn status(class: Class) -> Status {
    match class {
        Class::Clock | Class::Auth => Status::Auth,
        Class::Exists | Class::Same => Status::Exists,
        Class::Unfinished | Class::Foreign => Status::Conflict,
        Class::Integrity | Class::Incomplete => Status::Integrity,
        Class::NotFound => Status::NotFound,
        Class::Retry | Class::Slow | Class::Lost | Class::Order | Class::Restart | Class::Final => {
            Status::Server
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_do_not_overlap_and_are_the_right_way_round() {
        for (i, a) in TABLE.iter().enumerate() {
            assert!(a.0 <= a.1, "{}..{}", a.0, a.1);
            for b in &TABLE[i + 1..] {
                assert!(a.1 < b.0 || b.1 < a.0, "{} and {}", a.0, b.0);
            }
        }
    }

    #[test]
    fn unknown_codes_follow_the_http_status() {
        assert_eq!(classify(-31337, 500).0, Class::Retry);
        assert_eq!(classify(-31337, 503).0, Class::Slow);
        assert_eq!(classify(-31337, 403).0, Class::Auth);
        assert_eq!(classify(-31337, 404).0, Class::NotFound);
        assert_eq!(classify(-31337, 409).0, Class::Exists);
        assert_eq!(classify(-31337, 400).0, Class::Final);
        assert_eq!(classify(-71, 400).0, Class::Slow, "the number comes first");
    }
}

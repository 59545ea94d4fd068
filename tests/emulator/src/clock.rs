//! Seconds since 1970, and how HTTP writes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

/// RFC 1123, always GMT. A skewed clock stays within the years that HTTP can write.
pub fn http_date(seconds: i64) -> String {
    let seconds = u64::try_from(seconds.min(253_402_300_799)).unwrap_or(0);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates() {
        // The Date line of the init document's sample, whose request id holds 0x59b78e8d.
        assert_eq!(
            super::http_date(0x59b7_8e8d),
            "Tue, 12 Sep 2017 07:36:45 GMT"
        );
        assert_eq!(super::http_date(-1), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(super::http_date(i64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}

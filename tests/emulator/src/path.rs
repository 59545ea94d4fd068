//! Request targets, percent-encoding and the names of objects (protocol 1.5).

use crate::codes::{self, Fail};

/// Decodes `%41` once; an escape that is none stays as it is.
pub fn percent_decode(text: &[u8], plus_is_space: bool) -> Vec<u8> {
    let digit = |b: Option<&u8>| {
        b.and_then(|b| char::from(*b).to_digit(16))
            .and_then(|d| u8::try_from(d).ok())
    };
    let mut out = Vec::with_capacity(text.len());
    let mut i = 0;
    while let Some(&byte) = text.get(i) {
        match (byte, digit(text.get(i + 1)), digit(text.get(i + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                i += 2;
            }
            (b'+', ..) if plus_is_space => out.push(b' '),
            _ => out.push(byte),
        }
        i += 1;
    }
    out
}

/// Encodes all but the unreserved characters and `/`, in upper-case hex.
pub fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                out.push(char::from(byte))
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// `//` counts as `/`: the C++ SDK sends `/files/v2//appid/…`.
pub fn collapse_slashes(bytes: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(bytes.len());
    for &b in bytes {
        if !(b == b'/' && out.last() == Some(&b'/')) {
            out.push(b);
        }
    }
    out
}

/// A request target in its two halves, without scheme and host if it came in absolute form (through a proxy).
pub fn split_target(target: &str) -> (&str, &str) {
    let lower = target.get(..8).unwrap_or(target).to_ascii_lowercase();
    let origin = if lower.starts_with("http://") || lower.starts_with("https:/") {
        let rest = target.split_once("//").map_or("", |(_, rest)| rest);
        rest.find(['/', '?']).map_or("/", |at| &rest[at..])
    } else {
        target
    };
    let origin = origin.split('#').next().unwrap_or("");
    origin.split_once('?').unwrap_or((origin, ""))
}

/// The pairs of a query or of an urlencoded body, decoded.
pub fn pairs(text: &[u8]) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_ {
    text.split(|b| *b == b'&')
        .filter(|p| !p.is_empty())
        .map(|pair| {
            let at = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
            let value = pair.get(at + 1..).unwrap_or(&[]);
            (
                percent_decode(&pair[..at], true),
                percent_decode(value, true),
            )
        })
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Page,
    Control(String),
    /// `api` tells `/files/v2/appid/bucket/…` from the bare form `/appid/bucket/…`.
    Object {
        api: bool,
        appid: String,
        bucket: String,
        path: Vec<u8>,
    },
    Nowhere,
}

pub fn place(raw_path: &str) -> Place {
    let path = collapse_slashes(&percent_decode(raw_path.as_bytes(), false));
    if path == b"/" || path.is_empty() {
        return Place::Page;
    }
    if let Some(rest) = path.strip_prefix(b"/_emulator/") {
        return Place::Control(String::from_utf8_lossy(rest).into_owned());
    }
    let (api, rest) = match path.strip_prefix(b"/files/v2/") {
        Some(rest) => (true, rest),
        None => (false, path.strip_prefix(b"/").unwrap_or(&path)),
    };
    let mut segments = rest.splitn(3, |b| *b == b'/');
    let (Some(appid), Some(bucket)) = (segments.next(), segments.next()) else {
        return Place::Nowhere;
    };
    if appid.is_empty() || bucket.is_empty() {
        return Place::Nowhere;
    }
    let mut path = vec![b'/'];
    path.extend_from_slice(segments.next().unwrap_or(&[]));
    Place::Object {
        api,
        appid: String::from_utf8_lossy(appid).into_owned(),
        bucket: String::from_utf8_lossy(bucket).into_owned(),
        path,
    }
}

/// The name of an object as the server takes it, or why it does not. Directories end with `/`.
pub fn check_name(path: Vec<u8>) -> Result<String, Fail> {
    let name = String::from_utf8(path).map_err(|_| codes::not_utf8())?;
    if name == "/" {
        return Ok(name);
    }
    let bad_char =
        |c: char| matches!(c, '?' | '*' | ':' | '|' | '\\' | '<' | '>' | '"') || c.is_control();
    let inner = name.trim_start_matches('/').trim_end_matches('/');
    if name.contains(bad_char)
        || inner
            .split('/')
            .any(|s| s.trim().is_empty() || s == "." || s == "..")
    {
        return Err(codes::path_illegal());
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let object = |p: &str| match place(split_target(p).0) {
            Place::Object {
                api,
                appid,
                bucket,
                path,
            } => {
                format!("{api} {appid} {bucket} {}", String::from_utf8_lossy(&path))
            }
            other => format!("{other:?}"),
        };
        assert_eq!(
            object("/files/v2/1/b/dir/a%20b%2Bc%7ed?sign=x"),
            "true 1 b /dir/a b+c~d"
        );
        assert_eq!(object("/files/v2//1/b//x"), "true 1 b /x");
        assert_eq!(object("http://h:1/files/v2/1/b/x?op=stat"), "true 1 b /x");
        assert_eq!(object("HTTPS://h/1/b/x+y"), "false 1 b /x+y");
        assert_eq!(object("http://h"), "Page");
        assert_eq!(object("/a"), "Nowhere");
        assert_eq!(object("/files/v2/1/b"), "true 1 b /");
    }

    #[test]
    fn names() {
        for good in ["/a", "/dir/", "/d/ü 中", "/a..b", "/%"] {
            assert_eq!(check_name(good.as_bytes().to_vec()).as_deref(), Ok(good));
        }
        for bad in [
            "/a?", "/a*", "/a:b", "/a|", "/a\\", "/<", "/>", "/\"", "/ /x", "/./x", "/x/..",
            "/\u{7}",
        ] {
            assert_eq!(
                check_name(bad.as_bytes().to_vec()),
                Err(codes::path_illegal()),
                "{bad}"
            );
        }
        assert_eq!(check_name(vec![b'/', 0xff]), Err(codes::not_utf8()));
    }
}

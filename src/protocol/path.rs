//! Object names: what is refused before any traffic, and how a name is written in URLs and signatures (protocol 1.5).

use crate::error::{Error, Status};

/// Characters that COS refuses in names (protocol 1.5).
const REFUSED: &[char] = &['?', '*', ':', '|', '\\', '<', '>', '"'];

/// Longest name in bytes. COS's limit is not documented; URLs beyond a few kilobytes do not arrive anywhere.
const MAX_BYTES: usize = 1024;

/// Checks an object's name and says what is wrong with it.
pub fn check(path: &str) -> Result<(), Error> {
    let refuse = |why: String| {
        Err(Error::new(
            Status::InvalidArg,
            format!("the object path {why}"),
        ))
    };
    if !path.starts_with('/') {
        return refuse("must begin with '/'".into());
    }
    if path.len() > MAX_BYTES {
        return refuse(format!(
            "has {} bytes; at most {MAX_BYTES} are allowed",
            path.len()
        ));
    }
    if path.ends_with('/') {
        return refuse("must not end with '/': that names a directory".into());
    }
    if let Some(bad) = path.chars().find(|c| REFUSED.contains(c)) {
        return refuse(format!("contains {bad:?}, which COS refuses"));
    }
    if path.chars().any(char::is_control) {
        return refuse("contains a control character, which COS refuses".into());
    }
    for segment in path[1..].split('/') {
        if segment.trim().is_empty() {
            return refuse("has an empty segment: two '/' with nothing between them".into());
        }
        if matches!(segment, "." | "..") {
            return refuse(format!("has a segment {segment:?}, which COS refuses"));
        }
    }
    Ok(())
}

/// Percent-encodes a name: every byte but `A-Z a-z 0-9 - _ . ~` and `/`, with upper-case digits. The same text stands in
/// the URL and in the signature's `f`.
pub fn encode(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                out.push(byte as char);
            }
            _ => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                out.push('%');
                out.push(HEX[usize::from(byte >> 4)] as char);
                out.push(HEX[usize::from(byte & 15)] as char);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_protocol_1_5() {
        assert_eq!(
            encode("/dir/a b+c~d*(e)!'&=%41,;:@$#?中é.txt"),
            "/dir/a%20b%2Bc~d%2A%28e%29%21%27%26%3D%2541%2C%3B%3A%40%24%23%3F%E4%B8%AD%C3%A9.txt"
        );
    }

    #[test]
    fn refused_names_say_why() {
        for (path, word) in [
            ("", "begin"),
            ("a", "begin"),
            ("/", "end"),
            ("/a/", "end"),
            ("/a//b", "empty"),
            ("/ /b", "empty"),
            ("/a/./b", "\".\""),
            ("/a/../b", "\"..\""),
            ("/a?b", "'?'"),
            ("/a\"b", "'\"'"),
            ("/a\\b", "'\\\\'"),
            ("/a\nb", "control"),
        ] {
            let error = check(path).unwrap_err();
            assert_eq!(error.status, Status::InvalidArg);
            assert!(error.message.contains(word), "{path:?}: {}", error.message);
        }
        assert!(check(&format!("/{}", "a".repeat(1024))).is_err());
    }

    #[test]
    fn strange_but_lawful_names_pass() {
        for path in [
            "/a b",
            "/a+b~c%d",
            "/中文/😀.bin",
            "/...",
            "/.hidden",
            "/a/b/c",
        ] {
            assert!(check(path).is_ok(), "{path}");
        }
    }
}

//! The fields of a request: multipart as eight SDKs frame it, urlencoded, JSON, or the query (protocol 2).

use crate::codes::{self, Fail};
use crate::path::pairs;
use memchr::memmem;
use std::borrow::Cow;

#[derive(Debug, Clone)]
pub struct Field<'a> {
    pub name: String,
    pub filename: Option<String>,
    pub headers: Vec<(String, String)>,
    pub value: Cow<'a, [u8]>,
}

impl<'a> Field<'a> {
    fn plain(name: &[u8], value: impl Into<Cow<'a, [u8]>>) -> Self {
        let name = String::from_utf8_lossy(name).into_owned();
        Self {
            name,
            filename: None,
            headers: Vec::new(),
            value: value.into(),
        }
    }

    /// Is this the object's data? Some SDKs write `fileContent`.
    pub fn is_content(&self) -> bool {
        self.name.eq_ignore_ascii_case("filecontent")
    }
}

/// Fields in the order of the request.
#[derive(Debug, Clone, Default)]
pub struct Fields<'a>(pub Vec<Field<'a>>);

impl Fields<'_> {
    /// The first field of that name, in whatever case: the JS SDK sends all fields twice when it retries.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|f| f.name.eq_ignore_ascii_case(name))
            .map(|f| f.value.as_ref())
    }

    /// A field as text; an empty one counts as absent (PHP sends an empty insertOnly).
    pub fn text(&self, name: &str) -> Option<&str> {
        let text = std::str::from_utf8(self.bytes(name)?).ok()?.trim();
        (!text.is_empty()).then_some(text)
    }

    /// A number, also as text. `None`: absent; `Some(None)`: not a number.
    pub fn number(&self, name: &str) -> Option<Option<u64>> {
        self.text(name).map(|t| t.parse().ok())
    }
}

/// The boundary of a Content-Type, without quotes.
pub fn boundary_of(content_type: &str) -> Option<String> {
    let mut parameters = content_type
        .split(';')
        .skip(1)
        .filter_map(|p| p.trim().split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    let value = value.trim().trim_matches('"');
    (!value.is_empty()).then(|| value.to_owned())
}

/// Parses a body by its type, and by its looks if the type does not tell; then adds the query's fields.
pub fn parse<'a>(content_type: &str, body: &'a [u8], query: &str) -> Result<Fields<'a>, Fail> {
    let kind = content_type
        .split(';')
        .next()
        .unwrap_or("")
        .trim()
        .to_ascii_lowercase();
    let start = body.trim_ascii_start();
    let mut fields = if let Some(boundary) = boundary_of(content_type) {
        multipart(body, &boundary)?
    } else if start.is_empty() {
        Vec::new()
    } else if kind == "application/json" || start.starts_with(b"{") {
        json(body)?
    } else if let Some(rest) = start.strip_prefix(b"--") {
        let line = rest
            .split(|b| *b == b'\r' || *b == b'\n')
            .next()
            .unwrap_or(rest);
        multipart(body, &String::from_utf8_lossy(line))?
    } else {
        pairs(body)
            .map(|(name, value)| Field::plain(&name, value))
            .collect()
    };
    fields.extend(pairs(query.as_bytes()).map(|(name, value)| Field::plain(&name, value)));
    Ok(Fields(fields))
}

fn json<'a>(body: &[u8]) -> Result<Vec<Field<'a>>, Fail> {
    let Ok(serde_json::Value::Object(map)) = serde_json::from_slice(body) else {
        return Err(codes::form_bad());
    };
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(s) => s.clone(),
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    };
    Ok(map
        .iter()
        .map(|(name, value)| Field::plain(name.as_bytes(), text(value).into_bytes()))
        .collect())
}

fn multipart<'a>(body: &'a [u8], boundary: &str) -> Result<Vec<Field<'a>>, Fail> {
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(&delimiter);
    // The first boundary may stand at the very start or, as .NET sends it, after a CRLF or another preamble.
    let opening = &delimiter.as_bytes()[2..];
    let mut at = if body.starts_with(opening) {
        opening.len()
    } else {
        finder.find(body).ok_or_else(codes::form_bad)? + delimiter.len()
    };
    let mut fields = Vec::new();
    loop {
        let rest = body.get(at..).unwrap_or(&[]);
        if rest.starts_with(b"--") {
            return Ok(fields);
        }
        // Blanks may stand after a boundary.
        let line_end = memmem::find(rest, b"\r\n").ok_or_else(codes::form_bad)?;
        if !rest[..line_end].trim_ascii().is_empty() {
            return Err(codes::form_bad());
        }
        let rest = &rest[line_end..];
        // The CRLF of the boundary may be the first half of the empty line, if a part has no headers at all.
        let head_end = memmem::find(rest, b"\r\n\r\n").ok_or_else(codes::form_bad)?;
        let content_at = at + line_end + head_end + 4;
        let content = body.get(content_at..).ok_or_else(codes::form_bad)?;
        let end = finder.find(content).ok_or_else(codes::form_bad)?;
        fields.push(part(&rest[..head_end], &content[..end]));
        at = content_at + end + delimiter.len();
    }
}

fn part<'a>(head: &[u8], value: &'a [u8]) -> Field<'a> {
    let head = String::from_utf8_lossy(head);
    let headers: Vec<(String, String)> = head
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    let disposition = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-disposition"));
    let (mut name, mut filename) = (String::new(), None);
    for (key, value) in disposition
        .map(|(_, value)| parameters(value))
        .unwrap_or_default()
    {
        match key.as_str() {
            "name" => name = value,
            "filename" => filename = Some(value),
            _ => {}
        }
    }
    Field {
        name,
        filename,
        headers,
        value: Cow::Borrowed(value),
    }
}

/// The parameters of a header value; a quoted one may hold `;` and escaped quotes.
fn parameters(value: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut rest = value.split_once(';').map_or("", |(_, rest)| rest);
    while let Some((key, after)) = rest.split_once('=') {
        let key = key
            .trim_matches(|c: char| c == ';' || c.is_whitespace())
            .to_ascii_lowercase();
        let after = after.trim_start();
        let mut text = String::new();
        rest = if let Some(quoted) = after.strip_prefix('"') {
            let mut chars = quoted.char_indices();
            let mut end = quoted.len();
            while let Some((i, c)) = chars.next() {
                match c {
                    '"' => {
                        end = i + 1;
                        break;
                    }
                    '\\' => text.extend(chars.next().map(|(_, c)| c)),
                    _ => text.push(c),
                }
            }
            &quoted[end..]
        } else {
            let (plain, rest) = after.split_once(';').unwrap_or((after, ""));
            text.push_str(plain.trim());
            rest
        };
        out.push((key, text));
    }
    out
}

/// Looks for a short text field in the beginning of a body, before all of it is here: faults that act early need
/// to know the op.
pub fn peek(body: &[u8], name: &str) -> Option<String> {
    let lower = body.to_ascii_lowercase();
    let marks = [format!("name=\"{name}\""), format!("name={name}\r")];
    let at = marks
        .iter()
        .find_map(|mark| memmem::find(&lower, mark.as_bytes()))?;
    let from = at + memmem::find(&body[at..], b"\r\n\r\n")? + 4;
    let len = memmem::find(&body[from..], b"\r\n")?;
    String::from_utf8(body[from..from + len].to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_parameters() {
        let p = parameters("form-data; filename=\"a;b \\\"c\\\" name=x\"; name=\"op\"; x=y");
        let want = [("filename", "a;b \"c\" name=x"), ("name", "op"), ("x", "y")];
        assert_eq!(p, want.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn bodies_without_their_end_are_refused() {
        let whole = b"--b\r\nContent-Disposition: form-data; name=\"op\"\r\n\r\nx\r\n--b--";
        for len in 1..whole.len() - 1 {
            assert_eq!(
                multipart(&whole[..len], "b").map(|f| f.len()),
                Err(codes::form_bad()),
                "{len}"
            );
        }
        assert_eq!(multipart(whole, "b").map(|f| f.len()), Ok(1));
    }

    #[test]
    fn peeking() {
        let body = b"--b\r\nContent-Disposition: form-data; name=\"op\"; filename=\"op\"\r\n\r\nupload_slice_data\r\n--b";
        assert_eq!(peek(body, "op").as_deref(), Some("upload_slice_data"));
        assert_eq!(peek(&body[..body.len() - 20], "op"), None);
        assert_eq!(peek(body, "offset"), None);
    }
}

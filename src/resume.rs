//! Which slices the server has, whether they are of the same content, and the token that carries that knowledge on.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::hash::{BLOCK, Digest, Fingerprint, State};
use crate::protocol::{Content, Plan, Standing};
use crate::sign::Subject;

/// Which slices of a content are stored.
#[derive(Clone, Debug)]
pub struct SliceSet {
    size: u64,
    slice_size: u64,
    stored: Vec<u64>,
    bytes: u64,
    /// Everything before this slice is stored.
    first_missing: u64,
}

impl SliceSet {
    /// Nothing stored. `slice_size` must not be 0.
    pub fn new(size: u64, slice_size: u64) -> Self {
        let count = size.div_ceil(slice_size.max(1));
        SliceSet {
            size,
            slice_size: slice_size.max(1),
            stored: vec![0; usize::try_from(count.div_ceil(64)).unwrap_or(0)],
            bytes: 0,
            first_missing: 0,
        }
    }

    /// What a list says is stored. A range counts as a slice only when it starts on the grid and has exactly the length
    /// of the slice there (protocol 9.9); a repeated one counts once.
    pub fn from_parts(size: u64, slice_size: u64, parts: &[(u64, u64)]) -> Self {
        let mut set = SliceSet::new(size, slice_size);
        for (offset, len) in parts {
            if offset.is_multiple_of(set.slice_size)
                && *offset < size
                && set.len_at(*offset) == *len
            {
                set.insert(*offset);
            }
        }
        set
    }

    /// Keeps only slices that `other` has too. Slices of another size are other slices.
    pub fn keep_only(&mut self, other: &SliceSet) {
        if other.slice_size != self.slice_size {
            *self = SliceSet::new(self.size, self.slice_size);
            return;
        }
        let mut kept = SliceSet::new(self.size, self.slice_size);
        for index in 0..self.count() {
            let offset = index * self.slice_size;
            if self.contains(offset) && other.contains(offset) {
                kept.insert(offset);
            }
        }
        *self = kept;
    }

    /// Bytes of the slice that starts at `offset`.
    pub fn len_at(&self, offset: u64) -> u64 {
        self.slice_size.min(self.size.saturating_sub(offset))
    }

    /// Notes that the slice at `offset` is stored.
    pub fn insert(&mut self, offset: u64) {
        if self.contains(offset) {
            return;
        }
        let index = offset / self.slice_size;
        if let Some(word) = self.word_mut(index) {
            *word |= 1 << (index % 64);
            self.bytes += self.len_at(index * self.slice_size);
        }
        while self.first_missing < self.count()
            && self.contains(self.first_missing * self.slice_size)
        {
            self.first_missing += 1;
        }
    }

    fn word_mut(&mut self, index: u64) -> Option<&mut u64> {
        self.stored.get_mut(usize::try_from(index / 64).ok()?)
    }

    /// Whether the slice that holds byte `offset` is stored.
    pub fn contains(&self, offset: u64) -> bool {
        let index = offset / self.slice_size;
        let word = usize::try_from(index / 64)
            .ok()
            .and_then(|at| self.stored.get(at));
        index < self.count() && word.is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// Slices in all.
    pub fn count(&self) -> u64 {
        self.size.div_ceil(self.slice_size)
    }

    /// Bytes of every slice but the last.
    pub fn slice_size(&self) -> u64 {
        self.slice_size
    }

    /// Bytes stored.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// First byte that is not stored; the size when all are.
    pub fn next_offset(&self) -> u64 {
        (self.first_missing * self.slice_size).min(self.size)
    }

    /// The first slice at or behind `offset` that is not stored.
    pub fn missing_from(&self, offset: u64) -> Option<u64> {
        let from = offset.div_ceil(self.slice_size).max(self.first_missing);
        (from..self.count())
            .map(|index| index * self.slice_size)
            .find(|offset| !self.contains(*offset))
    }
}

/// What an interrupted push upload leaves behind for the next one: which upload it was, and the chaining state at the end
/// of every slice that was fed, so that the same bytes are known again when they are fed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Digest of the object's id: a token is good for one object.
    pub object: [u8; 20],
    /// The server's handle.
    pub session: String,
    /// Bytes in all.
    pub size: u64,
    /// Bytes of every slice but the last.
    pub slice_size: u64,
    /// What was declared when the upload was opened.
    pub declared: Option<Digest>,
    /// State at the end of each slice fed so far; of the last slice its digest.
    pub ends: Vec<[u8; 20]>,
}

/// Names the form; another one would get another number.
const PREFIX: &str = "cst1.";

impl Token {
    /// A token for an upload.
    pub fn new(subject: &Subject, plan: &Plan, ends: &[[u8; 20]]) -> Self {
        Token {
            object: Digest::of(subject.file_id.as_bytes()).0,
            session: plan.session.clone(),
            size: plan.size,
            slice_size: plan.slice_size,
            declared: plan.declared,
            ends: ends.to_vec(),
        }
    }

    /// Printable ASCII, with a check sum.
    pub fn encode(&self) -> String {
        let mut out = Vec::with_capacity(128 + self.ends.len() * 20);
        out.extend_from_slice(&self.object);
        out.extend_from_slice(&self.size.to_le_bytes());
        out.extend_from_slice(&self.slice_size.to_le_bytes());
        out.push(u8::from(self.declared.is_some()));
        out.extend_from_slice(&self.declared.map_or([0; 20], |digest| digest.0));
        let session = self.session.as_bytes();
        out.extend_from_slice(&u32::try_from(session.len()).unwrap_or(0).to_le_bytes());
        out.extend_from_slice(session);
        for end in &self.ends {
            out.extend_from_slice(end);
        }
        let sum = Digest::of(&out).0;
        out.extend_from_slice(&sum[..8]);
        format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(out))
    }

    /// Reads a token back, or says why it is none.
    pub fn decode(text: &str) -> Result<Token, String> {
        let damaged = || "is damaged or was cut".to_string();
        let body = text
            .trim()
            .strip_prefix(PREFIX)
            .ok_or("is no resume token of this library")?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(body).map_err(|_| damaged())?;
        let (bytes, sum) = bytes.split_last_chunk::<8>().ok_or_else(damaged)?;
        if Digest::of(bytes).0[..8] != sum[..] {
            return Err(damaged());
        }
        let mut reader = Reader(bytes);
        let token = reader.token().ok_or_else(damaged)?;
        let slices = token.size.div_ceil(token.slice_size.max(1));
        if token.slice_size == 0 || token.ends.len() as u64 > slices {
            return Err(damaged());
        }
        Ok(token)
    }

    /// The state or digest at the end of the slice that ends at `end`.
    fn end_at(&self, end: u64) -> Option<[u8; 20]> {
        if end == 0 || (end != self.size && !end.is_multiple_of(self.slice_size)) {
            return None;
        }
        let index = usize::try_from(end.div_ceil(self.slice_size) - 1).ok()?;
        self.ends.get(index).copied()
    }
}

/// Reads fields off the front; `None` when there is not enough left.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn token(&mut self) -> Option<Token> {
        let object = self.array()?;
        let size = u64::from_le_bytes(self.array()?);
        let slice_size = u64::from_le_bytes(self.array()?);
        let [has_digest] = self.array()?;
        let digest = Digest(self.array()?);
        let len = usize::try_from(u32::from_le_bytes(self.array()?)).ok()?;
        let session = String::from_utf8(self.0.get(..len)?.to_vec()).ok()?;
        let (ends, rest) = self.0[len..].as_chunks::<20>();
        rest.is_empty().then(|| Token {
            object,
            session,
            size,
            slice_size,
            declared: (has_digest == 1).then_some(digest),
            ends: ends.to_vec(),
        })
    }
}

/// What is known of a content from before: bytes that come now are held against it.
#[derive(Clone, Debug)]
pub enum Known {
    /// Nothing.
    Nothing,
    /// It was hashed in this process.
    Hashed(Arc<Fingerprint>),
    /// An earlier upload left a token.
    Token(Arc<Token>),
}

/// How the bytes up to an offset must hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The chaining state there.
    State(State),
    /// The digest of everything.
    Digest(Digest),
}

impl Known {
    /// What is known at `offset` of a content of `size` bytes.
    pub fn mark_at(&self, offset: u64, size: u64) -> Option<Mark> {
        match self {
            Known::Nothing => None,
            Known::Hashed(print) if offset == size => Some(Mark::Digest(print.digest)),
            Known::Hashed(print) if offset.is_multiple_of(BLOCK) => {
                print.state_at(offset).map(Mark::State)
            }
            Known::Hashed(_) => None,
            Known::Token(token) => {
                let end = token.end_at(offset)?;
                if offset == size {
                    return Some(Mark::Digest(Digest(end)));
                }
                offset
                    .is_multiple_of(BLOCK)
                    .then_some(Mark::State(State(end)))
            }
        }
    }

    /// The state to go on hashing from at `offset`.
    pub fn state_at(&self, offset: u64, size: u64) -> Option<State> {
        match self.mark_at(offset, size) {
            Some(Mark::State(state)) => Some(state),
            _ => None,
        }
    }
}

/// Whether what stands on the server may be continued.
#[derive(Debug)]
pub enum Verdict {
    /// It is the same content: these slices need not be sent again.
    Same {
        /// The slices.
        stored: SliceSet,
        /// Known by the token, so what is fed is to be held against it.
        by_token: bool,
    },
    /// It is another content, or nobody can tell. Why.
    Other(String),
}

/// Compares what stands on the server with what is known here. The server is the authority on what is stored; that it is
/// the same content must be proven: by the digest it was opened with, or by a token of the upload itself.
pub fn judge(
    standing: &Standing,
    content: &Content,
    token: Option<&Token>,
    subject: &Subject,
) -> Verdict {
    let plan = &standing.plan;
    if plan.size != content.size {
        return Verdict::Other(format!(
            "it has {} bytes, this content has {}",
            plan.size, content.size
        ));
    }
    let stored = SliceSet::from_parts(plan.size, plan.slice_size, &standing.parts);
    if let (Some(theirs), Some(print)) = (plan.declared, &content.fingerprint) {
        if theirs == print.digest {
            return Verdict::Same {
                stored,
                by_token: false,
            };
        }
        return Verdict::Other("its SHA-1 is another one".into());
    }
    if standing.parts.is_empty() && plan.declared.is_none() {
        // Nothing of other content can be in it: it may well be our own, opened when the reply was lost.
        return Verdict::Same {
            stored,
            by_token: false,
        };
    }
    if let Some(token) = token {
        return match token_matches(token, plan, content, subject) {
            Ok(()) => Verdict::Same {
                stored: vouched(token, standing),
                by_token: content.fingerprint.is_none(),
            },
            Err(why) => Verdict::Other(format!("the resume token does not fit: {why}")),
        };
    }
    Verdict::Other("nothing tells whether it is the same content".into())
}

/// The slices that a token vouches for. Later ones may have been sent before the token was written down, but nothing tells
/// what is in them: they are sent again.
fn vouched(token: &Token, standing: &Standing) -> SliceSet {
    let plan = &standing.plan;
    let end = (token.ends.len() as u64).saturating_mul(plan.slice_size);
    let known: Vec<(u64, u64)> = standing
        .parts
        .iter()
        .copied()
        .filter(|(offset, _)| *offset < end)
        .collect();
    SliceSet::from_parts(plan.size, plan.slice_size, &known)
}

fn token_matches(
    token: &Token,
    plan: &Plan,
    content: &Content,
    subject: &Subject,
) -> Result<(), &'static str> {
    if token.object != Digest::of(subject.file_id.as_bytes()).0 {
        return Err("it is for another object");
    }
    if token.session != plan.session {
        return Err("that upload is gone");
    }
    if (token.size, token.slice_size) != (plan.size, plan.slice_size) {
        return Err("the sizes differ");
    }
    if let Some(print) = &content.fingerprint {
        let known = Known::Hashed(Arc::clone(print));
        for (index, end) in token.ends.iter().enumerate() {
            let offset = ((index as u64 + 1) * token.slice_size).min(token.size);
            let same = match known.mark_at(offset, token.size) {
                Some(Mark::State(state)) => state.0 == *end,
                Some(Mark::Digest(digest)) => digest.0 == *end,
                None => true,
            };
            if !same {
                return Err("the content differs");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Tally;

    fn subject(file_id: &str) -> Subject {
        Subject {
            app_id: "1".into(),
            bucket: "b".into(),
            path: "/f".into(),
            file_id: file_id.into(),
        }
    }

    fn plan(size: u64, declared: Option<Digest>) -> Plan {
        Plan {
            session: "s".into(),
            size,
            slice_size: 100,
            serial: false,
            declared,
        }
    }

    fn content(data: &[u8], hashed: bool) -> Content {
        let mut tally = Tally::new(64);
        tally.update(data);
        Content {
            size: data.len() as u64,
            fingerprint: hashed.then(|| Arc::new(tally.finish())),
        }
    }

    #[test]
    fn only_whole_slices_on_the_grid_count() {
        let parts = [
            (0, 100),
            (100, 99),
            (250, 100),
            (300, 50),
            (300, 100),
            (0, 100),
            (400, 100),
            (u64::MAX, 1),
        ];
        let set = SliceSet::from_parts(350, 100, &parts);
        assert_eq!(set.count(), 4);
        assert!(set.contains(0) && set.contains(99) && set.contains(349));
        assert!(!set.contains(100) && !set.contains(400));
        assert_eq!(set.bytes(), 150);
        assert_eq!(set.next_offset(), 100);
        assert_eq!(set.missing_from(0), Some(100));
        assert_eq!(set.missing_from(101), Some(200));
        assert_eq!(set.missing_from(300), None);
    }

    #[test]
    fn a_full_set_has_nothing_missing() {
        let mut set = SliceSet::new(350, 100);
        for offset in [300, 0, 200, 100, 100] {
            set.insert(offset);
        }
        assert_eq!((set.bytes(), set.next_offset()), (350, 350));
        assert_eq!(set.missing_from(0), None);
        assert_eq!(SliceSet::new(0, 100).missing_from(0), None);
    }

    #[test]
    fn tokens_read_back_and_damage_is_seen() {
        let token = Token::new(
            &subject("/1/b/f"),
            &plan(350, Some(Digest([7; 20]))),
            &[[1; 20], [2; 20]],
        );
        let text = token.encode();
        assert!(text.bytes().all(|b| b.is_ascii_graphic()));
        assert_eq!(Token::decode(&text).unwrap(), token);
        for cut in 0..text.len() {
            assert!(Token::decode(&text[..cut]).is_err());
        }
        let mut bytes = text.into_bytes();
        for at in 0..bytes.len() {
            let was = bytes[at];
            bytes[at] = if was == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes.clone()).unwrap();
            // The last character's unused bits may hide a change; the decoder refuses those too.
            assert!(Token::decode(&changed).is_err(), "at {at}");
            bytes[at] = was;
        }
    }

    #[test]
    fn identity_must_be_proven() {
        let data = vec![5; 350];
        let print = content(&data, true);
        let digest = print.fingerprint.as_ref().unwrap().digest;
        let stand = |size, declared, parts: &[(u64, u64)]| Standing {
            plan: plan(size, declared),
            parts: parts.to_vec(),
        };
        let part = &[(0, 100)][..];
        let subject = subject("/1/b/f");
        let same = |s: &Standing, c: &Content, t: Option<&Token>| {
            matches!(judge(s, c, t, &subject), Verdict::Same { .. })
        };
        let unknown = content(&data, false);
        assert!(same(&stand(350, Some(digest), part), &print, None));
        assert!(!same(&stand(351, Some(digest), part), &print, None));
        assert!(!same(
            &stand(350, Some(Digest([0; 20])), part),
            &print,
            None
        ));
        assert!(!same(&stand(350, None, part), &print, None));
        assert!(!same(&stand(350, None, part), &unknown, None));
        assert!(!same(&stand(350, Some(digest), &[]), &unknown, None));
        assert!(same(&stand(350, None, &[]), &unknown, None));
        let token = Token::new(&subject, &plan(350, None), &[]);
        assert!(same(&stand(350, None, part), &unknown, Some(&token)));
        let other = Token {
            session: "t".into(),
            ..token
        };
        assert!(!same(&stand(350, None, part), &unknown, Some(&other)));
    }

    #[test]
    fn marks_are_known_at_the_borders_only() {
        let data: Vec<u8> = (0..1000).map(|i| i as u8).collect();
        let mut tally = Tally::new(128);
        tally.update(&data);
        let print = Arc::new(tally.finish());
        let known = Known::Hashed(Arc::clone(&print));
        assert_eq!(known.mark_at(128, 1000), Some(Mark::State(print.states[0])));
        assert_eq!(known.mark_at(130, 1000), None);
        assert_eq!(known.mark_at(1000, 1000), Some(Mark::Digest(print.digest)));
        assert_eq!(Known::Nothing.mark_at(128, 1000), None);
    }
}

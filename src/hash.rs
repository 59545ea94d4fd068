//! SHA-1 with its chaining state: one pass over the content gives the digest and the state after every slice.
//!
//! COS's `uploadparts` wants, for every slice but the last, the five chaining words after the data so far, each
//! written little-endian (protocol 0.1 and 5), which is not a digest of anything. The same words and the byte count
//! are a full point to resume from, so each slice can be checked by itself, in any order.

use std::fmt;

use sha1::Digest as _;
use sha1::Sha1;
use sha1::digest::common::hazmat::SerializableState;

/// Bytes that SHA-1 takes at a time. A chaining state is a point to resume from only at multiples of it.
pub const BLOCK: u64 = 64;

/// Twenty bytes written as forty lower-case hex digits.
fn write_hex(bytes: &[u8; 20], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for byte in bytes {
        write!(f, "{byte:02x}")?;
    }
    Ok(())
}

/// The SHA-1 of a whole content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Digest(pub [u8; 20]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl Digest {
    /// Reads forty hex digits of either case. Text behind an underscore is ignored: list replies may carry
    /// `<sha>_<suffix>` (protocol 4.4).
    pub fn parse(text: &str) -> Option<Digest> {
        let hex = text.split('_').next().unwrap_or(text).as_bytes();
        if hex.len() != 40 {
            return None;
        }
        let mut out = [0; 20];
        for (byte, pair) in out.iter_mut().zip(hex.chunks_exact(2)) {
            let high = (pair[0] as char).to_digit(16)?;
            let low = (pair[1] as char).to_digit(16)?;
            *byte = (high * 16 + low) as u8;
        }
        Some(Digest(out))
    }

    /// The SHA-1 of one block of memory.
    pub fn of(data: &[u8]) -> Digest {
        Digest(Sha1::digest(data).into())
    }
}

/// The five chaining words in the order and byte order of `datasha`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct State(pub [u8; 20]);

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

/// A running SHA-1 that shows its chaining state.
#[derive(Clone)]
pub struct Chain {
    sha: Sha1,
}

impl Chain {
    /// Before the first byte.
    pub fn new() -> Self {
        Chain { sha: Sha1::new() }
    }

    /// Goes on behind `offset` bytes whose state is known. `None` unless `offset` is a multiple of [`BLOCK`].
    pub fn resume(state: State, offset: u64) -> Option<Self> {
        if !offset.is_multiple_of(BLOCK) {
            return None;
        }
        // The layout (words little-endian, block count little-endian, pending bytes) is not promised by the crate's
        // documentation; the known-answer tests below pin it.
        let mut serialized = Sha1::new().serialize();
        serialized[..20].copy_from_slice(&state.0);
        serialized[20..28].copy_from_slice(&(offset / BLOCK).to_le_bytes());
        Sha1::deserialize(&serialized).ok().map(|sha| Chain { sha })
    }

    /// Takes the next bytes.
    pub fn update(&mut self, data: &[u8]) {
        self.sha.update(data);
    }

    /// The state after the last complete block.
    pub fn state(&self) -> State {
        let serialized = self.sha.serialize();
        let mut words = [0; 20];
        words.copy_from_slice(&serialized[..20]);
        State(words)
    }

    /// The digest of all bytes taken so far; the chain can go on.
    pub fn digest(&self) -> Digest {
        Digest(self.sha.clone().finalize().into())
    }
}

impl Default for Chain {
    fn default() -> Self {
        Chain::new()
    }
}

/// What a content is known by: its size, its digest and its chaining states at every border of a grid.
#[derive(Clone, Debug)]
pub struct Fingerprint {
    /// Bytes in all.
    pub size: u64,
    /// Distance of the borders in bytes.
    pub grid: u64,
    /// The state at each border that lies before the end, the first one at `grid`.
    pub states: Vec<State>,
    /// The digest of the whole.
    pub digest: Digest,
}

impl Fingerprint {
    /// Whether all states are there, so that the list of slices can be written.
    pub fn has_states(&self) -> bool {
        self.states.len() as u64 == self.size.div_ceil(self.grid).saturating_sub(1)
    }

    /// The state at `offset`, when it lies on the grid and before the end.
    pub fn state_at(&self, offset: u64) -> Option<State> {
        if offset == 0 || offset >= self.size || !offset.is_multiple_of(self.grid) {
            return None;
        }
        let index = usize::try_from(offset / self.grid - 1).ok()?;
        self.states.get(index).copied()
    }
}

/// Builds a [`Fingerprint`] from bytes that come in order, in pieces of any length.
#[derive(Clone)]
pub struct Tally {
    chain: Chain,
    grid: u64,
    taken: u64,
    states: Vec<State>,
}

impl Tally {
    /// Before the first byte. `grid` must not be 0.
    pub fn new(grid: u64) -> Self {
        Tally {
            chain: Chain::new(),
            grid: grid.max(1),
            taken: 0,
            states: Vec::new(),
        }
    }

    /// Takes the next bytes and notes the state at every border they cross.
    pub fn update(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            // A border's state is noted only when a byte follows it: the end of the content has a digest instead.
            if self.taken > 0 && self.taken.is_multiple_of(self.grid) {
                self.states.push(self.chain.state());
            }
            let left = self.grid - self.taken % self.grid;
            let take = usize::try_from(left).map_or(data.len(), |left| left.min(data.len()));
            self.chain.update(&data[..take]);
            self.taken += take as u64;
            data = &data[take..];
        }
    }

    /// Bytes taken so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// What the bytes so far come to.
    pub fn finish(self) -> Fingerprint {
        Fingerprint {
            size: self.taken,
            grid: self.grid,
            states: self.states,
            digest: self.chain.digest(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Generator A of protocol 5: byte i is i mod 251.
    fn a(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i % 251) as u8).collect()
    }

    fn entries(data: &[u8], grid: u64) -> Vec<String> {
        let mut tally = Tally::new(grid);
        for piece in data.chunks(4099) {
            tally.update(piece);
        }
        let print = tally.finish();
        let mut list: Vec<String> = print.states.iter().map(State::to_string).collect();
        list.push(print.digest.to_string());
        list
    }

    const A1: &str = "463935c7eea4ca2705d0f481ecedb31f4d0f3a96";
    const A2: &str = "657c72d675f1e792607e5c0a7405f66cbdb8c290";
    const A3: &str = "c72cf079ae1aabdb935eddd8e951cd85c572042d";

    #[test]
    fn vectors_of_protocol_5() {
        let mib = 1 << 20;
        let cases: &[(usize, u64, &[&str])] = &[
            (1, mib, &["5ba93c9db0cff93f52b521d7420e43f6eda2784f"]),
            (36864, mib, &["d4b112d4f6ea0eb455a769e180b66d8782aa90e0"]),
            (1048575, mib, &["36df010095f6ce6255efb0845c915b992d257a02"]),
            (1048576, mib, &["c2fc4cb20f1301a6b0dd211c19e69a13925dbe40"]),
            (
                1048577,
                mib,
                &[A1, "ffbc30b06f6bd51da52f9640804c9d0c4f6e2af2"],
            ),
            (
                2097152,
                mib,
                &[A1, "20e1307de838fb67c28577c7ec9d1c6288eb2883"],
            ),
            (
                2621440,
                mib,
                &[A1, A2, "d08b7e21afb7bc45b7bc7e265d812094252a14ac"],
            ),
            (
                3145728,
                mib,
                &[A1, A2, "7f8a077d6e3b8fe244a93244dc770173ffdb06c7"],
            ),
            (
                3158073,
                mib,
                &[A1, A2, A3, "25ad34db1427caefe4c6b84d5a0bb4b0c7134ea1"],
            ),
            (
                5242881,
                mib,
                &[
                    A1,
                    A2,
                    A3,
                    "4b64438a2a84291379ac6d3fa0f0b1a3e8fd28ea",
                    "da8f4fecf7f32d1e864043c5e473d34fbcc9605a",
                    "8aff0f4cc8838f12e1fc099b2341d68678eaa38d",
                ],
            ),
            (
                1048576,
                524288,
                &[
                    "c06e92e6fd857cbc15287b711af2cf4128ccee65",
                    "c2fc4cb20f1301a6b0dd211c19e69a13925dbe40",
                ],
            ),
            (
                1300000,
                524288,
                &[
                    "c06e92e6fd857cbc15287b711af2cf4128ccee65",
                    A1,
                    "532b57da33a2d72aaf80ffcd2ee4729c71976b61",
                ],
            ),
            (
                200000,
                65536,
                &[
                    "9c2e8e75ce1bad42bae56651feab05703c500543",
                    "dd7fb4a35d191219f7b0dfec97bde3fed20f8bc3",
                    "43149bc01fffad9212d5be0b03c9d077830197d5",
                    "4fa3b414b52f18a8b007acc492540659f310282d",
                ],
            ),
            (
                250000,
                100000,
                &[
                    "b3bd9404284ddc650b9409acc049ec7ec19f6faf",
                    "56636c0357f3d9904dcc712967170d21b514bc34",
                    "4d24ad10a3bd233437e4892379e4b383512e4913",
                ],
            ),
            (
                300000,
                65537,
                &[
                    "9c2e8e75ce1bad42bae56651feab05703c500543",
                    "dd7fb4a35d191219f7b0dfec97bde3fed20f8bc3",
                    "43149bc01fffad9212d5be0b03c9d077830197d5",
                    "15cd64aaad0c2b98fda81d3cba7ec9756e01b0cb",
                    "4ec42555f6a50309ccdb22ae377a2759856c0231",
                ],
            ),
            (
                5242881,
                2097152,
                &[
                    A2,
                    "4b64438a2a84291379ac6d3fa0f0b1a3e8fd28ea",
                    "8aff0f4cc8838f12e1fc099b2341d68678eaa38d",
                ],
            ),
            (
                6291456,
                3145728,
                &[A3, "4603a3bc147309f4f5b8d8e31f4c77d50251d9ff"],
            ),
        ];
        for (len, grid, expected) in cases {
            assert_eq!(&entries(&a(*len), *grid), expected, "A,{len} cut at {grid}");
        }
    }

    #[test]
    fn vectors_with_other_generators() {
        let mib = 1 << 20;
        assert_eq!(
            entries(&vec![0; 2097152], mib),
            [
                "99c460eef9b1336489cc206bcde3f3a58b5a6466",
                "7d76d48d64d7ac5411d714a4bb83f37e3e5b8df6"
            ]
        );
        let mut x: u32 = 1;
        let l: Vec<u8> = (0..1049576)
            .map(|_| {
                x = x.wrapping_mul(1103515245).wrapping_add(12345) & 0x7fff_ffff;
                (x >> 16) as u8
            })
            .collect();
        assert_eq!(
            entries(&l, mib),
            [
                "f26643513cd70659aae68b12e96cc9401da17eb3",
                "aa60158dec2edf21e6928304708c077c45b0e0e7"
            ]
        );
    }

    #[test]
    fn states_before_the_first_block_are_the_initial_words() {
        let list = entries(&a(100), 7);
        assert_eq!(list.len(), 15);
        assert!(
            list[..9]
                .iter()
                .all(|e| e == "0123456789abcdeffedcba9876543210f0e1d2c3")
        );
        assert!(
            list[9..14]
                .iter()
                .all(|e| e == "7b75acb9257929bc7472222e942f8706a156eacb")
        );
        assert_eq!(list[14], Digest::of(&a(100)).to_string());
    }

    #[test]
    fn a_state_is_a_point_to_resume_from() {
        let data = a(5242881);
        let mut head = Chain::new();
        head.update(&data[..2 << 20]);
        let mut tail = Chain::resume(head.state(), 2 << 20).unwrap();
        tail.update(&data[2 << 20..]);
        assert_eq!(tail.digest(), Digest::of(&data));
        assert!(Chain::resume(head.state(), 63).is_none());
    }

    #[test]
    fn digests_read_back() {
        let digest = Digest::of(b"abc");
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_eq!(
            Digest::parse(&format!("{}_x", digest.to_string().to_uppercase())),
            Some(digest)
        );
        assert_eq!(Digest::parse("12"), None);
        assert_eq!(
            Digest::parse("zz3e363a0f6a06e9be9ad8dcb6fb0b8c9e3b0000"),
            None
        );
    }

    #[test]
    fn an_empty_content_has_a_digest_and_no_state() {
        let print = Tally::new(1 << 20).finish();
        assert_eq!(
            print.digest.to_string(),
            "da39a3ee5e6b4b0d3255bfef95601890afd80709"
        );
        assert!(print.states.is_empty());
    }
}

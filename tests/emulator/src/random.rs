//! Numbers that differ each time (sessions, ids) and numbers that repeat for a seed (faults).

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// The finaliser of SplitMix64: the same in, the same out.
pub fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A fraction in 0..1 that only depends on its inputs.
pub fn fraction(seed: u64, rule: u64, k: u64) -> f64 {
    let bits = mix(seed ^ mix(rule ^ mix(k))) >> 11;
    bits as f64 / (1u64 << 53) as f64
}

/// Fresh randomness, from the keys std takes from the system for its hash maps. Not for secrets.
pub fn fresh() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// `len` fresh hexadecimal digits.
pub fn hex(len: usize) -> String {
    let mut s = String::with_capacity(len + 16);
    while s.len() < len {
        s.push_str(&format!("{:016x}", mix(fresh())));
    }
    s.truncate(len);
    s
}

//! How often and how soon to try again, and how much to have on the way.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

/// First ceiling of the pause before another try.
const BASE: Duration = Duration::from_millis(250);
/// Last ceiling.
const CAP: Duration = Duration::from_secs(15);

/// The pause before try number `tries + 1`: anything up to a ceiling that doubles (full jitter), so that many clients
/// that failed together do not come back together.
pub fn backoff(tries: u32, random: u32) -> Duration {
    let ceiling = BASE
        .saturating_mul(1u32.checked_shl(tries).unwrap_or(u32::MAX))
        .min(CAP);
    let share = u64::from(random) * ceiling.as_millis() as u64 / u64::from(u32::MAX);
    Duration::from_millis(share.max(1))
}

/// How many slices may be on their way: halved when the server asks to slow down, won back one by one.
#[derive(Debug)]
pub struct Pace {
    width: usize,
    state: Mutex<PaceState>,
}

#[derive(Debug)]
struct PaceState {
    allowed: usize,
    good: usize,
}

/// Slices that must go well before one more is tried.
const GOOD_BEFORE_MORE: usize = 8;

impl Pace {
    /// At most `width` at once.
    pub fn new(width: usize) -> Self {
        let width = width.max(1);
        Pace {
            width,
            state: Mutex::new(PaceState {
                allowed: width,
                good: 0,
            }),
        }
    }

    /// How many may be on their way now.
    pub fn allowed(&self) -> usize {
        self.lock().allowed
    }

    /// The server asks to slow down.
    pub fn slow(&self) {
        let mut state = self.lock();
        state.allowed = (state.allowed / 2).max(1);
        state.good = 0;
    }

    /// A slice went well.
    pub fn good(&self) {
        let mut state = self.lock();
        state.good += 1;
        if state.good >= GOOD_BEFORE_MORE && state.allowed < self.width {
            state.allowed += 1;
            state.good = 0;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, PaceState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A bandwidth limit shared by everything that sends for one upload: each taker books its bytes and waits its turn.
#[derive(Debug)]
pub struct Meter {
    bytes_per_second: u64,
    free_at: Mutex<Option<Instant>>,
}

/// The most a meter may have saved up while nobody sent.
const SAVED: Duration = Duration::from_millis(100);

impl Meter {
    /// A limit in bytes per second; 0 is none.
    pub fn new(bytes_per_second: u64) -> Self {
        Meter {
            bytes_per_second,
            free_at: Mutex::new(None),
        }
    }

    /// Whether there is a limit.
    pub fn is_limited(&self) -> bool {
        self.bytes_per_second > 0
    }

    /// The most to book at once, so that the flow is even and a wait is short: a twentieth of a second.
    pub fn portion(&self) -> usize {
        usize::try_from(self.bytes_per_second / 20).map_or(usize::MAX, |n| n.max(1024))
    }

    /// Books `bytes` and says how long to wait before sending them.
    pub fn book(&self, bytes: usize, now: Instant) -> Duration {
        if self.bytes_per_second == 0 {
            return Duration::ZERO;
        }
        let cost = Duration::from_nanos(
            u64::try_from(bytes as u128 * 1_000_000_000 / u128::from(self.bytes_per_second))
                .unwrap_or(u64::MAX),
        );
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(SAVED).unwrap_or(now);
        let start = free_at.map_or(now, |free| free.max(earliest));
        *free_at = Some(start + cost);
        start.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_cap_and_are_spread() {
        assert_eq!(backoff(0, u32::MAX), BASE);
        assert_eq!(backoff(3, u32::MAX), BASE * 8);
        assert_eq!(backoff(40, u32::MAX), CAP);
        assert_eq!(backoff(3, 0), Duration::from_millis(1));
        assert!(backoff(3, u32::MAX / 2) < BASE * 4 + Duration::from_millis(1));
    }

    #[test]
    fn the_pace_halves_and_recovers() {
        let pace = Pace::new(16);
        pace.slow();
        pace.slow();
        assert_eq!(pace.allowed(), 4);
        for _ in 0..GOOD_BEFORE_MORE {
            pace.good();
        }
        assert_eq!(pace.allowed(), 5);
        for _ in 0..1000 {
            pace.good();
        }
        assert_eq!(pace.allowed(), 16);
        for _ in 0..10 {
            pace.slow();
        }
        assert_eq!(pace.allowed(), 1);
    }

    #[test]
    fn a_meter_spreads_bytes_over_time() {
        let meter = Meter::new(1000);
        let start = Instant::now();
        assert_eq!(meter.book(500, start), Duration::ZERO);
        assert_eq!(meter.book(500, start), Duration::from_millis(500));
        assert_eq!(meter.book(1, start), Duration::from_millis(1000));
        // Two seconds later only a tenth of a second has been saved up.
        let later = start + Duration::from_secs(3);
        assert_eq!(meter.book(100, later), Duration::ZERO);
        assert_eq!(meter.book(100, later), Duration::ZERO);
        assert_eq!(meter.book(100, later), Duration::from_millis(100));
        assert_eq!(Meter::new(0).book(1 << 40, start), Duration::ZERO);
    }
}

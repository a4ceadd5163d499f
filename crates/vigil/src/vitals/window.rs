//! A sum over the last minute, in six parts of ten seconds.

use vigil_core::fact::UnixNanos;

const PARTS: usize = 6;
const PART_NANOS: u64 = 10_000_000_000;

/// Sums of `N` things.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window<const N: usize> {
    parts: [[u64; N]; PARTS],
    /// The number of the part that was written last.
    last: u64,
}

impl<const N: usize> Default for Window<N> {
    fn default() -> Self {
        Self { parts: [[0; N]; PARTS], last: 0 }
    }
}

impl<const N: usize> Window<N> {
    /// Forgets what is a minute old.
    fn turn(&mut self, now: UnixNanos) {
        let part = now.0 / PART_NANOS;
        let passed = part.saturating_sub(self.last).min(PARTS as u64);
        for step in 0..passed {
            self.parts[((part - step) % PARTS as u64) as usize] = [0; N];
        }
        self.last = self.last.max(part);
    }

    pub(super) fn add(&mut self, now: UnixNanos, amounts: [u64; N]) {
        self.turn(now);
        let part = &mut self.parts[(self.last % PARTS as u64) as usize];
        for (sum, amount) in part.iter_mut().zip(amounts) {
            *sum = sum.saturating_add(amount);
        }
    }

    /// The sums of the last 50 to 60 seconds.
    pub(super) fn sums(&mut self, now: UnixNanos) -> [u64; N] {
        self.turn(now);
        self.parts.iter().fold([0; N], |mut sums, part| {
            for (sum, amount) in sums.iter_mut().zip(part) {
                *sum = sum.saturating_add(*amount);
            }
            sums
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_minute_old_is_forgotten_and_nothing_younger_than_50_seconds() {
        let second = |seconds: u64| UnixNanos(1_000_000_000_000_000_000 + seconds * 1_000_000_000);
        let mut window = Window::<2>::default();
        for at in 0..30 {
            window.add(second(at), [1, 10]);
        }
        assert_eq!(window.sums(second(30)), [30, 300]);
        assert_eq!(window.sums(second(59)), [30, 300]);
        assert_eq!(window.sums(second(60)), [20, 200]);
        assert_eq!(window.sums(second(89)), [0, 0]);
        window.add(second(100), [u64::MAX, 1]);
        window.add(second(100), [u64::MAX, 1]);
        assert_eq!(window.sums(second(100)), [u64::MAX, 2]);
        // A clock that goes back adds to the present.
        window.add(second(5), [0, 1]);
        assert_eq!(window.sums(second(100)), [u64::MAX, 3]);
        assert_eq!(window.sums(second(100_000)), [0, 0]);
    }
}

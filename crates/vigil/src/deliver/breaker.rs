//! The breaker between a destination that does not answer and the lanes to it: one lane asks, the others wait for
//! what it learns. Pure: time is a parameter.
//!
//! It opens when [`FAILURES_TO_OPEN`] attempts in a row, of all lanes together, came to nothing. From then on one
//! attempt at a time is made, after the backoff of whoever failed last; the first answer closes it for everybody.
//! Without it three lanes would knock at a dead door three times as often, and each find out for itself that it
//! opened again.

use std::time::{Duration, Instant};

/// How many attempts in a row have to fail.
pub(super) const FAILURES_TO_OPEN: u32 = 5;
/// How often those who wait look whether the one that asks has learnt something.
const LOOK_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    /// When the next attempt may be made.
    next: Option<Instant>,
    /// The destination itself asked for that time.
    asked_for: bool,
    /// Somebody is asking.
    asking: bool,
}

/// What a lane that wants to make an attempt is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Admission {
    /// Make it.
    Go,
    /// Ask again after this time.
    Wait(Duration),
}

impl Breaker {
    fn is_open(&self) -> bool {
        self.failures >= FAILURES_TO_OPEN
    }

    /// Whether the last attempt came to nothing.
    pub(super) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    pub(super) fn ask(&mut self, now: Instant) -> Admission {
        if !self.is_open() {
            return Admission::Go;
        }
        let left = self.next.map_or(Duration::ZERO, |next| next.saturating_duration_since(now));
        if self.asking || !left.is_zero() {
            return Admission::Wait(left.clamp(Duration::from_millis(1), LOOK_EVERY));
        }
        self.asking = true;
        Admission::Go
    }

    /// An attempt came to nothing; the next may be made after `delay`, which the destination may have `asked_for`.
    pub(super) fn failed(&mut self, now: Instant, delay: Duration, asked_for: bool) {
        self.failures = self.failures.saturating_add(1);
        self.next = now.checked_add(delay);
        self.asked_for = asked_for;
        self.asking = false;
    }

    /// Somebody waits: the next attempt may be made at once, unless the destination asked for a time.
    pub(super) fn hurry(&mut self) {
        if !self.asked_for {
            self.next = None;
        }
    }

    /// There was an answer.
    pub(super) fn answered(&mut self) {
        *self = Self::default();
    }

    /// The lane that was asking is no more.
    pub(super) fn left(&mut self) {
        self.asking = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_some_failures_lets_one_ask_and_closes_with_the_first_answer() {
        let start = crate::clock::monotonic();
        let at = |ms| start + Duration::from_millis(ms);
        let mut breaker = Breaker::default();
        assert!(!breaker.is_failing());
        for _ in 1..FAILURES_TO_OPEN {
            assert_eq!(breaker.ask(at(0)), Admission::Go);
            breaker.failed(at(0), Duration::from_millis(500), false);
            assert!(breaker.is_failing());
        }
        assert_eq!(breaker.ask(at(0)), Admission::Go, "not yet");
        breaker.failed(at(0), Duration::from_millis(500), false);
        assert!(matches!(breaker.ask(at(400)), Admission::Wait(left) if left <= Duration::from_millis(100)));
        assert_eq!(breaker.ask(at(500)), Admission::Go, "one asks");
        assert!(matches!(breaker.ask(at(9000)), Admission::Wait(_)), "the others wait");
        breaker.failed(at(9000), Duration::from_secs(1), false);
        assert!(matches!(breaker.ask(at(9999)), Admission::Wait(_)));
        assert_eq!(breaker.ask(at(10_000)), Admission::Go);
        breaker.left();
        assert_eq!(breaker.ask(at(10_000)), Admission::Go, "who asked is gone: another does");
        breaker.failed(at(10_000), Duration::from_secs(30), false);
        breaker.hurry();
        assert_eq!(breaker.ask(at(10_000)), Admission::Go, "somebody waits");
        breaker.failed(at(10_000), Duration::from_secs(30), true);
        breaker.hurry();
        assert!(matches!(breaker.ask(at(10_000)), Admission::Wait(_)), "it was asked for");
        breaker.answered();
        assert!(!breaker.is_failing());
        assert_eq!([breaker.ask(at(10_000)), breaker.ask(at(10_000))], [Admission::Go; 2]);
    }
}

//! The same throttling again and again becomes one event a minute, with a count.
//!
//! The first of a kind is told at once where it is known what became of it (the program says that it tries again, or
//! a quota blocks), else when the program is still there after [`HELD`], or ends. Kinds are service and class, so
//! there are few whatever is written; of model providers and of GitHub the program and the API behind it are one.

use super::Found;
use std::time::Duration;
use vigil_core::fact::UnixNanos;
use vigil_core::throttle::{Service, ServiceCategory, Throttle, ThrottleClass, Told};
use vigil_core::vocab::ThrottleOutcome;

/// Between two events of the same kind: 60 s.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// How long a throttling waits for what becomes of it: 10 s.
const HELD: Duration = Duration::from_secs(10);

/// Kinds of throttling, and what is to be told of them.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    kinds: Vec<Kind>,
    found: Vec<Found>,
}

/// A throttling that was met.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meeting {
    pub(crate) throttle: Throttle,
    /// How often the text says so.
    pub(crate) count: u64,
    pub(crate) at: UnixNanos,
    /// The program says that it tries again.
    pub(crate) retries: bool,
    /// It sums up what was said before: if that was the same, it is no further one.
    pub(crate) repeats_the_last: bool,
}

#[derive(Debug)]
struct Kind {
    latest: Throttle,
    latest_at: UnixNanos,
    first_pending_at: UnixNanos,
    told_at: Option<UnixNanos>,
    pending: u64,
    outcome: Option<ThrottleOutcome>,
    /// The outcome it was told with last.
    told_outcome: Option<ThrottleOutcome>,
}

impl Kind {
    fn key(throttle: &Throttle) -> (ServiceCategory, Option<Service>, ThrottleClass) {
        let category = throttle.category();
        let one = matches!(category, ServiceCategory::Provider | ServiceCategory::Github);
        (category, (!one).then_some(throttle.service), throttle.class)
    }

    fn may_be_told(&self, now: UnixNanos) -> bool {
        self.told_at.is_none_or(|told| told.until(now) >= TELL_EVERY)
    }

    fn tell(&mut self, outcome: Option<ThrottleOutcome>, now: UnixNanos) -> Found {
        (self.told_at, self.told_outcome) = (Some(now), outcome);
        let told = Told { outcome, count: std::mem::take(&mut self.pending), ..Told::default() };
        Found { throttle: self.latest, told, time: self.latest_at }
    }
}

impl Fold {
    pub(crate) fn meet(&mut self, meeting: Meeting) {
        let Meeting { throttle, count, at, retries, repeats_the_last } = meeting;
        let known = self.kinds.iter().position(|kind| Kind::key(&kind.latest) == Kind::key(&throttle));
        let index = known.unwrap_or_else(|| {
            self.kinds.push(Kind {
                latest: throttle,
                latest_at: at,
                first_pending_at: at,
                told_at: None,
                pending: 0,
                outcome: None,
                told_outcome: None,
            });
            self.kinds.len() - 1
        });
        let kind = &mut self.kinds[index];
        if repeats_the_last && known.is_some() {
            // It was not the last attempt that was told of last: the end is told too.
            kind.pending = kind.pending.max(u64::from(kind.told_outcome == Some(ThrottleOutcome::Retried)));
            kind.outcome = None;
            return;
        }
        if kind.pending == 0 {
            kind.first_pending_at = at;
        }
        (kind.latest, kind.latest_at) = (throttle, at);
        kind.pending = kind.pending.saturating_add(count.max(1));
        let blocks = throttle.class == ThrottleClass::Quota && !retries;
        kind.outcome = if retries {
            Some(ThrottleOutcome::Retried)
        } else if blocks {
            Some(ThrottleOutcome::Blocked)
        } else {
            None
        };
        if kind.outcome.is_some() && kind.may_be_told(at) {
            let found = kind.tell(kind.outcome, at);
            self.found.push(found);
        }
    }

    /// Whether the same was met, by this service or by one that nobody named.
    pub(crate) fn knows(&self, throttle: &Throttle) -> bool {
        self.kinds.iter().any(|kind| kind.latest.class == throttle.class)
    }

    /// It is `now`: what has waited long enough is told.
    pub(crate) fn time_passed(&mut self, now: UnixNanos) {
        for kind in self.kinds.iter_mut().filter(|kind| kind.pending > 0) {
            if kind.first_pending_at.until(now) >= HELD && kind.may_be_told(now) {
                let found = kind.tell(kind.outcome, now);
                self.found.push(found);
            }
        }
    }

    /// Nothing more comes: what is pending is told with what `became` of it.
    pub(crate) fn end(&mut self, became: impl Fn(&Throttle) -> Option<ThrottleOutcome>) {
        for kind in self.kinds.iter_mut().filter(|kind| kind.pending > 0) {
            let outcome = became(&kind.latest);
            // The program's last words on what it told of with its end.
            if kind.pending == 1 && kind.told_outcome == Some(ThrottleOutcome::Blocked) {
                kind.pending = 0;
                continue;
            }
            let found = kind.tell(outcome, kind.latest_at);
            self.found.push(found);
        }
    }

    /// What is to be told by now.
    pub(crate) fn take(&mut self) -> Vec<Found> {
        std::mem::take(&mut self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vigil_core::throttle::{LimitScope, ThrottleRule};

    const SECOND: u64 = 1_000_000_000;

    fn throttle(class: ThrottleClass) -> Throttle {
        Throttle {
            scope: LimitScope::Requests,
            http_status: Some(403),
            ..Throttle::new(Service::GithubRest, class, ThrottleRule::ProseGithub)
        }
    }

    fn met(class: ThrottleClass, second: u64, retries: bool) -> Meeting {
        let at = UnixNanos(second * SECOND);
        Meeting { throttle: throttle(class), count: 1, at, retries, repeats_the_last: false }
    }

    fn told(found: &[Found]) -> Vec<(&'static str, Option<&'static str>, u64)> {
        found
            .iter()
            .map(|found| {
                let outcome = found.told.outcome.map(ThrottleOutcome::as_str);
                (found.throttle.class.as_str(), outcome, found.told.count)
            })
            .collect()
    }

    #[test]
    fn a_hundred_of_the_same_are_two_events_that_stand_for_all() {
        let mut fold = Fold::default();
        for number in 0..100 {
            fold.meet(met(ThrottleClass::RateLimit, number / 10, true));
        }
        assert_eq!(told(&fold.take()), [("rate_limit", Some("retried"), 1)]);
        fold.end(|throttle| Some(throttle.final_outcome()));
        assert_eq!(told(&fold.take()), [("rate_limit", Some("failed"), 99)]);
        fold.end(|_| None);
        assert_eq!(fold.take(), []);
    }

    #[test]
    fn one_that_goes_on_for_an_hour_is_told_once_a_minute() {
        let mut fold = Fold::default();
        for second in 0..3600 {
            fold.meet(met(ThrottleClass::RateLimit, second, true));
        }
        let found = fold.take();
        assert_eq!(found.len(), 60);
        assert_eq!(found.iter().map(|found| found.told.count).sum::<u64>(), 1 + 59 * 60);
    }

    #[test]
    fn what_becomes_of_one_is_waited_for_a_while() {
        let mut fold = Fold::default();
        fold.meet(met(ThrottleClass::Overloaded, 1, false));
        fold.time_passed(UnixNanos(5 * SECOND));
        assert_eq!(fold.take(), []);
        fold.time_passed(UnixNanos(11 * SECOND));
        assert_eq!(told(&fold.take()), [("overloaded", None, 1)]);
        fold.meet(met(ThrottleClass::RateLimit, 12, false));
        fold.end(|_| Some(ThrottleOutcome::Retried));
        assert_eq!(told(&fold.take()), [("rate_limit", Some("retried"), 1)]);
    }

    #[test]
    fn a_quota_blocks_at_once_and_kinds_are_told_apart() {
        let mut fold = Fold::default();
        fold.meet(met(ThrottleClass::Quota, 1, false));
        fold.meet(met(ThrottleClass::RateLimit, 1, true));
        assert_eq!(told(&fold.take()), [("quota", Some("blocked"), 1), ("rate_limit", Some("retried"), 1)]);
    }

    #[test]
    fn a_summing_up_of_what_was_told_with_its_end_is_not_told_again() {
        let mut fold = Fold::default();
        fold.meet(met(ThrottleClass::Quota, 1, false));
        fold.meet(Meeting { repeats_the_last: true, ..met(ThrottleClass::Quota, 2, false) });
        fold.end(|throttle| Some(throttle.final_outcome()));
        assert_eq!(told(&fold.take()), [("quota", Some("blocked"), 1)]);
    }

    #[test]
    fn a_summing_up_is_no_further_one_but_says_how_it_ended() {
        let mut fold = Fold::default();
        fold.meet(met(ThrottleClass::RateLimit, 1, true));
        fold.meet(met(ThrottleClass::RateLimit, 2, true));
        fold.meet(Meeting { repeats_the_last: true, ..met(ThrottleClass::RateLimit, 3, false) });
        fold.end(|throttle| Some(throttle.final_outcome()));
        assert_eq!(told(&fold.take()), [("rate_limit", Some("retried"), 1), ("rate_limit", Some("failed"), 1)]);
    }
}

//! The one place that reads time.
//!
//! A [`Clock`] is anchored once to the wall clock and then follows the monotonic clock, so that durations
//! are true and spans never end before they began, whatever happens to the wall clock meanwhile. Tests use
//! a manual clock. Nothing else in the crate may ask the operating system for the time (clippy.toml).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use vigil_core::fact::UnixNanos;

/// Where times come from.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { wall_at_start: u64, started: Instant },
    Manual(Arc<AtomicU64>),
}

/// Moves a manual clock; for tests.
#[derive(Clone, Debug)]
pub(crate) struct ManualClock(Arc<AtomicU64>);

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "this module is where time is read")]
    pub(crate) fn system() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(Source::System {
            wall_at_start: u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX),
            started: Instant::now(),
        })
    }

    /// A clock that stands still until it is moved.
    pub(crate) fn manual(start: UnixNanos) -> (Self, ManualClock) {
        let now = Arc::new(AtomicU64::new(start.0));
        (Self(Source::Manual(now.clone())), ManualClock(now))
    }

    /// The time now.
    #[inline]
    pub(crate) fn now(&self) -> UnixNanos {
        match &self.0 {
            Source::System { wall_at_start, started } => {
                // 2^64 ns after the epoch is the year 2554.
                UnixNanos(wall_at_start.wrapping_add(started.elapsed().as_nanos() as u64))
            }
            Source::Manual(now) => UnixNanos(now.load(Ordering::Relaxed)),
        }
    }
}

impl ManualClock {
    /// Moves the clock forward.
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_nanos() as u64, Ordering::Relaxed);
    }
}

/// A moment on the monotonic clock, for deadlines.
#[expect(clippy::disallowed_methods, reason = "this module is where time is read")]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

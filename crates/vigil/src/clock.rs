//! The one place that reads time.
//!
//! The hot path reads [`Ticks`]: the processor's time stamp counter where it runs at a constant rate on all
//! cores, else the monotonic clock. The assembler turns them into times ([`Clock::unix`]) by an anchor on the
//! wall clock and a rate it measures anew every round ([`Clock::calibrate`]). Start and end of a span are
//! turned with the same anchor, so that a duration is true and never negative, whatever happens to the wall
//! clock meanwhile.
//!
//! Bounds: a time is within 1 ms of the wall clock as it was at most a round (100 ms) before; a step of the
//! wall clock is followed within a round. The rate is off by 1 in a million after 100 ms and better with time.
//!
//! Tests use a manual clock. Nothing else in the crate may ask the operating system for the time (clippy.toml).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use vigil_core::fact::UnixNanos;

/// A reading of a clock; means something to the clock that made it only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Ticks(pub(crate) u64);

/// Where times come from.
#[derive(Debug)]
pub(crate) struct Clock {
    source: Source,
    anchor: Mutex<Anchor>,
}

#[derive(Debug)]
enum Source {
    /// The processor's counter, and since when its rate is measured.
    #[cfg(target_arch = "x86_64")]
    Counter {
        since: Mutex<Since>,
    },
    /// Nanoseconds since this moment.
    Monotonic(Instant),
    Manual(Arc<AtomicU64>),
}

/// A moment on both clocks, and the rate from one to the other. What is turned with the same anchor keeps its order
/// and its distances.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchor {
    ticks: u64,
    unix: u64,
    /// Nanoseconds a tick, times 2^32.
    rate: u64,
}

/// What the counter and the monotonic clock read at one moment.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
struct Pair {
    ticks: u64,
    instant: Instant,
}

/// The moment the rate is measured from, and the last one it was measured at.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
struct Since {
    first: Pair,
    last: Pair,
}

#[cfg(target_arch = "x86_64")]
impl Pair {
    /// Of three readings the one that was disturbed least.
    fn read() -> Self {
        let read = || {
            let (before, instant, after) = (counter::read(), monotonic(), counter::read());
            (after.saturating_sub(before), Pair { ticks: before, instant })
        };
        let mut best = read();
        for _ in 0..2 {
            let other = read();
            if other.0 < best.0 {
                best = other;
            }
        }
        best.1
    }

    /// Nanoseconds a tick, times 2^32, from `self` to `later`; `None` where the counter went back.
    fn rate_to(self, later: Pair) -> Option<u64> {
        let passed = u128::from(later.ticks.checked_sub(self.ticks).filter(|passed| *passed > 0)?);
        let elapsed = later.instant.saturating_duration_since(self.instant).as_nanos();
        u64::try_from((elapsed << 32) / passed).ok()
    }
}

#[cfg(target_arch = "x86_64")]
impl Since {
    /// The rate now. `known` is the one before: where the last round's own is far from it, the machine slept, and one
    /// clock went on while the other stood. Then the rate stays, and is measured from now on.
    fn rate(&mut self, now: Pair, known: u64) -> u64 {
        let (recent, whole) = (self.last.rate_to(now), self.first.rate_to(now));
        let settled = self.last.instant.saturating_duration_since(self.first.instant) >= SETTLED_AFTER;
        let odd = recent.is_none_or(|recent| recent.abs_diff(known) > known / 64);
        self.last = now;
        match whole {
            Some(whole) if !(settled && odd) => whole,
            _ => {
                self.first = now;
                known
            }
        }
    }
}

/// From then on the rate is known well enough to notice that the machine slept.
#[cfg(target_arch = "x86_64")]
const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// The wall clock may be this far from what ticks say before the anchor is set anew.
const DRIFT_MAX: Duration = Duration::from_millis(1);
const ONE: u64 = 1 << 32;

/// Moves a manual clock; for tests.
#[derive(Clone, Debug)]
pub(crate) struct ManualClock(Arc<AtomicU64>);

impl Clock {
    /// The machine's clock.
    pub(crate) fn system() -> Self {
        #[cfg(target_arch = "x86_64")]
        if counter::is_reliable() {
            let first = Pair::read();
            // A first rate, good to a few percent; the first round makes it better. Nothing is turned into a
            // time before that but what is announced within the first milliseconds.
            while first.instant.elapsed() < Duration::from_micros(20) {
                std::hint::spin_loop();
            }
            let anchor = Anchor { ticks: first.ticks, unix: unix_now(), rate: ONE };
            let clock = Self {
                source: Source::Counter { since: Mutex::new(Since { first, last: first }) },
                anchor: Mutex::new(anchor),
            };
            clock.calibrate();
            return clock;
        }
        Self::monotonic()
    }

    /// The machine's clock without the processor's counter.
    fn monotonic() -> Self {
        Self {
            source: Source::Monotonic(monotonic()),
            anchor: Mutex::new(Anchor { ticks: 0, unix: unix_now(), rate: ONE }),
        }
    }

    /// A clock that stands still until it is moved.
    pub(crate) fn manual(start: UnixNanos) -> (Self, ManualClock) {
        let now = Arc::new(AtomicU64::new(start.0));
        let anchor = Anchor { ticks: start.0, unix: start.0, rate: ONE };
        (Self { source: Source::Manual(now.clone()), anchor: Mutex::new(anchor) }, ManualClock(now))
    }

    /// The hot path's reading.
    #[inline(always)]
    pub(crate) fn ticks(&self) -> Ticks {
        match &self.source {
            #[cfg(target_arch = "x86_64")]
            Source::Counter { .. } => Ticks(counter::read()),
            source => source.ticks(),
        }
    }

    /// Whether readings are those of [`read_usual`], which needs no clock to ask.
    pub(crate) fn is_usual(&self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return matches!(self.source, Source::Counter { .. });
        #[cfg(not(target_arch = "x86_64"))]
        return false;
    }

    /// The time `ticks` stands for.
    pub(crate) fn unix(&self, ticks: Ticks) -> UnixNanos {
        self.anchor().unix(ticks)
    }

    /// The reading that stands for `time`, by how long ago it is: a time that was just taken is a reading that was just
    /// taken. Not before the clock was made where there is no processor's counter.
    pub(crate) fn ticks_at(&self, time: SystemTime) -> Ticks {
        let (now, wall) = (self.ticks().0, wall());
        let anchor = self.anchor();
        Ticks(match wall.duration_since(time) {
            Ok(ago) => now.saturating_sub(anchor.ticks_in(ago)),
            Err(ahead) => now.saturating_add(anchor.ticks_in(ahead.duration())),
        })
    }

    /// The time now.
    pub(crate) fn now(&self) -> UnixNanos {
        self.unix(self.ticks())
    }

    /// Measures the rate anew and follows the wall clock. Called by the assembler, once a round.
    pub(crate) fn calibrate(&self) {
        let (now, rate) = match &self.source {
            #[cfg(target_arch = "x86_64")]
            Source::Counter { since } => {
                let now = Pair::read();
                let known = self.anchor().rate;
                (now.ticks, since.lock().unwrap_or_else(PoisonError::into_inner).rate(now, known))
            }
            Source::Monotonic(_) => (self.ticks().0, ONE),
            Source::Manual(_) => return,
        };
        let wall = unix_now();
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        anchor.rate = rate;
        let told = anchor.unix(Ticks(now)).0;
        if u128::from(told.abs_diff(wall)) > DRIFT_MAX.as_nanos() {
            *anchor = Anchor { ticks: now, unix: wall, rate };
        }
    }

    /// What turns ticks into times now. Good for as long as a round.
    pub(crate) fn anchor(&self) -> Anchor {
        *self.anchor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The hot path's reading, for clocks that are [usual](Clock::is_usual).
#[inline(always)]
pub(crate) fn read_usual() -> Ticks {
    #[cfg(target_arch = "x86_64")]
    return Ticks(counter::read());
    #[cfg(not(target_arch = "x86_64"))]
    return Ticks(0);
}

impl Source {
    /// Out of line: the hot path has the counter, and is the shorter for it.
    #[inline(never)]
    fn ticks(&self) -> Ticks {
        match self {
            #[cfg(target_arch = "x86_64")]
            Source::Counter { .. } => Ticks(counter::read()),
            // 2^64 ns are 584 years.
            Source::Monotonic(started) => Ticks(started.elapsed().as_nanos() as u64),
            Source::Manual(now) => Ticks(now.load(Ordering::Relaxed)),
        }
    }
}

impl Anchor {
    /// What another process needs to turn this one's ticks into times.
    pub(crate) fn to_words(self) -> [u64; 3] {
        [self.ticks, self.unix, self.rate]
    }

    pub(crate) fn from_words([ticks, unix, rate]: [u64; 3]) -> Self {
        Self { ticks, unix, rate }
    }

    /// Start and end as times; the end is never before the start.
    pub(crate) fn unix_range(&self, start: Ticks, end: Ticks) -> (UnixNanos, UnixNanos) {
        (self.unix(start), self.unix(end.max(start)))
    }

    /// The time from `earlier` to `later`.
    pub(crate) fn between(&self, earlier: Ticks, later: Ticks) -> Duration {
        let (start, end) = self.unix_range(earlier, later);
        start.until(end)
    }

    /// How many ticks `time` takes.
    fn ticks_in(&self, time: Duration) -> u64 {
        u64::try_from((time.as_nanos() << 32) / u128::from(self.rate.max(1))).unwrap_or(u64::MAX)
    }

    /// The time `ticks` stands for.
    pub(crate) fn unix(&self, ticks: Ticks) -> UnixNanos {
        let nanos = |ticks: u64| ((u128::from(ticks) * u128::from(self.rate)) >> 32) as u64;
        UnixNanos(match ticks.0.checked_sub(self.ticks) {
            Some(after) => self.unix.saturating_add(nanos(after)),
            None => self.unix.saturating_sub(nanos(self.ticks - ticks.0)),
        })
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

/// The wall clock, for dates in answers of servers.
#[expect(clippy::disallowed_methods, reason = "this module is where time is read")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// The wall clock in the form of the contract.
pub(crate) fn unix_wall() -> UnixNanos {
    UnixNanos(unix_now())
}

fn unix_now() -> u64 {
    u64::try_from(wall().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(target_arch = "x86_64")]
mod counter {
    //! The time stamp counter of x86-64.
    #![expect(unsafe_code, reason = "two instructions every x86-64 processor has, without preconditions")]

    use std::arch::x86_64::{__cpuid, _rdtsc};
    use std::sync::OnceLock;

    #[inline(always)]
    pub(super) fn read() -> u64 {
        // SAFETY: `rdtsc` reads a register; every x86-64 processor has it, and no system Vigil runs on forbids it.
        unsafe { _rdtsc() }
    }

    /// Whether the counter has a constant rate on all cores, asleep or not: the processor says so, and the
    /// kernel has not come to another conclusion.
    pub(super) fn is_reliable() -> bool {
        static RELIABLE: OnceLock<bool> = OnceLock::new();
        *RELIABLE.get_or_init(|| says_processor() && !distrusted_by_kernel())
    }

    fn says_processor() -> bool {
        const HIGHEST: u32 = 0x8000_0000;
        const POWER: u32 = 0x8000_0007;
        const INVARIANT: u32 = 1 << 8;
        // SAFETY: `cpuid` only reads; every x86-64 processor has it.
        #[allow(unused_unsafe, reason = "the intrinsic is safe from Rust 1.92 on")]
        unsafe {
            __cpuid(HIGHEST).eax >= POWER && __cpuid(POWER).edx & INVARIANT != 0
        }
    }

    /// Linux falls back to a slower clock source when it finds the counter wanting.
    fn distrusted_by_kernel() -> bool {
        std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource")
            .is_ok_and(|source| matches!(source.trim(), "hpet" | "acpi_pm" | "jiffies" | "refined-jiffies"))
    }
}

#[cfg(all(test, not(vigil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn both_machine_clocks_stay_within_their_bound_of_the_wall_clock() {
        for clock in [Clock::system(), Clock::monotonic()] {
            for _ in 0..20 {
                std::thread::sleep(Duration::from_millis(10));
                clock.calibrate();
                let (before, told, after) = (unix_now(), clock.now().0, unix_now());
                let bound = DRIFT_MAX.as_nanos() as u64 + 100_000;
                assert!(told + bound >= before && told <= after + bound, "{clock:?}: {told} not in {before}..{after}");
            }
        }
    }

    #[test]
    fn durations_by_ticks_are_those_of_the_monotonic_clock() {
        let clock = Clock::system();
        std::thread::sleep(Duration::from_millis(50));
        clock.calibrate();
        let (start, instant) = (clock.ticks(), monotonic());
        std::thread::sleep(Duration::from_millis(100));
        let (end, elapsed) = (clock.ticks(), instant.elapsed());
        let told = clock.anchor().between(start, end);
        let off = told.abs_diff(elapsed);
        assert!(off < Duration::from_micros(200), "told {told:?}, took {elapsed:?}");
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_machine_that_slept_keeps_its_rate() {
        let start = monotonic();
        let at = |seconds: u64, ticks: u64| Pair { ticks, instant: start + Duration::from_secs(seconds) };
        let (two_ghz, hour) = (ONE / 2, 3600);
        let first = at(0, 0);
        let mut since = Since { first, last: first };
        assert_eq!(since.rate(at(hour, hour * 2_000_000_000), ONE), two_ghz);
        // The counter went on for eight hours while the clock stood.
        let rate = since.rate(at(hour + 1, 9 * hour * 2_000_000_000), two_ghz);
        assert_eq!(rate, two_ghz);
        assert_eq!(since.rate(at(hour + 2, 9 * hour * 2_000_000_000 + 2_000_000_000), rate), two_ghz);
        // It began anew.
        assert_eq!(since.rate(at(hour + 3, 5), two_ghz), two_ghz);
    }

    #[test]
    fn a_step_of_the_wall_clock_is_followed_and_changes_no_duration() {
        let clock = Clock::system();
        let (start, end) = (clock.ticks(), Ticks(clock.ticks().0 + 1_000_000));
        let before = clock.anchor().between(start, end);
        // As if the wall clock had been an hour behind when the anchor was set.
        clock.anchor.lock().unwrap().unix -= 3_600_000_000_000;
        clock.calibrate();
        let off = clock.now().0.abs_diff(unix_now());
        assert!(off < 2_000_000, "{off} ns off after a step");
        let after = clock.anchor().between(start, end);
        assert!(before.abs_diff(after) < before / 10, "{before:?} became {after:?}");
    }

    #[test]
    fn an_end_before_its_start_takes_no_time() {
        let clock = Clock::system();
        let now = clock.ticks();
        assert_eq!(clock.anchor().between(Ticks(now.0 + 500), now), Duration::ZERO);
    }
}

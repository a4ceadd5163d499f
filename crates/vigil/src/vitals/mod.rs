//! Vitals: what a running agent can know about itself, to act on it.
//!
//! ```
//! use std::time::Duration;
//! use vigil::{Budget, Limits};
//!
//! let telemetry = vigil::from_env("researcher").start();
//! let budget = Budget::new(Limits::none().tokens(30_000));
//! telemetry.watch_budget(&budget);
//! // Every turn:
//! let vitals = telemetry.vitals();
//! if vitals.pressure() > 0.5 { /* slow down: most tries of the last minute were throttled */ }
//! if vitals.time_to_exhaustion().is_some_and(|time| time < Duration::from_secs(60)) { /* a cheaper model */ }
//! if vitals.error_streak() >= 5 { /* stop and ask */ }
//! # telemetry.shutdown(Duration::ZERO);
//! ```
//!
//! Made of the same records as everything else, before sampling, so nothing is said twice. What is recorded shows
//! within two rounds of the assembler, usually 200 ms. The budget is read as it is now. Reading takes no lock and less than
//! 100 ns; nothing is computed for whoever does not ask.
//!
//! With telemetry off only the budget is known; everything else says that nothing happened. Replayed work counts
//! nothing. A process with several agents on one telemetry value sees them together.

mod tracker;
mod window;

use crate::budget::Budget;
use crate::record::Recorder;
use crate::span::BudgetLeft;
use arc_swap::Guard;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use vigil_core::contract::SpanKind;
use vigil_core::fact::{Text, UnixNanos};
use vigil_core::vocab::{EconomicMode, OperatingMode, Phase};

pub(crate) use tracker::{Glance, SLOW_AFTER, SLOW_MAX, Tracker};

/// What was seen until a moment. Made by the assembler, never changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    as_of: UnixNanos,
    tokens: u64,
    nano_usd: u64,
    unpriced_calls: u64,
    /// In the last minute.
    recent_tokens: u64,
    recent_nano_usd: u64,
    /// How much of the last minute there was, since the first call.
    recent: Duration,
    error_streak: u32,
    tools_recent: u32,
    tools_recent_failed: u32,
    context_tokens: Option<u64>,
    context_pressure: Option<f64>,
    operating_mode: Option<OperatingMode>,
    economic_mode: Option<EconomicMode>,
    phase: Option<(Phase, UnixNanos)>,
    throttles: Vec<ServicePressure>,
    slow: Vec<SlowCall>,
    /// Records that were lost after they were recorded.
    lost: u64,
}

/// What there is to be read, at one place: what was seen and the budget that is watched. Never changed; whoever has news
/// of the one puts it in its place with the other as it is.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    seen: Seen,
    budget: Option<Budget>,
}

impl Shown {
    /// The same with `budget` in the place of another.
    pub(crate) fn watching(&self, budget: &Budget) -> Self {
        Self { seen: self.seen.clone(), budget: Some(budget.clone()) }
    }

    /// The same with `seen` in the place of what was seen before.
    fn seeing(&self, seen: &Seen) -> Self {
        Self { seen: seen.clone(), budget: self.budget.clone() }
    }
}

/// How a service treats the agent.
#[derive(Clone, PartialEq, Debug)]
pub struct ServicePressure {
    /// The service: a provider, or a category such as `github`.
    pub service: Text,
    /// How often it throttled in the last minute.
    pub throttled: u64,
    /// How often it did what it was asked in the last minute.
    pub served: u64,
    /// When it throttled last.
    pub last_throttled: UnixNanos,
    /// Until when it asked to wait, as far as it did.
    pub wait_until: Option<UnixNanos>,
}

impl ServicePressure {
    /// The share of the last minute's tries that it throttled, 0 to 1.
    pub fn pressure(&self) -> f64 {
        match self.throttled + self.served {
            0 => 0.0,
            tries => self.throttled as f64 / tries as f64,
        }
    }
}

/// Work that has been under way for more than 5 seconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SlowCall {
    /// What kind of work it is.
    pub kind: SpanKind,
    /// The model, tool or capability.
    pub target: Text,
    /// When it started.
    pub start: UnixNanos,
}

/// An agent's numbers about itself; made by [`Telemetry::vitals`](crate::Telemetry::vitals).
///
/// To be read and dropped. To keep it, clone it: the eighth and further ones that a thread holds uncloned may cost more
/// to make. As long as it is there, the budget it tells of stays open.
pub struct Vitals {
    /// Not counted while few are held: counting is half of what reading costs.
    shown: Guard<Arc<Shown>>,
    recorder: Option<&'static Recorder>,
    left: Option<BudgetLeft>,
}

impl Clone for Vitals {
    fn clone(&self) -> Self {
        Self { shown: Guard::from_inner(Arc::clone(&self.shown)), recorder: self.recorder, left: self.left }
    }
}

impl fmt::Debug for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vitals").field("seen", self.seen()).field("left", &self.left).finish_non_exhaustive()
    }
}

impl Vitals {
    #[inline]
    pub(crate) fn new(shown: Guard<Arc<Shown>>, recorder: Option<&'static Recorder>) -> Self {
        let left = shown.budget.as_ref().map(Budget::left);
        Self { shown, recorder, left }
    }

    #[inline(always)]
    fn seen(&self) -> &Seen {
        &self.shown.seen
    }

    fn since(&self, then: UnixNanos) -> Duration {
        self.recorder.map_or(Duration::ZERO, |recorder| then.until(recorder.clock.now()))
    }

    /// Tokens of all model calls that ended, input and output.
    pub fn tokens_used(&self) -> u64 {
        self.seen().tokens
    }

    /// What the calls with a price cost, in billionths of a US dollar.
    pub fn nano_usd_used(&self) -> u64 {
        self.seen().nano_usd
    }

    /// Model calls whose model has no price: what they cost is not in the sum.
    pub fn unpriced_calls(&self) -> u64 {
        self.seen().unpriced_calls
    }

    /// What is left of the budget that is [watched](crate::Telemetry::watch_budget).
    pub fn left(&self) -> Option<BudgetLeft> {
        self.left
    }

    /// Tokens a minute, over the last minute or as long as there have been calls.
    pub fn tokens_per_minute(&self) -> f64 {
        self.per_minute(self.seen().recent_tokens)
    }

    /// Billionths of a US dollar a minute, over the last minute or as long as there have been calls.
    pub fn nano_usd_per_minute(&self) -> f64 {
        self.per_minute(self.seen().recent_nano_usd)
    }

    fn per_minute(&self, amount: u64) -> f64 {
        match self.seen().recent.as_secs_f64() {
            // Less than a second says nothing about a minute.
            seconds if seconds < 1.0 => amount as f64,
            seconds => amount as f64 * 60.0 / seconds,
        }
    }

    /// How long the budget lasts if the agent goes on like in the last minute: the least of tokens, money and time.
    /// `None` where nothing limits it, or nothing is being used.
    pub fn time_to_exhaustion(&self) -> Option<Duration> {
        let left = self.left?;
        let lasts = |left: Option<f64>, per_minute: f64| {
            let seconds = left? / per_minute * 60.0;
            Duration::try_from_secs_f64(seconds.max(0.0)).ok()
        };
        let tokens = lasts(left.tokens_remaining.map(|tokens| tokens as f64), self.tokens_per_minute());
        let money = lasts(left.cost_remaining_nano_usd.map(|nano| nano as f64), self.nano_usd_per_minute());
        [tokens, money, left.time_remaining].into_iter().flatten().min()
    }

    /// Model and tool calls that failed one after the other, up to the last one that ended.
    pub fn error_streak(&self) -> u32 {
        self.seen().error_streak
    }

    /// The share of the last 32 tool calls that failed, 0 to 1. `None` before the first.
    pub fn tool_failure_rate(&self) -> Option<f64> {
        let all = self.seen().tools_recent;
        (all > 0).then(|| f64::from(self.seen().tools_recent_failed) / f64::from(all))
    }

    /// Services that throttled in the last minute, at most 16.
    pub fn throttles(&self) -> &[ServicePressure] {
        &self.seen().throttles
    }

    /// The highest [pressure](ServicePressure::pressure) of any service, 0 to 1.
    pub fn pressure(&self) -> f64 {
        self.seen().throttles.iter().map(ServicePressure::pressure).fold(0.0, f64::max)
    }

    /// How long services have asked to wait from now on, at most; zero when none has.
    pub fn wait(&self) -> Duration {
        let Some(recorder) = self.recorder else { return Duration::ZERO };
        let now = recorder.clock.now();
        let waits = self.seen().throttles.iter().filter_map(|service| Some(now.until(service.wait_until?)));
        waits.max().unwrap_or_default()
    }

    /// Tokens the last model call had in its context: what went in and what came out.
    pub fn context_tokens(&self) -> Option<u64> {
        self.seen().context_tokens
    }

    /// How full the model's context is, 0 to 1, as it was last recorded
    /// ([`record_state`](crate::Span::record_state)).
    pub fn context_pressure(&self) -> Option<f64> {
        self.seen().context_pressure
    }

    /// The mode of the last transition.
    pub fn operating_mode(&self) -> Option<OperatingMode> {
        self.seen().operating_mode
    }

    /// The economic mode that was recorded last.
    pub fn economic_mode(&self) -> Option<EconomicMode> {
        self.seen().economic_mode
    }

    /// The phase that started last and has not ended, and for how long it has been going on.
    pub fn phase(&self) -> Option<(Phase, Duration)> {
        self.seen().phase.map(|(phase, start)| (phase, self.since(start)))
    }

    /// Calls that have been under way for more than 5 seconds, the oldest first, at most 16.
    pub fn slow_calls(&self) -> &[SlowCall] {
        &self.seen().slow
    }

    /// Records that telemetry lost so far: those that did not fit in a buffer, were too large, or could not be
    /// delivered.
    pub fn lost_records(&self) -> u64 {
        self.seen().lost + self.recorder.map_or(0, |recorder| recorder.refused.total())
    }

    /// How old what is said here is, but for the budget.
    pub fn age(&self) -> Duration {
        self.since(self.seen().as_of)
    }
}

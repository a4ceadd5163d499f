//! What the gateway costs a call, and what asking for leave and reading one's vitals cost.
//!
//! The same handler is called as a function, through the gateway with telemetry off, and through it with telemetry on;
//! slices take turns in one process on one thread. Figures are CPU time of that thread, medians over slices.

use crate::alloc;
use crate::measure::{Spread, nanos, thread_cpu};
use serde::Serialize;
use std::convert::Infallible;
use std::hint::black_box;
use std::time::Duration;
use vigil::deliver::{DestinationConfig, MemoryDestination, Target};
use vigil::gateway::{Gateway, Policy};
use vigil::{AgentSpan, Ask, Budget, Limits, LogFormat, Telemetry};

/// Calls in a slice: with telemetry on, their records fit any buffer.
const CALLS: u32 = 4096;
/// Slices whose figures are thrown away, and those that count.
const WARM_UP: usize = 3;
const ROUNDS: usize = 200;
const ROUNDS_QUICK: usize = 40;

/// One thing that is done over and over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum What {
    Bare,
    Off,
    OffWithTime,
    On,
    Admit,
    Vitals,
}

impl What {
    const ALL: [What; 6] = [What::Bare, What::Off, What::OffWithTime, What::On, What::Admit, What::Vitals];

    pub(crate) fn title(self) -> &'static str {
        match self {
            What::Bare => "the handler, called as a function",
            What::Off => "through the gateway: a rule, a budget, telemetry off",
            What::OffWithTime => "the same, for an agent whose time is limited",
            What::On => "through the gateway, telemetry on",
            What::Admit => "a budget: admit a model call, settle it",
            What::Vitals => "vitals, with a budget and a time limit",
        }
    }
}

/// What one of them costs, once.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) what: What,
    pub(crate) cpu_ns: Spread,
    pub(crate) allocations: f64,
}

/// The handler: something that is not nothing, and allocates nothing.
#[inline(never)]
fn handler(number: u64) -> Result<u64, Infallible> {
    Ok(black_box(number).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn policy() -> Policy {
    let policy = Policy::deny_all().allow("fs.read", 0).allow("fs.write", 5).allow("llm.call", 0).allow("time.now", 0);
    policy.allow("net.fetch", u64::MAX)
}

/// Everything that is measured, set up.
struct Bench {
    off: (Telemetry, AgentSpan),
    on: (Telemetry, AgentSpan),
    memory: MemoryDestination,
    gateway: Gateway,
    with_time: Gateway,
    budget: Budget,
}

fn start(builder: vigil::Builder) -> (Telemetry, AgentSpan) {
    let telemetry = builder.start();
    let agent = telemetry.agent_span("session", "bench");
    (telemetry, agent)
}

impl Bench {
    fn new() -> Self {
        let memory = MemoryDestination::new();
        let builder = || vigil::from_env("bench").environment([]).log_format(LogFormat::Off);
        let destination = DestinationConfig::new("memory", Target::Memory(memory.clone()));
        let limits = Limits::none().tokens(u64::MAX).nano_usd(u64::MAX).tool_calls(u64::MAX);
        let budget = Budget::new(limits.time(Duration::from_secs(86_400)));
        let on = start(builder().destination(destination));
        on.0.watch_budget(&budget);
        Self {
            off: start(builder().enabled(false)),
            on,
            memory,
            gateway: Gateway::new(policy()),
            with_time: Gateway::builder(policy()).budget(&budget).build(),
            budget,
        }
    }

    fn run(&self, what: What) -> u64 {
        let mut sum = 0_u64;
        let through = |gateway: &Gateway, agent: &AgentSpan, number: u64| {
            gateway.call(agent, "net.fetch", number, handler).unwrap_or_default()
        };
        for number in 0..u64::from(CALLS) {
            let value = match what {
                What::Bare => handler(number).unwrap_or_default(),
                What::Off => through(&self.gateway, &self.off.1, number),
                What::OffWithTime => through(&self.with_time, &self.off.1, number),
                What::On => through(&self.gateway, &self.on.1, number),
                What::Admit => {
                    let ask = Ask { tokens: Some(number), nano_usd: Some(number), tool_calls: None };
                    self.budget.admit(&self.off.1, ask).map(|admission| admission.settle(&self.off.1)).is_ok().into()
                }
                What::Vitals => black_box(self.on.0.vitals()).tokens_used(),
            };
            sum = sum.wrapping_add(value);
        }
        sum
    }

    fn settle(&self) {
        self.on.0.flush(Duration::from_secs(30));
        drop(self.memory.take());
    }
}

/// Measures everything. `progress` is told after every round.
pub(crate) fn run(quick: bool, progress: impl Fn(usize, usize)) -> Vec<Cost> {
    let bench = Bench::new();
    let rounds = WARM_UP + if quick { ROUNDS_QUICK } else { ROUNDS };
    let mut slices: Vec<Vec<(f64, u64)>> = vec![Vec::new(); What::ALL.len()];
    for round in 0..rounds {
        for (what, slices) in What::ALL.into_iter().zip(&mut slices) {
            let (allocations, cpu) = (alloc::on_this_thread(), thread_cpu());
            black_box(bench.run(what));
            let taken = nanos(thread_cpu().saturating_sub(cpu)) as f64 / f64::from(CALLS);
            let allocations = alloc::on_this_thread() - allocations;
            bench.settle();
            if round >= WARM_UP {
                slices.push((taken, allocations));
            }
        }
        progress(round + 1, rounds);
    }
    let cost = |(what, slices): (What, Vec<(f64, u64)>)| Cost {
        what,
        cpu_ns: Spread::of(slices.iter().map(|(nanos, _)| *nanos)),
        allocations: Spread::of(slices.iter().map(|(_, count)| *count as f64 / f64::from(CALLS))).median,
    };
    What::ALL.into_iter().zip(slices).map(cost).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_comes_to_the_same() {
        let bench = Bench::new();
        let bare = bench.run(What::Bare);
        for what in [What::Off, What::OffWithTime, What::On] {
            assert_eq!(bench.run(what), bare, "{what:?}");
        }
        assert_eq!(bench.run(What::Admit), u64::from(CALLS));
    }
}

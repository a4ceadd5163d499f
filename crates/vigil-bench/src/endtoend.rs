//! Loads against a sink, each in a process of its own, so that one's CPU and memory are not another's.

use crate::load::{Load, Order, Outcome, Who};
use crate::measure::Spread;
use crate::process::Process;
use crate::sink::Counts;
use serde::Serialize;
use std::error::Error;

/// Spans in a burst.
const BURST_SPANS: u32 = 200_000;
/// Spans a second under steady load.
const STEADY_SPANS_PER_SECOND: u32 = 100_000;
/// Who is measured how, in turns.
const STEADY: [Who; 3] = [Who::Nothing, Who::Vigil, Who::Sdk];
const BURST: [Who; 2] = [Who::Vigil, Who::Sdk];

/// One run: what the process saw and what arrived.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Run {
    pub(crate) who: Who,
    pub(crate) load: Load,
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
    /// What the sink counted; the agent's own span and Vigil's events and metrics are among it.
    pub(crate) sink: Counts,
}

impl Run {
    /// Of the recorded spans, those that the sink was given.
    pub(crate) fn delivered(&self) -> u64 {
        // The agent's span comes last, or not at all.
        self.sink.spans.saturating_sub(1).min(self.outcome.recorded)
    }

    pub(crate) fn lost(&self) -> u64 {
        self.outcome.recorded - self.delivered()
    }

    pub(crate) fn cpu_ns_per_recorded(&self) -> f64 {
        self.outcome.cpu_ns as f64 / self.outcome.recorded.max(1) as f64
    }
}

/// Runs of every exporter under every load, in turns. `progress` is told before every round.
pub(crate) fn run(
    quick: bool,
    wants: impl Fn(&str) -> bool,
    progress: impl Fn(usize, usize),
) -> Result<Vec<Run>, Box<dyn Error>> {
    let (rounds, seconds) = if quick { (1, 2) } else { (3, 4) };
    let mut runs = Vec::new();
    for round in 0..rounds {
        if wants("steady") || wants("burst") {
            progress(round + 1, rounds);
        }
        if wants("steady") {
            let load = Load::Steady { spans_per_second: STEADY_SPANS_PER_SECOND, seconds };
            for who in STEADY {
                runs.push(one(who, load)?);
            }
        }
        if wants("burst") {
            for who in BURST {
                runs.push(one(who, Load::Burst { spans: BURST_SPANS })?);
            }
        }
    }
    Ok(runs)
}

fn one(who: Who, load: Load) -> Result<Run, Box<dyn Error>> {
    let mut sink = Process::start(&["sink"])?;
    let endpoint: String = sink.answer()?;
    let outcome = Process::start(&["load"])?.ask(&Order { who, load, endpoint })?;
    Ok(Run { who, load, outcome, sink: sink.ask(&())? })
}

/// The runs of one exporter under one kind of load, summed up.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) who: Who,
    pub(crate) burst: bool,
    pub(crate) recorded: u64,
    pub(crate) lost: Spread,
    pub(crate) cpu_ns_per_span: Spread,
    pub(crate) recording_ns_per_span: Spread,
    pub(crate) memory_peak_mb: Spread,
    pub(crate) memory_after_mb: Spread,
    pub(crate) last_word: String,
}

/// A summary for every exporter and kind of load that was run.
pub(crate) fn summaries(runs: &[Run]) -> Vec<Summary> {
    let mut summaries = Vec::new();
    for (burst, everyone) in [(false, &STEADY[..]), (true, &BURST[..])] {
        for &who in everyone {
            let of = |run: &&Run| run.who == who && matches!(run.load, Load::Burst { .. }) == burst;
            let runs: Vec<&Run> = runs.iter().filter(of).collect();
            let Some(last) = runs.last() else { continue };
            let spread = |value: &dyn Fn(&Run) -> f64| Spread::of(runs.iter().map(|run| value(run)));
            let megabytes = |kib: u64| kib as f64 * 1024.0 / 1e6;
            summaries.push(Summary {
                who,
                burst,
                recorded: last.outcome.recorded,
                // With nothing to export nothing is meant to arrive.
                lost: if who == Who::Nothing { Spread::default() } else { spread(&|run| run.lost() as f64) },
                cpu_ns_per_span: spread(&Run::cpu_ns_per_recorded),
                recording_ns_per_span: spread(&|run| {
                    run.outcome.recording_ns as f64 / run.outcome.recorded.max(1) as f64
                }),
                memory_peak_mb: spread(&|run| megabytes(run.outcome.memory_peak_kib)),
                memory_after_mb: spread(&|run| megabytes(run.outcome.memory_after_kib)),
                last_word: last.outcome.last_word.clone(),
            });
        }
    }
    summaries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(who: Who, load: Load, recorded: u64, spans: u64) -> Run {
        let outcome = Outcome { recorded, cpu_ns: recorded * 500, memory_peak_kib: 1000, ..Outcome::default() };
        Run { who, load, outcome, sink: Counts { spans, ..Counts::default() } }
    }

    #[test]
    fn the_agents_own_span_is_not_taken_for_a_recorded_one() {
        let load = Load::Burst { spans: 10 };
        assert_eq!(run(Who::Vigil, load, 10, 11).lost(), 0);
        assert_eq!(run(Who::Sdk, load, 10, 4).lost(), 7);
        assert_eq!(run(Who::Sdk, load, 10, 0).lost(), 10);
    }

    #[test]
    fn runs_are_summed_up_by_exporter_and_load() {
        let burst = Load::Burst { spans: 10 };
        let steady = Load::Steady { spans_per_second: 10, seconds: 1 };
        let runs = [
            run(Who::Vigil, burst, 10, 11),
            run(Who::Sdk, burst, 10, 4),
            run(Who::Sdk, burst, 10, 5),
            run(Who::Sdk, burst, 10, 6),
            run(Who::Nothing, steady, 10, 0),
        ];
        let summaries = summaries(&runs);
        let lost =
            |who, burst| summaries.iter().find(|one| one.who == who && one.burst == burst).map(|one| one.lost.median);
        assert_eq!(lost(Who::Vigil, true), Some(0.0));
        assert_eq!(lost(Who::Sdk, true), Some(6.0));
        assert_eq!(lost(Who::Nothing, false), Some(0.0));
        assert_eq!(lost(Who::Vigil, false), None);
        assert!((summaries[0].cpu_ns_per_span.median - 500.0).abs() < 1e-9);
    }
}

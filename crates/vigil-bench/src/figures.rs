//! What is asked of Vigil, and whether this run shows it.
//!
//! A ratio of recording costs is the median of those of the rounds: what is measured in one round is measured next to
//! each other, so that a machine that is faster for a while is so for both. Ratios from end to end, where runs are few,
//! are of medians.

use crate::endtoend::Summary;
use crate::equality::Comparison;
use crate::gateway::{Cost as Call, What};
use crate::load::Who;
use crate::measure::{Spread, THREADS};
use crate::recording::{Cost, Measured, Round};
use crate::workload::Shape;
use serde::Serialize;

/// How far a value may go.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

/// One thing that is asked.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) limit: Limit,
    pub(crate) unit: &'static str,
    pub(crate) value: f64,
    pub(crate) met: bool,
}

impl Figure {
    fn new(what: impl Into<String>, limit: Limit, unit: &'static str, value: f64) -> Self {
        let met = match limit {
            Limit::AtLeast(least) => value >= least,
            Limit::AtMost(most) => value <= most,
        };
        Self { what: what.into(), limit, unit, value, met }
    }
}

/// How many times cheaper a span of that shape must be than one of the peer.
const CHEAPER: [(Shape, &str, &str, f64); 4] = [
    (Shape::Capability, "bridge-lean", "tracing-opentelemetry with its extras off", 25.0),
    (Shape::Chat, "bridge-lean", "tracing-opentelemetry with its extras off", 20.0),
    (Shape::Capability, "fastrace", "fastrace", 6.0),
    (Shape::Capability, "sdk", "the OpenTelemetry SDK", 6.0),
];

/// Every figure that what was measured can answer.
pub(crate) fn figures(
    recording: &[Measured],
    endtoend: &[Summary],
    equality: &[Comparison],
    gateway: &[Call],
) -> Vec<Figure> {
    let mut figures = Vec::new();
    of_recording(&mut figures, recording);
    of_end_to_end(&mut figures, endtoend);
    if !equality.is_empty() {
        let different: usize = equality.iter().map(|comparison| comparison.different.len()).sum();
        let what = "on the wire: differences from the SDK's spans";
        figures.push(Figure::new(what, Limit::AtMost(0.0), "", different as f64));
    }
    of_gateway(&mut figures, gateway);
    figures
}

fn of_gateway(figures: &mut Vec<Figure>, gateway: &[Call]) {
    let of = |what| gateway.iter().find(|call| call.what == what);
    if let (Some(bare), Some(off)) = (of(What::Bare), of(What::Off)) {
        let above = off.cpu_ns.median - bare.cpu_ns.median;
        figures.push(Figure::new("gateway, telemetry off: above the handler", Limit::AtMost(60.0), " ns", above));
        let what = "gateway, telemetry off: allocations a call";
        figures.push(Figure::new(what, Limit::AtMost(0.0), "", off.allocations));
    }
    if let Some(vitals) = of(What::Vitals) {
        figures.push(Figure::new("vitals", Limit::AtMost(100.0), " ns", vitals.cpu_ns.median));
    }
}

fn of_recording(figures: &mut Vec<Figure>, recording: &[Measured]) {
    let cost = |name: &str, shape, threads| -> Option<&Cost> {
        recording.iter().find(|measured| measured.name == name)?.cost(shape, threads)
    };
    let mut push = |what: String, limit, unit, value: Option<f64>| {
        figures.extend(value.map(|value| Figure::new(what, limit, unit, value)));
    };
    let ratio = |above: Option<Vec<f64>>, below: Option<Vec<f64>>| {
        let ratios: Vec<f64> = above?.into_iter().zip(below?).map(|(above, below)| above / below).collect();
        (!ratios.is_empty()).then(|| Spread::of(ratios).median)
    };
    let rounds = |name: &str, shape, threads, value: fn(&Round) -> f64| -> Option<Vec<f64>> {
        Some(cost(name, shape, threads)?.rounds.iter().map(value).collect())
    };
    let cpu = |name: &str, shape, threads| rounds(name, shape, threads, |round| round.cpu_ns);
    let process_cpu = |name: &str, shape| rounds(name, shape, 1, |round| round.process_cpu_ns);
    for shape in Shape::ALL {
        let value = ratio(cpu("vigil-off", shape, 1), cpu("tracing-off", shape, 1));
        push(format!("off, {shape}: against tracing without a subscriber"), Limit::AtMost(1.5), "×", value);
    }
    for (shape, peer, title, least) in CHEAPER {
        let value = ratio(cpu(peer, shape, 1), cpu("vigil", shape, 1));
        push(format!("on, {shape}: cheaper than {title}"), Limit::AtLeast(least), "×", value);
    }
    let value = ratio(cpu("vigil", Shape::Capability, 1), cpu("floor", Shape::Capability, 1));
    push("on, capability: against the floor".to_owned(), Limit::AtMost(2.0), "×", value);
    for shape in Shape::ALL {
        let value = ratio(cpu("vigil", shape, THREADS), cpu("vigil", shape, 1));
        push(format!("on, {shape}: {THREADS} threads against 1"), Limit::AtMost(1.5), "×", value);
    }
    for name in ["vigil-off", "vigil", "vigil-spool"] {
        for shape in Shape::ALL {
            let value = cost(name, shape, 1).map(|cost| cost.allocations.median);
            push(format!("{name}, {shape}: allocations a span"), Limit::AtMost(0.0), "", value);
        }
    }
    for shape in Shape::ALL {
        let value = ratio(process_cpu("tracing-json", shape), process_cpu("vigil-json", shape));
        push(format!("JSON log, {shape}: cheaper than tracing's, whole process"), Limit::AtLeast(10.0), "×", value);
    }
    for name in ["vigil", "vigil-spool", "vigil-json"] {
        let measured = recording.iter().find(|measured| measured.name == name);
        let lost = measured.and_then(|measured| measured.account.lost());
        push(format!("{name}: spans lost while measuring"), Limit::AtMost(0.0), "", lost.map(|lost| lost as f64));
    }
}

fn of_end_to_end(figures: &mut Vec<Figure>, endtoend: &[Summary]) {
    let of = |who, burst| endtoend.iter().find(|one| one.who == who && one.burst == burst);
    if let (Some(ours), Some(theirs)) = (of(Who::Vigil, false), of(Who::Sdk, false)) {
        let value = ours.cpu_ns_per_span.median / theirs.cpu_ns_per_span.median;
        let what = "end to end at 100 000 spans/s: CPU a span against the SDK";
        figures.push(Figure::new(what, Limit::AtMost(0.35), "×", value));
        let what = "end to end at 100 000 spans/s: spans lost";
        figures.push(Figure::new(what, Limit::AtMost(0.0), "", ours.lost.median));
    }
    if let Some(ours) = of(Who::Vigil, true) {
        let what = "burst of 200 000: spans lost";
        figures.push(Figure::new(what, Limit::AtMost(0.0), "", ours.lost.median));
        let what = "burst of 200 000: resident memory at its peak";
        figures.push(Figure::new(what, Limit::AtMost(200.0), " MB", ours.memory_peak_mb.median));
        let what = "burst of 200 000: resident memory 2 s later";
        figures.push(Figure::new(what, Limit::AtMost(40.0), " MB", ours.memory_after_mb.median));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_itself_is_within_it() {
        assert!(Figure::new("", Limit::AtMost(1.5), "×", 1.5).met);
        assert!(!Figure::new("", Limit::AtMost(1.5), "×", 1.51).met);
        assert!(Figure::new("", Limit::AtLeast(25.0), "×", 25.0).met);
        assert!(!Figure::new("", Limit::AtLeast(25.0), "×", 24.9).met);
    }

    #[test]
    fn a_ratio_is_of_what_was_measured_next_to_each_other() {
        let cost = |rounds: [f64; 3]| Cost {
            shape: Shape::Capability,
            threads: 1,
            slices: 3,
            cpu_ns: Spread::of(rounds),
            wall_ns: Spread::of(rounds),
            process_cpu_ns: Spread::of(rounds),
            allocations: Spread::of([0.0; 3]),
            rounds: rounds.map(|nanos| Round { cpu_ns: nanos, process_cpu_ns: nanos }).to_vec(),
        };
        let measured = |name, rounds| {
            let account = crate::worker::Account { recorded: 3, arrived: Some(3) };
            Measured { name, title: name, costs: vec![cost(rounds)], account }
        };
        // The machine was twice as fast in one round, and the peer was disturbed in another.
        let recording = [measured("vigil", [40.0, 20.0, 40.0]), measured("fastrace", [260.0, 130.0, 900.0])];
        let judged = figures(&recording, &[], &[], &[]);
        let fastrace = judged.iter().find(|figure| figure.what.ends_with("fastrace")).unwrap();
        assert_eq!(fastrace.value, 6.5);
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        assert!(figures(&[], &[], &[], &[]).is_empty());
        let comparison = Comparison { span: "chat", same: 1, different: vec!["a".into()], added: vec![] };
        let judged = figures(&[], &[], &[comparison], &[]);
        assert_eq!(judged.len(), 1);
        assert!(!judged[0].met);
    }
}

//! The results, for people (at most 110 columns) and as JSON.

use crate::endtoend::{Run, Summary, summaries};
use crate::equality::Comparison;
use crate::figures::{Figure, Limit, figures};
use crate::gateway::{Cost as Call, What};
use crate::machine::Machine;
use crate::measure::{BURST_SPANS, Spread, THREADS};
use crate::recording::{Cost, Measured};
use crate::workload::Shape;
use serde::Serialize;
use std::fmt::{self, Write};

/// Everything one run came to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    figures: Vec<Figure>,
    recording: Vec<Measured>,
    end_to_end: Vec<Summary>,
    runs: Vec<Run>,
    equality: Vec<Comparison>,
    gateway: Vec<Call>,
}

impl Report {
    pub(crate) fn new(
        machine: Machine,
        recording: Vec<Measured>,
        runs: Vec<Run>,
        equality: Vec<Comparison>,
        gateway: Vec<Call>,
    ) -> Self {
        let end_to_end = summaries(&runs);
        let figures = figures(&recording, &end_to_end, &equality, &gateway);
        Self { machine, figures, recording, end_to_end, runs, equality, gateway }
    }

    pub(crate) fn json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        self.write(&mut text).ok();
        text
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let machine = &self.machine;
        writeln!(out, "{} · {}, {} cores · Linux {}", machine.date, machine.cpu, machine.cores, machine.kernel)?;
        writeln!(out, "{} · load average before {}", machine.rustc, machine.load_average)?;
        let versions = machine.versions.iter().map(|(name, version)| format!("{name} {version}"));
        wrapped(out, versions, " · ")?;
        writeln!(out, "{}\n", machine.command)?;
        if !self.recording.is_empty() {
            self.one_thread(out)?;
            self.many_threads(out)?;
        }
        if !self.end_to_end.is_empty() {
            self.loads(out)?;
        }
        if !self.equality.is_empty() {
            self.wire(out)?;
        }
        if !self.gateway.is_empty() {
            self.calls(out)?;
        }
        self.judgement(out)
    }

    fn calls(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "Calls through the gateway, 1 thread, ns of CPU each: median (p10 to p90), against a bare call")?;
        let bare = self.gateway.iter().find(|call| call.what == What::Bare).map_or(0.0, |call| call.cpu_ns.median);
        for call in &self.gateway {
            let ratio = format!("{}×", number(call.cpu_ns.median / bare));
            let allocations = format!("{} allocations", number(call.allocations));
            let cost = with_spread(&call.cpu_ns);
            writeln!(out, "{:54}{cost:>24}{ratio:>10}{allocations:>18}", call.what.title())?;
        }
        writeln!(out)
    }

    fn one_thread(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "Recording, 1 thread, ns of the thread's CPU a span: median (p10 to p90), allocations a span")?;
        writeln!(out, "{:44}{:>26}{:>7}{:>26}{:>7}", "", "capability, 4 attributes", "alloc", "chat, 11", "alloc")?;
        for measured in &self.recording {
            write!(out, "{:44}", measured.title)?;
            for shape in Shape::ALL {
                let Some(cost) = measured.cost(shape, 1) else { continue };
                write!(out, "{:>26}{:>7}", with_spread(&cost.cpu_ns), number(cost.allocations.median))?;
            }
            writeln!(out)?;
        }
        writeln!(out, "bursts of {BURST_SPANS} spans, settled in between\n")
    }

    fn many_threads(&self, out: &mut String) -> fmt::Result {
        writeln!(
            out,
            "Recording, {THREADS} threads, the same; process: CPU of all its threads with 1 recording; lost spans"
        )?;
        writeln!(
            out,
            "{:44}{:>12}{:>7}{:>12}{:>7}{:>10}{:>9}{:>8}",
            "", "capability", "×1", "chat", "×1", "process c", "chat", "lost"
        )?;
        for measured in &self.recording {
            write!(out, "{:44}", measured.title)?;
            for shape in Shape::ALL {
                let median = |threads| measured.cost(shape, threads).map_or(0.0, |cost| cost.cpu_ns.median);
                let ratio = format!("{:.2}", median(THREADS) / median(1));
                write!(out, "{:>12}{ratio:>7}", number(median(THREADS)))?;
            }
            let process = |cost: Option<&Cost>| number(cost.map_or(0.0, |cost| cost.process_cpu_ns.median));
            let (capability, chat) = (measured.cost(Shape::Capability, 1), measured.cost(Shape::Chat, 1));
            let lost = measured.account.lost().map_or_else(|| "-".to_owned(), |lost| lost.to_string());
            writeln!(out, "{:>10}{:>9}{lost:>8}", process(capability), process(chat))?;
        }
        writeln!(out)
    }

    fn loads(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "End to end, OTLP/HTTP to a sink on the loopback, chats from one thread, a process each")?;
        writeln!(
            out,
            "{:34}{:>11}{:>11}{:>13}{:>13}{:>12}{:>14}",
            "", "spans", "lost", "CPU ns/span", "caller ns", "peak MB", "MB 2 s later"
        )?;
        for summary in &self.end_to_end {
            let load = if summary.burst { "burst" } else { "steady" };
            writeln!(
                out,
                "{:34}{:>11}{:>11}{:>13}{:>13}{:>12}{:>14}",
                format!("{load}: {}", summary.who.title()),
                summary.recorded,
                number(summary.lost.median),
                number(summary.cpu_ns_per_span.median),
                // Under steady load the caller sleeps most of the time.
                if summary.burst { number(summary.recording_ns_per_span.median) } else { "-".to_owned() },
                number(summary.memory_peak_mb.median),
                number(summary.memory_after_mb.median),
            )?;
        }
        for summary in self.end_to_end.iter().filter(|summary| summary.burst) {
            writeln!(out, "  burst, {} says: {}", summary.who.title(), summary.last_word)?;
        }
        writeln!(out)
    }

    fn wire(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "On the wire, decoded, against the SDK's output for the same spans")?;
        for comparison in &self.equality {
            let differences = match comparison.different.is_empty() {
                true => "no difference".to_owned(),
                false => comparison.different.join("; "),
            };
            writeln!(out, "  {}: {} attributes the same, {differences}", comparison.span, comparison.same)?;
            let added = comparison.added.iter().map(String::as_str);
            writeln!(out, "    vigil adds")?;
            for attribute in added {
                writeln!(out, "      {attribute}")?;
            }
        }
        writeln!(out)
    }

    fn judgement(&self, out: &mut String) -> fmt::Result {
        for figure in &self.figures {
            let (sign, limit) = match figure.limit {
                Limit::AtLeast(limit) => ('≥', limit),
                Limit::AtMost(limit) => ('≤', limit),
            };
            let wanted = format!("{sign} {limit}{}", figure.unit);
            let value = format!("{}{}", number(figure.value), figure.unit);
            let mark = if figure.met { '✓' } else { '✗' };
            writeln!(out, "{mark} {:72}{wanted:>14}{value:>16}", figure.what)?;
        }
        let met = self.figures.iter().filter(|figure| figure.met).count();
        writeln!(out, "{met} of {} figures met", self.figures.len())
    }
}

/// Joins `items` with lines broken before they reach 110 columns.
fn wrapped(out: &mut String, items: impl Iterator<Item = String>, between: &str) -> fmt::Result {
    let mut width = 0;
    for item in items {
        let columns = item.chars().count();
        if width > 0 && width + columns + between.len() > 108 {
            writeln!(out)?;
            width = 0;
        }
        let lead = if width > 0 { between } else { "" };
        write!(out, "{lead}{item}")?;
        width += columns + lead.chars().count();
    }
    writeln!(out)
}

fn with_spread(spread: &Spread) -> String {
    format!("{} ({} to {})", number(spread.median), number(spread.p10), number(spread.p90))
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 0.01 => format!("{value:.4}"),
        small if small < 10.0 => format!("{value:.2}"),
        small if small < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests;

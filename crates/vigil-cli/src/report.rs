//! The summary of a run, for people (a few lines) and for programs (one JSON object).
//!
//! It holds names, numbers and words of the contract; foreign text that gets in (a program's, a model's name) has
//! its control characters replaced.

use crate::output::{Style, Styles, counted, dollars, duration, grouped, printable};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;
use vigil::Receipt;
use vigil::encode::Signal;
use vigil_adapters::Summary;
use vigil_core::fact::Outcome;
use vigil_core::throttle::{Service, ThrottleClass};

/// Costs that differ by more than this are both shown: 1 %.
const COST_TOLERANCE: f64 = 0.01;

/// How the process ended, where there was one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ProcessEnd {
    /// Its exit code.
    pub(crate) exit_code: Option<i32>,
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
}

/// What observing itself has to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Gaps {
    /// Bytes of output that came faster than they could be observed.
    pub(crate) unobserved_bytes: u64,
    /// Several sessions changed on disk, so none was taken for the command's own.
    pub(crate) ambiguous: bool,
    /// Something the command left behind still writes.
    pub(crate) left_behind: bool,
}

/// The summary of one run.
pub(crate) struct Report<'a> {
    pub(crate) summary: &'a Summary,
    pub(crate) process: Option<ProcessEnd>,
    pub(crate) gaps: Gaps,
}

impl Report<'_> {
    /// The lines for people, without those about delivery. The first says what ran and how it ended.
    pub(crate) fn text(&self, styles: Styles) -> String {
        let mut text = format!("vigil: {}\n", self.headline(styles));
        let session = summary_session(self.summary);
        let notes = self.summary.notes.iter().map(|note| printable(&note.to_string()));
        let lines = [session, self.work(), self.tokens(), self.trouble(), self.unread()].into_iter().flatten();
        for line in lines.chain(notes) {
            let _a_string_takes_all = writeln!(text, "  {line}");
        }
        text
    }

    fn headline(&self, styles: Styles) -> String {
        let summary = self.summary;
        let name = summary.program.as_deref().or(summary.agent.as_deref()).unwrap_or("the agent");
        let name = printable(name);
        let how = match &summary.outcome {
            Outcome::Ok => styles.paint(Style::Good, "finished"),
            Outcome::Cancelled => styles.paint(Style::Notable, "was cancelled"),
            Outcome::Error(error) => {
                let why = summary.reason.as_deref().unwrap_or(error.as_str());
                styles.paint(Style::Bad, &format!("failed: {}", printable(why)))
            }
        };
        let mut text = format!("{name} {how}");
        if let Some(time) = summary.duration {
            let _a_string_takes_all = write!(text, " after {}", duration(time));
        }
        // Said when it says more than the outcome does.
        let told = summary.reason.as_deref().is_some_and(|reason| reason.contains("exit status"));
        if let Some(code) = self.process.and_then(|process| process.exit_code).filter(|_| !told)
            && (code == 0) != (summary.outcome == Outcome::Ok)
        {
            let _a_string_takes_all = write!(text, ", exit status {code}");
        }
        text
    }

    fn work(&self) -> Option<String> {
        let summary = self.summary;
        let models = summary.models.iter().map(|model| printable(model)).collect::<Vec<_>>().join(", ");
        let counts = [
            (summary.turns, "turn", "turns"),
            (summary.chats, "chat", "chats"),
            (summary.tools, "tool call", "tool calls"),
            (summary.sub_agents, "sub-agent", "sub-agents"),
        ];
        let mut counts: Vec<_> = some_counts(&counts);
        if summary.tools_failed > 0 {
            counts.push(format!("{} failed", counted(summary.tools_failed, "tool call", "tool calls")));
        }
        joined([models, counts.join(", ")])
    }

    fn tokens(&self) -> Option<String> {
        let summary = self.summary;
        let usage = &summary.usage;
        let mut parts = Vec::new();
        if let Some(input) = usage.input().filter(|_| !usage.is_empty()) {
            let cached = usage.cache_read_tokens().filter(|cached| *cached > 0);
            let cached = cached.map(|cached| format!(" ({} cached)", grouped(cached))).unwrap_or_default();
            parts.push(format!("{}{cached} in", counted(input, "token", "tokens")));
        }
        if let Some(output) = usage.output().filter(|_| !usage.is_empty()) {
            parts.push(format!("{} out", grouped(output)));
        }
        joined([parts.join(", "), self.cost()])
    }

    fn cost(&self) -> String {
        let own = self.summary.cost_nano_usd.map(dollars);
        let reported = self.summary.reported_cost_usd;
        let shown = reported.map(|usd| dollars(nano_usd(usd)));
        match (own, shown) {
            (Some(own), Some(reported)) if self.costs_differ() => format!("{own} (reported: {reported})"),
            (Some(own), _) => own,
            (None, Some(reported)) => format!("{reported} as reported"),
            (None, None) if self.summary.unpriced_models.is_empty() => String::new(),
            (None, None) => {
                let models: Vec<_> = self.summary.unpriced_models.iter().map(|model| printable(model)).collect();
                format!("no price known for {}", models.join(", "))
            }
        }
    }

    fn costs_differ(&self) -> bool {
        let (Some(own), Some(reported)) = (self.summary.cost_nano_usd, self.summary.reported_cost_usd) else {
            return false;
        };
        let own = own as f64 / 1e9;
        (own - reported).abs() > COST_TOLERANCE * own.max(reported)
    }

    fn trouble(&self) -> Option<String> {
        let summary = self.summary;
        let retries = (summary.retries > 0).then(|| counted(summary.retries, "retry", "retries"));
        let denied = (summary.denied > 0).then(|| format!("{} denied", counted(summary.denied, "call", "calls")));
        joined([retries.unwrap_or_default(), denied.unwrap_or_default(), self.throttled()])
    }

    /// `throttled: anthropic rate_limit, 3 times`.
    fn throttled(&self) -> String {
        let one = |(service, class, times): &(Service, ThrottleClass, u64)| match times {
            1 => format!("{service} {class}"),
            _ => format!("{service} {class}, {} times", grouped(*times)),
        };
        let all: Vec<_> = self.summary.throttled.iter().map(one).collect();
        if all.is_empty() { String::new() } else { format!("throttled: {}", all.join(" and ")) }
    }

    fn unread(&self) -> Option<String> {
        let summary = self.summary;
        let mut parts = some_counts(&[
            (summary.unknown_events, "unknown event", "unknown events"),
            (summary.bad_lines, "unreadable line", "unreadable lines"),
            (summary.oversize_lines, "line too long to read", "lines too long to read"),
        ]);
        if summary.truncated {
            parts.push("the record ends before the work does".into());
        }
        if self.gaps.unobserved_bytes > 0 {
            parts.push(format!("{} of output not observed", counted(self.gaps.unobserved_bytes, "byte", "bytes")));
        }
        if self.gaps.ambiguous {
            parts.push("several sessions changed at once: see vigil import".into());
        }
        if self.gaps.left_behind {
            parts.push("a process it left behind goes on writing, not observed".into());
        }
        joined([parts.join(", ")])
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> Value {
        let summary = self.summary;
        let usage = &summary.usage;
        let (outcome, error) = match &summary.outcome {
            Outcome::Ok => ("ok", None),
            Outcome::Cancelled => ("cancelled", None),
            Outcome::Error(error) => ("error", Some(error.as_str())),
        };
        json!({
            "program": summary.program,
            "agent": summary.agent,
            "agent_version": summary.version,
            "session_id": summary.session_id,
            "trace_id": summary.agent_context.trace_id.to_string(),
            "span_id": summary.agent_context.span_id.to_string(),
            "models": summary.models,
            "outcome": outcome,
            "error_type": error,
            "reason": summary.reason,
            "exit_code": self.process.and_then(|process| process.exit_code),
            "signal": self.process.and_then(|process| process.signal),
            "duration_ms": summary.duration.map(milliseconds),
            "turns": summary.turns,
            "chats": summary.chats,
            "chats_failed": summary.chats_failed,
            "tools": summary.tools,
            "tools_failed": summary.tools_failed,
            "denied": summary.denied,
            "retries": summary.retries,
            "sub_agents": summary.sub_agents,
            "throttled": summary.throttled.iter().map(|(service, class, times)| {
                json!({ "service": service.as_str(), "class": class.as_str(), "times": times })
            }).collect::<Vec<_>>(),
            "usage": {
                "input_tokens": usage.input(),
                "output_tokens": usage.output(),
                "cache_read_input_tokens": usage.cache_read_tokens(),
                "cache_write_input_tokens": usage.cache_write_tokens(),
            },
            "cost_nano_usd": summary.cost_nano_usd,
            "reported_cost_usd": summary.reported_cost_usd,
            "unpriced_models": summary.unpriced_models,
            "unknown_events": summary.unknown_events,
            "bad_lines": summary.bad_lines,
            "oversize_lines": summary.oversize_lines,
            "truncated": summary.truncated,
            "notes": summary.notes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "unobserved_bytes": self.gaps.unobserved_bytes,
        })
    }
}

/// The line that says where the trace went and whether it arrived.
pub(crate) fn delivery_text(trace: &str, destinations: &[String], receipt: &Receipt, styles: Styles) -> String {
    if destinations.is_empty() {
        let disabled =
            crate::system::variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let how = if disabled {
            "nothing was sent: OTEL_SDK_DISABLED is set"
        } else {
            "nothing was sent: set OTEL_EXPORTER_OTLP_ENDPOINT, or give --otlp-dir DIR for files"
        };
        return format!("  {}\n", styles.paint(Style::Faint, how));
    }
    if receipt.is_complete() {
        let what = some_counts(&[
            (receipt.traces.delivered, "span", "spans"),
            (receipt.logs.delivered, "event", "events"),
            (receipt.metrics.delivered, "data point", "data points"),
        ]);
        let where_to = destinations.join(", ");
        return format!("  {trace}{} to {where_to}: {}\n", styles.paint(Style::Good, "delivered"), what.join(", "));
    }
    if receipt.is_kept() && receipt.spooled() > 0 {
        let what = some_counts(&[
            (receipt.traces.spooled, "span", "spans"),
            (receipt.logs.spooled, "event", "events"),
            (receipt.metrics.spooled, "data point", "data points"),
        ]);
        let how = styles.paint(Style::Notable, "spooled");
        return format!("  {trace}{how} for {}: {}\n", destinations.join(", "), what.join(", "));
    }
    let mut text = format!("  {trace}{}\n", styles.paint(Style::Bad, "not delivered whole"));
    // What was lost before it came to any destination is in the account of the whole alone.
    let lost_before = [Signal::Traces, Signal::Logs, Signal::Metrics].into_iter().any(|signal| {
        let of_worst = receipt.destinations.iter().map(|one| one.receipt.signal(signal).lost.total()).max();
        receipt.signal(signal).lost.total() > of_worst.unwrap_or(0)
    });
    if receipt.timed_out || receipt.destinations.is_empty() || lost_before {
        let _a_string_takes_all = writeln!(text, "    {}: {receipt}", destinations.join(", "));
    }
    for destination in &receipt.destinations {
        let _a_string_takes_all = writeln!(text, "    {destination}");
    }
    text
}

/// Where the trace went, for programs.
pub(crate) fn delivery_json(destinations: &[String], receipt: &Receipt) -> Value {
    let signal = |signal: &vigil::deliver::SignalReceipt| {
        let lost: serde_json::Map<_, _> =
            signal.lost.iter().map(|(reason, count)| (reason.as_str().to_owned(), count.into())).collect();
        json!({
            "recorded": signal.recorded,
            "delivered": signal.delivered,
            "spooled": signal.spooled,
            "lost": lost,
            "cut_texts": signal.cut_texts,
        })
    };
    json!({
        "destinations": destinations,
        "complete": receipt.is_complete(),
        "kept": receipt.is_kept(),
        "traces": signal(&receipt.traces),
        "logs": signal(&receipt.logs),
        "metrics": signal(&receipt.metrics),
    })
}

/// `session 61bbc5f6-…, claude-code 2.1.329`.
fn summary_session(summary: &Summary) -> Option<String> {
    let session = summary.session_id.as_deref().map(|session| format!("session {}", printable(session)));
    let agent = summary.agent.as_deref().map(|agent| match &summary.version {
        Some(version) => printable(&format!("{agent} {version}")),
        None => printable(agent),
    });
    joined([session.unwrap_or_default(), agent.unwrap_or_default()])
}

fn some_counts(counts: &[(u64, &str, &str)]) -> Vec<String> {
    counts.iter().filter(|(count, ..)| *count > 0).map(|(count, one, many)| counted(*count, one, many)).collect()
}

fn joined<const N: usize>(parts: [String; N]) -> Option<String> {
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// A float of dollars from a foreign record, for showing.
fn nano_usd(usd: f64) -> u64 {
    // A cast from float saturates, and makes NaN zero.
    (usd * 1e9).round() as u64
}

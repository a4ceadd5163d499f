//! Lines for people: one a finished span, indented by depth.
//!
//! ```text
//! 10:15:09.084 ✓   chat claude-opus-5-5               1.2s   in 13,218 (13,214 cached) out 111  $0.0053
//! 10:15:09.151 ✗   execute_tool Bash                  44ms   tool_error
//! ```

use crate::time::{clock_time, human_duration};
use std::fmt::Write;
use vigil_core::contract::{EventKind, SpanKind, attr};
use vigil_core::fact::{AttributeSet, EventData, Outcome, SpanData, SpanStart, UnixNanos};
use vigil_core::vocab::Severity;

const NAME_WIDTH: usize = 38;

#[derive(Clone, Copy)]
enum Ink {
    Dim,
    Green,
    Red,
    Yellow,
    Bold,
}

/// Puts `text` in ink, when there is colour.
struct Inked<'a>(&'a str, Ink, bool);

impl std::fmt::Display for Inked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let code = match self.1 {
            Ink::Dim => "2",
            Ink::Green => "32",
            Ink::Red => "31",
            Ink::Yellow => "33",
            Ink::Bold => "1",
        };
        if self.2 { write!(f, "\x1b[{code}m{}\x1b[0m", self.0) } else { f.write_str(self.0) }
    }
}

pub(super) fn span(line: &mut String, span: &SpanData<'_>, depth: u16, color: bool) {
    let (sign, ink) = match &span.outcome {
        Outcome::Ok => ("✓", Ink::Green),
        Outcome::Error(_) => ("✗", Ink::Red),
        Outcome::Cancelled => ("∅", Ink::Yellow),
    };
    head(line, span.end, Inked(sign, ink, color), depth, &span.name(), color);
    let text = human_duration(span.duration());
    write(line, format_args!(" {text:>7}"));
    let at = &span.attributes;
    if let Outcome::Error(error) = &span.outcome {
        write(line, format_args!("  {}", Inked(error.as_str(), Ink::Red, color)));
    }
    if span.outcome == Outcome::Cancelled {
        line.push_str("  cancelled");
    }
    let (input, cached, output) = if span.kind == SpanKind::Agent {
        (attr::VIGIL_USAGE_INPUT_TOKENS, attr::VIGIL_USAGE_CACHE_READ_INPUT_TOKENS, attr::VIGIL_USAGE_OUTPUT_TOKENS)
    } else {
        (attr::GEN_AI_USAGE_INPUT_TOKENS, attr::GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, attr::GEN_AI_USAGE_OUTPUT_TOKENS)
    };
    if let Some(tokens) = at.int(input) {
        write(line, format_args!("  in {}", grouped(tokens)));
        if let Some(cached) = at.int(cached).filter(|cached| *cached > 0) {
            write(line, format_args!(" ({} cached)", grouped(cached)));
        }
    }
    if let Some(tokens) = at.int(output) {
        write(line, format_args!("  out {}", grouped(tokens)));
    }
    if let Some(nano_usd) = at.int(attr::VIGIL_COST_NANO_USD) {
        write(line, format_args!("  {}", dollars(nano_usd)));
    }
    if at.get(attr::VIGIL_COST_UNPRICED_MODELS).is_some() {
        line.push_str("  (unpriced)");
    }
    if let Some(retries) = at.int(attr::VIGIL_RETRY_COUNT) {
        write(line, format_args!("  {retries} {}", if retries == 1 { "retry" } else { "retries" }));
    }
    budget(line, at);
}

fn budget(line: &mut String, at: &AttributeSet<'_>) {
    if let Some(tokens) = at.int(attr::LIFE_BUDGET_TOKENS_REMAINING) {
        write(line, format_args!("  {} tokens left", grouped(tokens)));
    }
    if let Some(bytes) = at.int(attr::BYTES_OUT) {
        write(line, format_args!("  {} B in  {} B out", at.int(attr::BYTES_IN).unwrap_or(0), bytes));
    }
    if let Some(calls) = at.int(attr::CAP_BUDGET_REMAINING) {
        write(line, format_args!("  {calls} calls left"));
    }
}

pub(super) fn started(line: &mut String, start: &SpanStart, depth: u16, color: bool) {
    let name = start.kind.span_name(&AttributeSet::new(), &start.target);
    head(line, start.start, Inked("▸", Ink::Dim, color), depth, &name, color);
    line.push_str(" started");
}

pub(super) fn event(line: &mut String, event: &EventData<'_>, color: bool) {
    let at = &event.attributes;
    let text = match event.kind {
        // These are told by the line of their span.
        EventKind::SpanStarted | EventKind::ClientException | EventKind::InferenceDetails => return,
        EventKind::ModeTransition => format!(
            "mode {} → {}",
            at.str(attr::LIFE_MODE_FROM).unwrap_or("?"),
            at.str(attr::LIFE_MODE_TO).unwrap_or("?")
        ),
        EventKind::Retry => format!(
            "retry {} in {} ms: {}",
            at.int(attr::VIGIL_RETRY_ATTEMPT).unwrap_or(0),
            at.int(attr::VIGIL_RETRY_DELAY_MS).unwrap_or(0),
            at.str(attr::VIGIL_RETRY_REASON).unwrap_or("?")
        ),
        EventKind::DownstreamRateLimit => throttled(at),
        EventKind::EvaluationResult => {
            let mut text = format!("evaluation {}", at.str(attr::GEN_AI_EVALUATION_NAME).unwrap_or("?"));
            if let Some(vigil_core::fact::AnyValue::Double(score)) = at.get(attr::GEN_AI_EVALUATION_SCORE_VALUE) {
                write(&mut text, format_args!(" {score}"));
            }
            if let Some(label) = at.str(attr::GEN_AI_EVALUATION_SCORE_LABEL) {
                write(&mut text, format_args!(" {label}"));
            }
            text
        }
        EventKind::Loss => format!(
            "{} records lost: {}",
            at.int(attr::VIGIL_LOSS_RECORDS).unwrap_or(0),
            at.str(attr::VIGIL_LOSS_REASON).unwrap_or("?")
        ),
        other => other.def().name.to_owned(),
    };
    let ink = if event.severity >= Severity::Warn { Ink::Yellow } else { Ink::Dim };
    let time = clock_time(event.time);
    write(line, format_args!("{} {} {text}", Inked(&time, Ink::Dim, color), Inked("•", ink, color)));
}

/// `throttled by anthropic: rate_limit, retried after 2500 ms`.
fn throttled(at: &AttributeSet<'_>) -> String {
    let word = |key| at.str(key).unwrap_or("?");
    let mut text =
        format!("throttled by {}: {}", word(attr::DOWNSTREAM_PROVIDER), word(attr::DOWNSTREAM_CLASSIFICATION));
    if let Some(outcome) = at.str(attr::VIGIL_THROTTLE_OUTCOME) {
        write(&mut text, format_args!(", {outcome}"));
    }
    if let Some(wait) = at.int(attr::VIGIL_THROTTLE_WAIT_MS) {
        write(&mut text, format_args!(" after {wait} ms"));
    } else if let Some(wait) = at.int(attr::DOWNSTREAM_RETRY_AFTER_MS) {
        write(&mut text, format_args!(", come again in {wait} ms"));
    }
    if let Some(count) = at.int(attr::VIGIL_THROTTLE_COUNT) {
        write(&mut text, format_args!(", {count} times"));
    }
    text
}

fn head(line: &mut String, time: UnixNanos, sign: Inked<'_>, depth: u16, name: &str, color: bool) {
    let indent = usize::from(depth.min(16)) * 2;
    let time = clock_time(time);
    write(line, format_args!("{} {sign} {:indent$}", Inked(&time, Ink::Dim, color), ""));
    let ink = if depth == 0 { Ink::Bold } else { Ink::Dim };
    let width = NAME_WIDTH.saturating_sub(indent);
    let padding = width.saturating_sub(name.chars().count());
    // Depth is told by the indent; only the root stands out.
    if depth == 0 {
        write(line, format_args!("{}", Inked(name, ink, color)));
    } else {
        line.push_str(name);
    }
    write(line, format_args!("{:padding$}", ""));
}

/// 13218 as 13,218.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len() - index;
        if index > 0 && left.is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Nano-dollars as dollars, with as many digits as a small sum needs.
fn dollars(nano_usd: i64) -> String {
    let usd = nano_usd as f64 / 1e9;
    match usd {
        1.0.. => format!("${usd:.2}"),
        0.0001.. => format!("${usd:.4}"),
        0.0 => "$0".to_owned(),
        _ => "< $0.0001".to_owned(),
    }
}

fn write(line: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    line.write_fmt(arguments).ok();
}

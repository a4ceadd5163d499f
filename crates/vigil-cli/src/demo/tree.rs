//! The run as a picture: a tree of spans with when and how long, and the totals.
//!
//! At most [`WIDTH`] columns; what is longer is cut.

use super::trace::{TracedSpan, root};
use crate::output::{Style, Styles, counted, dollars, duration, grouped, printable};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;
use vigil::contract::{EventKind, attr};

/// The widest line.
const WIDTH: usize = 100;
/// The width of the names with their branches, of the times, and of the chart.
const NAMES: usize = 37;
const TIMES: usize = 7;
const CHART: usize = 10;
/// The width of the branches alone; what is deeper shows its last branches only.
const BRANCHES: usize = 24;

/// One line of the tree, before it is laid out.
struct Line<'a> {
    branch: String,
    span: &'a TracedSpan,
    is_leaf: bool,
}

/// The tree, a line a span in the order they started.
pub(super) fn tree(spans: &[TracedSpan], styles: Styles) -> String {
    let mut lines = Vec::new();
    for span in spans.iter().filter(|span| !spans.iter().any(|other| other.id == span.parent)) {
        lines.push(Line { branch: String::new(), span, is_leaf: false });
        grow(spans, span, "", &mut lines);
    }
    let start = spans.iter().map(|span| span.start_ns).min().unwrap_or(0);
    let end = spans.iter().map(|span| span.end_ns).max().unwrap_or(0);
    lines.iter().map(|line| line.text(start..end, styles)).collect()
}

fn grow<'a>(spans: &'a [TracedSpan], span: &TracedSpan, stem: &str, lines: &mut Vec<Line<'a>>) {
    let children: Vec<&TracedSpan> = spans.iter().filter(|child| child.parent == span.id).collect();
    for (index, child) in children.iter().enumerate() {
        let (fork, next) = if index + 1 == children.len() { ("└ ", "  ") } else { ("├ ", "│ ") };
        let is_leaf = !spans.iter().any(|other| other.parent == child.id);
        lines.push(Line { branch: format!("{stem}{fork}"), span: child, is_leaf });
        grow(spans, child, &format!("{stem}{next}"), lines);
    }
}

impl Line<'_> {
    fn text(&self, run: Range<u64>, styles: Styles) -> String {
        let failed = self.span.text(attr::ERROR_TYPE).is_some();
        let depth = self.branch.chars().count();
        let branch = match depth.checked_sub(BRANCHES) {
            None | Some(0) => self.branch.clone(),
            Some(over) => "…".chars().chain(self.branch.chars().skip(over + 1)).collect(),
        };
        let width = NAMES - depth.min(BRANCHES);
        let name = cut(&printable(&self.span.name), width);
        let gap = " ".repeat(width - name.chars().count());
        let name = if failed { styles.paint(Style::Bad, &name) } else { name };
        let branch = if branch.is_empty() { branch } else { styles.paint(Style::Faint, &branch) };
        let time = time(self.span.duration());
        let chart = self.chart(run);
        let chart = match (failed, self.is_leaf) {
            (true, _) => styles.paint(Style::Bad, &chart),
            (false, true) => styles.paint(Style::Good, &chart),
            (false, false) => styles.paint(Style::Faint, &chart),
        };
        let details = cut(&printable(&details(self.span)), WIDTH - NAMES - TIMES - CHART - 4);
        let details = if failed { styles.paint(Style::Bad, &details) } else { details };
        format!("{branch}{name}{gap} {time:>TIMES$} {chart}  {details}").trim_end().to_owned() + "\n"
    }

    /// When in the run this was: a thick bar for work, a thin one for what holds other spans.
    fn chart(&self, run: Range<u64>) -> String {
        let length = u128::from((run.end - run.start).max(1));
        let cell = |at: u64| (u128::from(at.saturating_sub(run.start)) * CHART as u128 / length) as usize;
        let from = cell(self.span.start_ns).min(CHART - 1);
        let to = cell(self.span.end_ns).clamp(from + 1, CHART);
        let bar = if self.is_leaf { "━" } else { "─" };
        format!("{}{}{}", " ".repeat(from), bar.repeat(to - from), " ".repeat(CHART - to))
    }
}

/// What is worth saying about a span beside its name and time.
fn details(span: &TracedSpan) -> String {
    let mut parts: Vec<String> = Vec::new();
    if let Some(error) = span.text(attr::ERROR_TYPE) {
        parts.push(error.to_owned());
    }
    parts.extend(span.event(EventKind::EconomicModeTransition).map(|event| {
        let mode = |key| event.text(key).unwrap_or("?");
        format!("{} → {}", mode(attr::AUTONOMIC_ECONOMIC_MODE_FROM), mode(attr::AUTONOMIC_ECONOMIC_MODE_TO))
    }));
    let exit_code = span.number(attr::PROCESS_EXIT_CODE).filter(|code| *code != 0);
    let bytes_in = span.number(attr::BYTES_IN);
    let counts = [
        (exit_code, "exit ", ""),
        (span.number(attr::LIFE_BUDGET_TOKENS_REMAINING), "", " tokens left"),
        (span.number(attr::GEN_AI_USAGE_INPUT_TOKENS), "", " in"),
        (span.number(attr::GEN_AI_USAGE_OUTPUT_TOKENS), "", " out"),
        (span.number(attr::CAP_BUDGET_REMAINING), "", " calls left"),
        (bytes_in.filter(|bytes| *bytes == 1), "", " byte in"),
        (bytes_in.filter(|bytes| *bytes != 1), "", " bytes in"),
        (span.number(attr::BYTES_OUT), "", " out"),
        (span.number(attr::VIGIL_CLEANUP_COUNT), "", " removed"),
    ];
    let counts = counts.into_iter().filter_map(|(count, before, after)| Some((count?, before, after)));
    parts.extend(counts.map(|(count, before, after)| format!("{before}{}{after}", grouped(count))));
    parts.extend(span.number(attr::VIGIL_COST_NANO_USD).map(dollars));
    parts.extend(span.event(EventKind::Retry).map(|_| {
        let retries = span.events.len() as u64;
        counted(span.number(attr::VIGIL_RETRY_COUNT).unwrap_or(retries), "retry", "retries")
    }));
    parts.extend(span.text(attr::VIGIL_APPROVAL_DECISION).map(str::to_owned));
    parts.extend(span.event(EventKind::ModeTransition).map(|event| {
        let mode = |key| event.text(key).unwrap_or("?");
        format!("{} → {}", mode(attr::LIFE_MODE_FROM), mode(attr::LIFE_MODE_TO))
    }));
    parts.extend(span.event(EventKind::EvaluationResult).map(|event| {
        let word = |key| event.text(key).unwrap_or("?");
        let score = event.double(attr::GEN_AI_EVALUATION_SCORE_VALUE).unwrap_or(f64::NAN);
        let (name, label) = (word(attr::GEN_AI_EVALUATION_NAME), word(attr::GEN_AI_EVALUATION_SCORE_LABEL));
        format!("{name}: {label} ({score:.1})")
    }));
    parts.extend(
        span.event(EventKind::BudgetExhausted)
            .map(|event| format!("no {} left", event.text(attr::VIGIL_BUDGET_KIND).unwrap_or("budget"))),
    );
    parts.join(", ")
}

/// What the agent's own span says about everything below it, a line each.
pub(super) fn totals(spans: &[TracedSpan]) -> String {
    let Some(agent) = root(spans) else { return String::new() };
    let count = |key| agent.number(key).unwrap_or(0);
    let with = |text: String, extra: String| if extra.is_empty() { text } else { format!("{text} ({extra})") };
    let some = |number: u64, text: String| if number > 0 { text } else { String::new() };

    let failed = count(attr::VIGIL_TOOL_FAILED);
    let retries = count(attr::VIGIL_RETRY_COUNT);
    let cached = count(attr::VIGIL_USAGE_CACHE_READ_INPUT_TOKENS);
    let sub_agents = spans.iter().filter(|span| span.text(attr::GEN_AI_OPERATION_NAME) == Some("invoke_agent")).count();
    let retried = some(retries, counted(retries, "retry", "retries"));
    let calls = [
        counted(count(attr::VIGIL_TURN_COUNT), "turn", "turns"),
        with(counted(count(attr::VIGIL_CHAT_COUNT), "chat", "chats"), retried),
        with(
            counted(count(attr::VIGIL_TOOL_COUNT), "tool call", "tool calls"),
            some(failed, format!("{} failed", grouped(failed))),
        ),
        counted((sub_agents as u64).saturating_sub(1), "sub-agent", "sub-agents"),
    ];
    let tokens = [
        with(
            format!("{} in", grouped(count(attr::VIGIL_USAGE_INPUT_TOKENS))),
            some(cached, format!("{} from the cache", grouped(cached))),
        ),
        format!("{} out", grouped(count(attr::VIGIL_USAGE_OUTPUT_TOKENS))),
    ];
    let is_unanswered = spans.iter().all(|span| span.number(attr::GEN_AI_USAGE_OUTPUT_TOKENS).is_none());
    let cost = match (agent.number(attr::VIGIL_COST_NANO_USD), agent.text(attr::VIGIL_COST_TABLE)) {
        (Some(nano_usd), Some(table)) => format!("{} by the prices of {table}", dollars(nano_usd)),
        (Some(nano_usd), None) => dollars(nano_usd),
        (None, _) if is_unanswered => "none: no model answered".to_owned(),
        (None, _) => "not known: a model has no price in the table".to_owned(),
    };
    // Tokens and money of a replay were counted when the run was recorded.
    let spent = [("tokens", tokens.join(", ")), ("cost", cost)];
    let spent = spent.into_iter().filter(|_| !agent.flag(attr::VIGIL_REPLAY));
    let mut text = String::new();
    for (name, value) in [("calls", calls.join(", "))].into_iter().chain(spent) {
        let _a_string_takes_all = writeln!(text, "  {name:8}{value}");
    }
    let _a_string_takes_all = writeln!(text, "  {:8}{}", "gate", Gate::of(spans).text());
    if let Some(budget) = budget(spans) {
        let _a_string_takes_all = writeln!(text, "  {:8}{budget}", "left");
    }
    let _a_string_takes_all = writeln!(text, "  {:8}{}", "trace", agent.trace_id);
    text
}

/// What the gateway decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Gate {
    pub(super) allowed: u64,
    pub(super) denied: u64,
    pub(super) exceeded: u64,
}

impl Gate {
    pub(super) fn of(spans: &[TracedSpan]) -> Self {
        let mut gate = Self::default();
        for span in spans.iter().filter(|span| span.text(attr::CAP_NAME).is_some()) {
            match span.text(attr::ERROR_KIND) {
                Some("denied") => gate.denied += 1,
                Some("budget_exceeded") => gate.exceeded += 1,
                // Those that were made and failed had leave too.
                _ => gate.allowed += 1,
            }
        }
        gate
    }

    fn text(self) -> String {
        let allowed = counted(self.allowed, "call", "calls");
        format!("{allowed} allowed, {} denied, {} over budget", self.denied, self.exceeded)
    }

    pub(super) fn json(self) -> Value {
        json!({ "allowed": self.allowed, "denied": self.denied, "exceeded": self.exceeded })
    }
}

/// The last budget that was recorded.
fn budget(spans: &[TracedSpan]) -> Option<String> {
    let span = spans.iter().rev().find(|span| span.number(attr::LIFE_BUDGET_TOKENS_REMAINING).is_some())?;
    let tokens = counted(span.number(attr::LIFE_BUDGET_TOKENS_REMAINING)?, "token", "tokens");
    let cents = span.double(attr::LIFE_BUDGET_COST_REMAINING_USD)?;
    let calls = counted(span.number(attr::LIFE_BUDGET_TOOL_CALLS_REMAINING)?, "tool call", "tool calls");
    Some(format!("{tokens}, ${cents:.4} and {calls} when the last turn began"))
}

/// Most spans of an agent take next to no time, and should not all look alike.
fn time(time: Duration) -> String {
    match time.as_micros() {
        micros @ ..1_000 => format!("{micros} µs"),
        ..10_000 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        _ => duration(time),
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
}

#[cfg(test)]
mod tests;

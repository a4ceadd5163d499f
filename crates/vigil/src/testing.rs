//! Telemetry for tests: in memory, with seeded ids and a clock that stands still until it is moved.
//!
//! ```
//! use vigil::{Phase, testing};
//!
//! let telemetry = testing::recorder();
//! let agent = telemetry.agent_span("session", "researcher");
//! agent.phase_span(Phase::Perceive).finish();
//! agent.finish();
//!
//! let recorded = telemetry.recorded();
//! assert_eq!(recorded.tree(), "invoke_agent researcher\n  phase perceive\n");
//! recorded.verify_contract().unwrap();
//! ```
//!
//! Values are independent of each other and of the process: any number of them run side by side.

use crate::clock::{Clock, ManualClock};
use crate::encode::MetricSeries;
use crate::settings::LogFormat;
use crate::telemetry::{Builder, Telemetry, from_env};
use std::fmt::Write;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use vigil_core::contract::{Violation, verify};
use vigil_core::fact::{EventRecord, Fact, Outcome, SpanRecord, UnixNanos};

/// When a test's clock starts: 2026-01-01T00:00:00Z.
pub const START: UnixNanos = UnixNanos(1_767_225_600_000_000_000);

/// Telemetry that keeps what is recorded, content excluded.
pub fn recorder() -> TestTelemetry {
    start(from_env("test"))
}

/// Telemetry that keeps what is recorded, content included.
pub fn recorder_with_content() -> TestTelemetry {
    start(from_env("test").capture_content(true))
}

/// Telemetry with the settings of `builder` that keeps what is recorded. The process's environment is not read.
pub fn start(builder: Builder) -> TestTelemetry {
    let captured = Captured::default();
    let (clock, manual) = Clock::manual(START);
    let telemetry = builder.environment([]).log_format(LogFormat::Off).capture(captured.clone(), clock, 42).start();
    TestTelemetry { telemetry, captured, clock: manual }
}

/// A telemetry value that keeps what is recorded.
#[derive(Debug)]
pub struct TestTelemetry {
    telemetry: Telemetry,
    captured: Captured,
    clock: ManualClock,
}

impl Deref for TestTelemetry {
    type Target = Telemetry;
    fn deref(&self) -> &Telemetry {
        &self.telemetry
    }
}

impl TestTelemetry {
    /// Moves the clock.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Everything finished so far, as it would have been delivered.
    pub fn recorded(&self) -> Recorded {
        self.telemetry.flush(Duration::from_secs(5));
        let content = self.telemetry.content_allowed();
        let kept = self.captured.0.lock().unwrap_or_else(PoisonError::into_inner);
        Recorded { content, ..kept.clone() }
    }
}

/// What a test telemetry kept.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Finished spans, in the order they were finished.
    pub spans: Vec<SpanRecord>,
    /// Events, in the order they were assembled.
    pub events: Vec<EventRecord>,
    /// The latest value of every series.
    pub metrics: Vec<MetricSeries>,
    /// Orders spans that started at the same time, by place in `spans`.
    numbers: Vec<u64>,
    content: bool,
}

impl Recorded {
    /// The spans as an indented tree, a line each in the order they started: the name, and how it ended when
    /// that was not well. No ids and no times: made to be compared.
    pub fn tree(&self) -> String {
        let mut numbered: Vec<_> = self.spans.iter().zip(&self.numbers).collect();
        numbered.sort_by_key(|(span, number)| (span.start, **number));
        let spans: Vec<&SpanRecord> = numbered.into_iter().map(|(span, _)| span).collect();
        let known = |span: &SpanRecord| {
            span.parent.is_some_and(|parent| spans.iter().any(|other| other.context.span_id == parent))
        };
        let mut text = String::new();
        for root in spans.iter().filter(|span| !known(span)) {
            branch(&mut text, &spans, root, 0);
        }
        text
    }

    /// The first span with this name.
    pub fn span(&self, name: &str) -> Option<&SpanRecord> {
        self.spans.iter().find(|span| span.name() == name)
    }

    /// Checks every span and event against the contract.
    ///
    /// # Errors
    /// What is wrong, a line each.
    pub fn verify_contract(&self) -> Result<(), ContractError> {
        let facts = self.spans.iter().cloned().map(Fact::Ended).chain(self.events.iter().cloned().map(Fact::Event));
        let violations: Vec<Violation> = facts.flat_map(|fact| verify(&fact, self.content)).collect();
        if violations.is_empty() { Ok(()) } else { Err(ContractError(violations)) }
    }
}

fn branch(text: &mut String, spans: &[&SpanRecord], span: &SpanRecord, depth: usize) {
    let end = match &span.outcome {
        Outcome::Ok => String::new(),
        Outcome::Error(error) => format!(" [error {}]", error.as_str()),
        Outcome::Cancelled => " [cancelled]".to_owned(),
    };
    // Writing to a String does not fail.
    writeln!(text, "{:width$}{}{end}", "", span.name(), width = depth * 2).ok();
    for child in spans.iter().filter(|child| child.parent == Some(span.context.span_id)) {
        branch(text, spans, child, depth + 1);
    }
}

/// What was recorded does not keep the contract.
#[derive(Clone, Debug)]
pub struct ContractError(pub Vec<Violation>);

impl std::fmt::Display for ContractError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|violation| writeln!(f, "{violation}"))
    }
}

impl std::error::Error for ContractError {}

/// What the assembler hands on, kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Captured(Arc<Mutex<Recorded>>);

impl Captured {
    fn with(&self, action: impl FnOnce(&mut Recorded)) {
        action(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn span(&self, span: SpanRecord, number: u64) {
        self.with(|recorded| {
            recorded.spans.push(span);
            recorded.numbers.push(number);
        });
    }

    pub(crate) fn event(&self, event: EventRecord) {
        self.with(|recorded| recorded.events.push(event));
    }

    pub(crate) fn metrics(&self, series: Vec<MetricSeries>) {
        self.with(|recorded| recorded.metrics = series);
    }
}

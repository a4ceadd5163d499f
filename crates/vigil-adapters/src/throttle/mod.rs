//! Throttling in what a program writes: its stderr, its last words, and the errors in a stream of JSON lines that no
//! adapter understands.
//!
//! ```text
//!  stderr ────────► window ──┐
//!  JSON lines ────► errors ──┼─► verdict ─► fold ─► events on the run
//!  stdout's end ─► tail ─────┘   (vigil-core)  (the same again and again is one event a minute)
//! ```
//!
//! **Limits.** Text is judged when it has been quiet for 300 ms, when 64 KiB have come, or at the end. Of stdout
//! only the last 16 KiB are judged, and only when the program failed: the words of an agent are not what happened to
//! it. The same throttling (service and class) is told once a minute with a count. What is written is never kept
//! longer than that, and no byte of it gets into an event.

mod errors;
mod fold;
mod window;

pub(crate) use errors::{Error, error_of};
pub(crate) use fold::{Fold, Meeting};
pub(crate) use window::{Tail, Window};

use crate::outcome::ProcessEnd;
use vigil_core::fact::{EventRecord, UnixNanos};
use vigil_core::id::SpanContext;
use vigil_core::throttle::{
    Channel, CommandEnd, DownstreamOperation, Observation, Outcome, ServiceCategory, Throttle, Told, classify,
    outcome_of,
};
use vigil_core::vocab::ThrottleOutcome;

/// What a program writes, watched for throttling.
#[derive(Debug, Default)]
pub(crate) struct Throttles {
    program: Option<String>,
    utc_offset_seconds: i32,
    stderr: Window,
    last_of_stderr: Tail,
    last_of_stdout: Tail,
    /// The last error of a stream of JSON lines.
    last_error: Vec<u8>,
    fold: Fold,
    /// Records that are understood told of it themselves.
    told_by_records: Vec<(ServiceCategory, vigil_core::throttle::ThrottleClass)>,
}

/// A throttling to tell.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Found {
    pub(crate) throttle: Throttle,
    pub(crate) told: Told,
    pub(crate) time: UnixNanos,
}

impl Found {
    /// The event, on the run's own span.
    pub(crate) fn event(&self, run: SpanContext) -> EventRecord {
        let operation = match self.throttle.category() {
            ServiceCategory::Provider => DownstreamOperation::AgentRun,
            _ => DownstreamOperation::Command,
        };
        self.throttle.event(Told { operation: Some(operation), ..self.told }, Some(run), self.time)
    }
}

impl Throttles {
    pub(crate) fn new(program: Option<String>, utc_offset_seconds: i32) -> Self {
        Self { program, utc_offset_seconds, ..Self::default() }
    }

    /// Bytes of stderr that arrived at `at`.
    pub(crate) fn stderr(&mut self, bytes: &[u8], at: UnixNanos) {
        self.last_of_stderr.push(bytes);
        let mut window = std::mem::take(&mut self.stderr);
        window.push(bytes, at, |text, at| self.judge(text, at));
        self.stderr = window;
    }

    /// Nothing more has come until `now`.
    pub(crate) fn quiet(&mut self, now: UnixNanos) {
        let mut window = std::mem::take(&mut self.stderr);
        window.quiet(now, |text, at| self.judge(text, at));
        self.stderr = window;
        self.fold.time_passed(now);
    }

    /// Bytes are missing here.
    pub(crate) fn gap(&mut self) {
        self.stderr.gap();
    }

    /// Bytes of stdout of a program that is not understood.
    pub(crate) fn stdout(&mut self, bytes: &[u8]) {
        self.last_of_stdout.push(bytes);
    }

    /// A line of JSON of a program that is not understood.
    pub(crate) fn json_line(&mut self, line: &[u8], at: UnixNanos) {
        let Some(error) = error_of(line) else { return };
        if error != Error::Retried {
            self.last_error.clear();
            self.last_error.extend_from_slice(&line[..line.len().min(window::TAIL_BYTES)]);
        }
        let Some(throttle) = self.verdict(Channel::StreamJson, line, at) else { return };
        let retries = error == Error::Retried || window::says_it_retries(line);
        self.fold.meet(Meeting { throttle, count: 1, at, retries, repeats_the_last: error == Error::End });
    }

    /// Records that are understood told of `throttle`: what the text says of the same is the same.
    pub(crate) fn told_by_records(&mut self, throttle: &Throttle) {
        let key = (throttle.category(), throttle.class);
        if !self.told_by_records.contains(&key) {
            self.told_by_records.push(key);
        }
    }

    /// Whether records told of the same.
    pub(crate) fn is_told_by_records(&self, throttle: &Throttle) -> bool {
        self.told_by_records.contains(&(throttle.category(), throttle.class))
    }

    /// What is to be told by now.
    pub(crate) fn take(&mut self) -> Vec<Found> {
        self.fold.take()
    }

    /// Why a program failed that says nothing of it itself, by its exit status and its last words.
    pub(crate) fn outcome(&self, end: ProcessEnd, now: UnixNanos) -> Option<Outcome> {
        let final_text = if self.last_error.is_empty() { self.last_of_stdout.bytes() } else { self.last_error.clone() };
        outcome_of(&CommandEnd {
            program: self.program.as_deref(),
            exit_code: end.exit_code,
            signal: end.signal,
            timed_out: false,
            stderr: &self.last_of_stderr.bytes(),
            final_text: &final_text,
            now,
            utc_offset_seconds: self.utc_offset_seconds,
        })
    }

    /// The program has ended, for the reason `outcome` if it failed; the rest is to be told.
    pub(crate) fn end(&mut self, failed: bool, outcome: Option<&Outcome>, now: UnixNanos) -> Vec<Found> {
        let mut window = std::mem::take(&mut self.stderr);
        window.end(|text, at| self.judge(text, at));
        let cause = outcome.and_then(|outcome| outcome.throttle);
        if let Some(throttle) = cause.filter(|throttle| !self.fold.knows(throttle)) {
            self.fold.meet(Meeting { throttle, count: 1, at: now, retries: false, repeats_the_last: false });
        }
        self.fold.end(|throttle| match cause {
            _ if !failed => Some(ThrottleOutcome::Retried),
            Some(cause) if cause.class == throttle.class => Some(throttle.final_outcome()),
            _ => None,
        });
        self.fold.take()
    }

    /// Judges a stretch of text: the whole of it, and each line for how often it is said.
    fn judge(&mut self, text: &[u8], at: UnixNanos) {
        let Some(throttle) = self.verdict(Channel::CliText, text, at) else { return };
        let count = window::repeated(text, |line| self.verdict(Channel::CliText, line, at).is_some());
        let retries = window::says_it_retries(text);
        self.fold.meet(Meeting { throttle, count, at, retries, repeats_the_last: false });
    }

    fn verdict(&self, channel: Channel, text: &[u8], now: UnixNanos) -> Option<Throttle> {
        classify(&Observation {
            channel,
            tool: self.program.as_deref(),
            text,
            now,
            utc_offset_seconds: self.utc_offset_seconds,
            ..Observation::default()
        })
    }
}

#[cfg(test)]
mod tests;

//! What delivery has to tell a person, a few lines in the life of a process.
//!
//! Told are the beginning and the end of a disturbance of a destination and the first loss of each kind, not
//! every failed request. No text in here comes from the other side: status codes and kinds of errors only, no
//! header, no body, no credentials.

use super::receipt::LossReason;
use crate::encode::Signal;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use vigil_core::throttle::Throttle;

/// Where diagnostics go. Called on the delivery thread or on the thread that offers; must not block.
pub type Diagnostics = Arc<dyn Fn(Diagnostic) + Send + Sync>;

/// Why one attempt did not succeed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Problem {
    /// No connection came about; the text says why.
    Connect(String),
    /// The connection ended before there was a whole answer.
    Closed,
    /// The answer was not HTTP, as when the port belongs to gRPC or to something else altogether.
    NotHttp,
    /// There was no answer in time.
    TimedOut(Duration),
    /// An HTTP status.
    Status(u16),
    /// A gRPC status other than OK.
    Grpc(u32),
    /// A 200 with records it did not take.
    PartialSuccess(u64),
    /// The answer was a web page, unreadable, or larger than 4 MiB.
    NotOtlp,
    /// One record alone is larger than the most a request may have; in bytes.
    TooLarge(usize),
    /// A trace has more spans than this, the most the destination takes.
    TooManySpans(u32),
    /// A file could not be written.
    Io(std::io::ErrorKind),
    /// The code that delivers panicked; it goes on with the next batch.
    Panicked,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Connect(why) => f.write_str(why),
            Problem::Closed => f.write_str("the connection was closed without an answer"),
            Problem::NotHttp => f.write_str("what answered does not speak HTTP/1.1; are port and protocol right?"),
            Problem::TimedOut(after) => write!(f, "no answer within {after:?}"),
            Problem::Status(status) => write!(f, "it answered HTTP {status}"),
            Problem::Grpc(code) => write!(f, "it answered gRPC {}", grpc_name(*code)),
            Problem::PartialSuccess(records) => write!(f, "it refused {records} records of a batch it took"),
            Problem::NotOtlp => f.write_str("what answered does not speak OTLP; is the endpoint right?"),
            Problem::TooLarge(limit) => write!(f, "a record alone is larger than a request of {limit} bytes may be"),
            Problem::TooManySpans(limit) => write!(f, "a trace has more than the {limit} spans it takes"),
            Problem::Io(kind) => write!(f, "writing failed: {kind}"),
            Problem::Panicked => f.write_str("a defect in delivery was caught"),
        }
    }
}

fn grpc_name(code: u32) -> &'static str {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    NAMES.get(code as usize).copied().unwrap_or("with an unknown code")
}

/// One thing to tell.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Diagnostic {
    /// A destination cannot be delivered to; it is tried again. Told once until it recovers, after the second
    /// attempt in a row that failed.
    Failing {
        /// Which destination.
        destination: String,
        /// The signal that noticed first.
        signal: Signal,
        /// What happened.
        problem: Problem,
    },
    /// The destination throttles. Told at most once a minute.
    Throttled {
        /// Which destination.
        destination: String,
        /// The verdict on its answer.
        throttle: Throttle,
        /// How many of its answers this stands for.
        count: u64,
    },
    /// The destination takes what it is given again.
    Recovered {
        /// Which destination.
        destination: String,
        /// How long the disturbance was.
        after: Duration,
    },
    /// Records are lost. Told once for each destination, signal and reason; the receipt has the numbers.
    Lost {
        /// Which destination.
        destination: String,
        /// What kind of records.
        signal: Signal,
        /// Why.
        reason: LossReason,
        /// How many this first time.
        records: u64,
        /// What happened last, if anything did.
        problem: Option<Problem>,
    },
    /// The spool cannot be written: batches wait in memory until it can. Told once until it can be written again.
    SpoolFailing {
        /// What the system said.
        problem: std::io::ErrorKind,
    },
    /// Records are in memory alone before they are in the spool: a process that is killed loses them. Told once.
    RecordsNotKept,
    /// The spool can be written again.
    SpoolRecovered,
    /// A damaged file of the spool was moved out of the way.
    SetAside {
        /// Its name in `set-aside/`.
        file: String,
    },
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Diagnostic::Failing { destination, signal, problem } => {
                write!(f, "{signal} cannot be delivered to {destination}, retrying: {problem}")
            }
            Diagnostic::Throttled { destination, throttle, count } => {
                write!(f, "{destination} throttles ({}, {count} answers)", throttle.class)
            }
            Diagnostic::Recovered { destination, after } => {
                write!(f, "{destination} takes telemetry again after {:.1} s", after.as_secs_f64())
            }
            Diagnostic::Lost { destination, signal, reason, records, problem } => {
                write!(f, "{records} records of {signal} for {destination} are lost ({reason})")?;
                match problem {
                    Some(problem) => write!(f, ": {problem}"),
                    None => Ok(()),
                }
            }
            Diagnostic::SpoolFailing { problem } => {
                write!(f, "the spool cannot be written, records wait in memory: {problem}")
            }
            Diagnostic::RecordsNotKept => {
                f.write_str("the disk has no room for a record file: a kill would take what is not in the spool yet")
            }
            Diagnostic::SpoolRecovered => f.write_str("the spool can be written again"),
            Diagnostic::SetAside { file } => write!(f, "a damaged file of the spool was set aside: set-aside/{file}"),
        }
    }
}

impl Diagnostic {
    /// Whether this is good news.
    pub fn is_recovery(&self) -> bool {
        matches!(self, Diagnostic::Recovered { .. } | Diagnostic::SpoolRecovered)
    }

    /// Whether something is gone for good.
    pub fn is_loss(&self) -> bool {
        matches!(self, Diagnostic::Lost { .. })
    }
}

/// Hands `diagnostic` on; a callback that panics harms nobody but itself.
pub(crate) fn tell(diagnostics: &Diagnostics, diagnostic: Diagnostic) {
    let call = std::panic::AssertUnwindSafe(|| diagnostics(diagnostic));
    drop(std::panic::catch_unwind(call));
}

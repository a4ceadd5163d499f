//! Why a call did not go through the gateway, or failed behind it.

use super::recording::ReplayError;
use std::error::Error;
use std::fmt;
use std::io;
use vigil_core::policy::Denied;
use vigil_core::vocab::{BudgetKind, CapabilityError, ErrorType};

/// Any error, as a handler may answer it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why a call has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum GatewayError {
    /// The policy does not allow it; the world was not touched.
    Denied(Denied),
    /// Its budget is used up; the world was not touched.
    BudgetExceeded(BudgetExceeded),
    /// It was admitted, and its handler failed.
    Runtime(RuntimeError),
    /// The replay cannot go on: this run is not the one that was recorded. The world was not touched.
    Replay(ReplayError),
    /// An earlier call could not be recorded, and none without a record is made. The world was not touched.
    Unrecorded,
}

impl GatewayError {
    /// The word for it on the span (`error.kind`).
    pub const fn kind(&self) -> CapabilityError {
        match self {
            Self::Denied(_) => CapabilityError::Denied,
            Self::BudgetExceeded(_) => CapabilityError::BudgetExceeded,
            Self::Runtime(_) | Self::Replay(_) | Self::Unrecorded => CapabilityError::RuntimeError,
        }
    }

    /// The word for it as `error.type`.
    pub fn error_type(&self) -> ErrorType {
        match self {
            Self::Denied(_) => ErrorType::DENIED,
            Self::BudgetExceeded(_) => ErrorType::from_static(CapabilityError::BudgetExceeded.as_str()),
            Self::Runtime(error) => error.error_type.clone(),
            Self::Replay(_) => ErrorType::from_static("replay_diverged"),
            Self::Unrecorded => ErrorType::from_static("recording_failed"),
        }
    }
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(denied) => denied.fmt(f),
            Self::BudgetExceeded(exceeded) => exceeded.fmt(f),
            Self::Runtime(error) => error.fmt(f),
            Self::Replay(error) => error.fmt(f),
            Self::Unrecorded => f.write_str("an earlier call could not be recorded, so no more are made"),
        }
    }
}

impl Error for GatewayError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Denied(denied) => Some(denied),
            Self::BudgetExceeded(exceeded) => Some(exceeded),
            Self::Runtime(error) => Some(error),
            Self::Replay(error) => Some(error),
            Self::Unrecorded => None,
        }
    }
}

/// A budget does not admit a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BudgetExceeded {
    /// The capability.
    pub capability: String,
    /// What is used up: calls of the capability, or something of the agent's budget.
    pub kind: BudgetKind,
    /// The limit: calls, or for time milliseconds.
    pub limit: u64,
}

impl fmt::Display for BudgetExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (capability, limit) = (&self.capability, self.limit);
        match self.kind {
            BudgetKind::CapabilityCalls => write!(f, "{capability} was used {limit} times, which is all it may be"),
            BudgetKind::Time => write!(f, "{capability} is not begun: the {limit} ms of the agent are over"),
            kind => write!(f, "{capability} is not begun: the budget of {limit} for {kind} is used up"),
        }
    }
}

impl Error for BudgetExceeded {}

/// A handler failed. A handler that answers one itself chooses the word for it.
#[derive(Debug)]
pub struct RuntimeError {
    /// In a word, for telemetry.
    pub error_type: ErrorType,
    /// What the handler said; nothing in a replay, where only the word was recorded.
    pub source: Option<BoxError>,
}

impl RuntimeError {
    /// A failure in a word and in a sentence.
    pub fn new(error_type: ErrorType, source: impl Into<BoxError>) -> Self {
        Self { error_type, source: Some(source.into()) }
    }

    /// What `error`, answered by a handler, amounts to. IO errors have words of their own.
    pub(super) fn of(error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => *own,
            Err(error) => {
                let error_type = error.downcast_ref::<io::Error>().map_or(RUNTIME_ERROR, word_for_io);
                Self { error_type, source: Some(error) }
            }
        }
    }
}

const RUNTIME_ERROR: ErrorType = ErrorType::from_static("runtime_error");

fn word_for_io(error: &io::Error) -> ErrorType {
    match error.kind() {
        io::ErrorKind::NotFound => ErrorType::from_static("not_found"),
        io::ErrorKind::PermissionDenied => ErrorType::PERMISSION_DENIED,
        io::ErrorKind::TimedOut => ErrorType::TIMEOUT,
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => ErrorType::INVALID_REQUEST,
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::NotConnected
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => ErrorType::CONNECTION,
        _ => RUNTIME_ERROR,
    }
}

impl fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => source.fmt(f),
            None => write!(f, "it failed when it was recorded: {}", self.error_type),
        }
    }
}

impl Error for RuntimeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

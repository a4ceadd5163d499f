//! Recording what calls came to, and replaying it without touching the world.
//!
//! A recording gateway numbers its calls in the order they begin and hands each, when it has ended, to a
//! [`CallLog`]: capability, digest of the request, and the result or the word for the failure. A replaying one
//! reads them from a [`CallSource`]: call number 7 gets what call number 7 got, if it asks for the same.
//! Otherwise the runs part, the [`ReplayError`] says where, and every later call gets the same error.
//!
//! Records may be in another order than calls began, as they are where calls overlap: at most [`AHEAD_MAX`]
//! are kept until their turn. Calls that begin on several threads at once have no order two runs would share;
//! give each thread a gateway and a recording of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use vigil_core::vocab::{CapabilityError, ErrorType};

/// Records that are read before their turn and kept.
pub const AHEAD_MAX: usize = 4096;

/// One call as it is recorded. Holds nothing operational: no ids of traces, no times, no sizes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallRecord {
    /// The number of the call, from 0, in the order calls began.
    pub number: u64,
    /// The capability.
    pub capability: String,
    /// SHA-256 of the request, see [`digest_of`](super::digest_of).
    pub digest: [u8; 32],
    /// What it came to.
    pub outcome: CallOutcome,
}

/// What a call came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallOutcome {
    /// The result, as [`Answer::to_record`](super::Answer::to_record) writes it.
    Answered(Vec<u8>),
    /// It was refused, or failed.
    Failed {
        /// Which of the two.
        kind: CapabilityError,
        /// The word for it.
        error_type: String,
    },
}

impl CallOutcome {
    pub(super) fn failed(kind: CapabilityError, error_type: &ErrorType) -> Self {
        Self::Failed { kind, error_type: error_type.as_str().to_owned() }
    }
}

/// Where calls are recorded. Called once a call, never by two threads at once.
pub trait CallLog: Send {
    /// Takes one call. When this fails the gateway makes no more calls.
    ///
    /// # Errors
    /// The call could not be written.
    fn append(&mut self, call: &CallRecord) -> io::Result<()>;
}

/// Where recorded calls come from.
pub trait CallSource: Send {
    /// The next call, in the order they were recorded; `None` after the last.
    ///
    /// # Errors
    /// It cannot be read.
    fn next_call(&mut self) -> io::Result<Option<CallRecord>>;
}

impl<F: FnMut(&CallRecord) -> io::Result<()> + Send> CallLog for F {
    fn append(&mut self, call: &CallRecord) -> io::Result<()> {
        self(call)
    }
}

/// Recorded calls in memory, for tests: a log whose clones share what it took, and a source.
#[derive(Clone, Debug, Default)]
pub struct CallTape(Arc<Mutex<Tape>>);

#[derive(Debug, Default)]
struct Tape {
    calls: Vec<CallRecord>,
    read: usize,
}

impl CallTape {
    /// Everything that was recorded.
    pub fn calls(&self) -> Vec<CallRecord> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).calls.clone()
    }

    /// The same calls, to be read from the first on.
    pub fn rewound(&self) -> Self {
        Self(Arc::new(Mutex::new(Tape { calls: self.calls(), read: 0 })))
    }
}

impl FromIterator<CallRecord> for CallTape {
    fn from_iter<I: IntoIterator<Item = CallRecord>>(calls: I) -> Self {
        Self(Arc::new(Mutex::new(Tape { calls: calls.into_iter().collect(), read: 0 })))
    }
}

impl CallLog for CallTape {
    fn append(&mut self, call: &CallRecord) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).calls.push(call.clone());
        Ok(())
    }
}

impl CallSource for CallTape {
    fn next_call(&mut self) -> io::Result<Option<CallRecord>> {
        let mut tape = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let call = tape.calls.get(tape.read).cloned();
        tape.read += 1;
        Ok(call)
    }
}

/// What a gateway does with its calls.
pub(super) enum Mode {
    Live,
    Recording(Recording),
    Replaying(Replaying),
}

pub(super) struct Recording {
    next: AtomicU64,
    broken: AtomicBool,
    log: Mutex<Box<dyn CallLog>>,
}

impl Recording {
    pub(super) fn new(log: Box<dyn CallLog>) -> Self {
        Self { next: AtomicU64::new(0), broken: AtomicBool::new(false), log: Mutex::new(log) }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn append(&self, call: &CallRecord) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_broken() && log.append(call).is_err() {
            self.broken.store(true, Ordering::Release);
        }
    }
}

pub(super) struct Replaying {
    player: Mutex<Player>,
}

struct Player {
    source: Box<dyn CallSource>,
    next: u64,
    ahead: BTreeMap<u64, CallRecord>,
    failed: Option<ReplayError>,
}

impl Replaying {
    pub(super) fn new(source: Box<dyn CallSource>) -> Self {
        let player = Player { source, next: 0, ahead: BTreeMap::new(), failed: None };
        Self { player: Mutex::new(player) }
    }

    /// What the next call came to when it was recorded, if it asked for the same.
    pub(super) fn take(&self, capability: &str, digest: [u8; 32]) -> Result<(u64, CallOutcome), ReplayError> {
        let mut player = self.player.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = &player.failed {
            return Err(error.clone());
        }
        let number = player.next;
        player.next += 1;
        let outcome = player.take(number, capability, digest);
        outcome.map(|outcome| (number, outcome)).inspect_err(|error| player.failed = Some(error.clone()))
    }

    /// From here on every call fails with `error`.
    pub(super) fn give_up(&self, error: ReplayError) -> ReplayError {
        self.player.lock().unwrap_or_else(PoisonError::into_inner).failed.get_or_insert(error).clone()
    }
}

impl Player {
    fn take(&mut self, number: u64, capability: &str, digest: [u8; 32]) -> Result<CallOutcome, ReplayError> {
        let asked = Asked { capability: capability.to_owned(), digest };
        let recorded = match self.ahead.remove(&number) {
            Some(call) => call,
            None => loop {
                match self.source.next_call() {
                    Ok(Some(call)) if call.number == number => break call,
                    Ok(Some(call)) if call.number > number && self.ahead.len() < AHEAD_MAX => {
                        self.ahead.insert(call.number, call);
                    }
                    Ok(Some(_)) => {
                        return Err(ReplayError::Unreadable { number, why: "records are out of order".into() });
                    }
                    Ok(None) => return Err(ReplayError::Parted { number, recorded: None, asked }),
                    Err(error) => return Err(ReplayError::Unreadable { number, why: error.to_string() }),
                }
            },
        };
        if recorded.capability == capability && recorded.digest == digest {
            return Ok(recorded.outcome);
        }
        let recorded = Asked { capability: recorded.capability, digest: recorded.digest };
        Err(ReplayError::Parted { number, recorded: Some(recorded), asked })
    }
}

/// What a call asked for: enough to tell it from another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// The capability.
    pub capability: String,
    /// SHA-256 of the request.
    pub digest: [u8; 32],
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.capability)?;
        self.digest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a replay cannot go on.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ReplayError {
    /// This run asks for something else than the recorded one did at this call.
    Parted {
        /// The number of the call, from 0.
        number: u64,
        /// What was asked then; `None` where the record ends before this call.
        recorded: Option<Asked>,
        /// What is asked now.
        asked: Asked,
    },
    /// The recorded result is not of the type this call has.
    WrongType {
        /// The number of the call, from 0.
        number: u64,
        /// The capability.
        capability: String,
    },
    /// The record cannot be read.
    Unreadable {
        /// The number of the call that was to be read, from 0.
        number: u64,
        /// Why, for people.
        why: String,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parted { number, recorded: Some(recorded), asked } => {
                write!(f, "the runs part at call {number}: recorded was {recorded}, asked is {asked}")
            }
            Self::Parted { number, recorded: None, asked } => {
                write!(f, "the runs part at call {number}: the record ends before it, asked is {asked}")
            }
            Self::WrongType { number, capability } => {
                write!(f, "the result of call {number}, {capability}, was recorded as another type")
            }
            Self::Unreadable { number, why } => write!(f, "call {number} cannot be read from the record: {why}"),
        }
    }
}

impl std::error::Error for ReplayError {}

//! A run once more, out of its journal.
//!
//! A replay hands out the results of recorded calls in their order, and is told the events the agent appends. Both
//! must be what the journal has next, so that a run that takes another course is told where. It writes nothing: at
//! its end it has the recorded run's head, or said why not.
//!
//! Order is strict. Calls and events of several threads have one order in the journal, and a replay needs them in
//! the same. A damaged or altered record ends a replay: what it was is not known.

use super::call::{CAPABILITY_CALL, Call};
use super::chain::Head;
use super::error::ReadError;
use super::frame::Envelope;
use super::reader::{Damage, Item, Reader};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::{error, fmt};

/// The events of a journal, to be met again in their order.
#[derive(Debug)]
pub struct Replay<R = File> {
    reader: Reader<R>,
    head: Head,
    /// The payload of the call that was handed out last.
    payload: Vec<u8>,
    /// Why it ended: a run that has parted from the record does not find back into it.
    stopped: Option<ReplayError>,
}

/// Why a replay cannot go on. Every later step answers the same.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ReplayError {
    /// The agent does something else than it did: at this sequence the journal has another event.
    Parted {
        /// Where.
        sequence: u64,
        /// The kind of the recorded event.
        recorded: String,
        /// The kind of the agent's; the payloads differ where the kinds are the same.
        replayed: String,
    },
    /// The agent goes on where the recorded run had ended.
    Ended {
        /// The sequence the agent's event would have.
        sequence: u64,
        /// Its kind.
        replayed: String,
    },
    /// The agent has ended before the recorded run did.
    Unfinished {
        /// The next recorded event.
        sequence: u64,
        /// Its kind.
        recorded: String,
    },
    /// The journal is damaged here.
    Damaged(Damage),
    /// The record of this sequence is not what was written, or does not follow the one before.
    Altered(u64),
    /// The journal cannot be read.
    Unreadable(String),
}

impl Replay<File> {
    /// Replays the journal at `path`.
    ///
    /// # Errors
    /// It cannot be read, or is not a journal.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        Reader::open(path).map(Self::new)
    }
}

impl<R: Read> Replay<R> {
    /// Replays the journal that `reader` stands at the beginning of.
    pub fn new(reader: Reader<R>) -> Self {
        Self { reader, head: Head::default(), payload: Vec::new(), stopped: None }
    }

    /// Where the replay stands: the head the recorded run had here.
    pub fn head(&self) -> Head {
        self.head
    }

    /// The next recorded call, which the agent is about to make; `None` when the recorded run had ended. The runs
    /// part there, and [`finish`](Self::finish) says so.
    ///
    /// # Errors
    /// Fails if:
    /// - the recorded run made no call here,
    /// - the journal is damaged, altered or cannot be read here.
    pub fn next_call(&mut self) -> Result<Option<Call<'_>>, ReplayError> {
        let mut payload = std::mem::take(&mut self.payload);
        payload.clear();
        let met = self.meet(CAPABILITY_CALL, |recorded| {
            payload.extend_from_slice(recorded);
            Call::from_payload(recorded).is_some()
        });
        self.payload = payload;
        match met {
            Ok(_) => Ok(Call::from_payload(&self.payload)),
            Err(ReplayError::Ended { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Meets an event the agent appends, in place of [`Journal::append`](super::Journal::append).
    ///
    /// # Errors
    /// Fails if:
    /// - the recorded run appended another event here, or had ended,
    /// - the journal is damaged, altered or cannot be read here.
    pub fn append(&mut self, kind: &str, payload: &[u8]) -> Result<Head, ReplayError> {
        self.meet(kind, |recorded| recorded == payload)
    }

    /// Ends the replay: the head of the recorded run.
    ///
    /// # Errors
    /// Fails if:
    /// - the recorded run went on,
    /// - the replay had stopped before, or the journal is damaged or cannot be read here.
    pub fn finish(&mut self) -> Result<Head, ReplayError> {
        if let Some(error) = &self.stopped {
            return Err(error.clone());
        }
        let unfinished = match next(&mut self.reader) {
            Ok(None) => return Ok(self.head),
            Ok(Some(envelope)) => {
                ReplayError::Unfinished { sequence: envelope.sequence, recorded: envelope.kind.to_owned() }
            }
            Err(error) => error,
        };
        Err(self.stopped.insert(unfinished).clone())
    }

    /// Goes on to the next record, which must be of this kind and have a payload that is the `same`.
    fn meet(&mut self, kind: &str, same: impl FnOnce(&[u8]) -> bool) -> Result<Head, ReplayError> {
        if let Some(error) = &self.stopped {
            return Err(error.clone());
        }
        let met = met(&mut self.reader, self.head, kind, same);
        match &met {
            Ok(head) => self.head = *head,
            Err(error) => self.stopped = Some(error.clone()),
        }
        met
    }
}

fn met<R: Read>(
    reader: &mut Reader<R>,
    head: Head,
    kind: &str,
    same: impl FnOnce(&[u8]) -> bool,
) -> Result<Head, ReplayError> {
    let sequence = head.sequence + 1;
    let Some(envelope) = next(reader)? else {
        return Err(ReplayError::Ended { sequence, replayed: kind.to_owned() });
    };
    let follows = envelope.sequence == sequence && envelope.previous == head.hash;
    if !follows || envelope.computed_hash() != envelope.hash {
        return Err(ReplayError::Altered(envelope.sequence));
    }
    if envelope.kind != kind || !same(envelope.payload) {
        let recorded = envelope.kind.to_owned();
        return Err(ReplayError::Parted { sequence, recorded, replayed: kind.to_owned() });
    }
    Ok(envelope.head())
}

/// The next record. A torn end is an end: nothing in it was acknowledged.
fn next<R: Read>(reader: &mut Reader<R>) -> Result<Option<Envelope<'_>>, ReplayError> {
    match reader.next() {
        Ok(Some(Item::Record(_, envelope))) => Ok(Some(envelope)),
        Ok(Some(Item::Damaged(damage))) => Err(ReplayError::Damaged(damage)),
        Ok(Some(Item::Torn(_)) | None) => Ok(None),
        Err(error) => Err(ReplayError::Unreadable(error.to_string())),
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parted { sequence, recorded, replayed } if recorded == replayed => {
                write!(f, "the replay parts from the record at {sequence}: the payload of {recorded} is another")
            }
            Self::Parted { sequence, recorded, replayed } => {
                write!(f, "the replay parts from the record at {sequence}: {recorded} was recorded, {replayed} comes")
            }
            Self::Ended { sequence, replayed } => {
                write!(f, "the replay parts from the record at {sequence}: the record has ended, {replayed} comes")
            }
            Self::Unfinished { sequence, recorded } => {
                write!(
                    f,
                    "the replay parts from the record at {sequence}: {recorded} was recorded, the replay has ended"
                )
            }
            Self::Damaged(damage) => write!(f, "the record is damaged: {damage}"),
            Self::Altered(sequence) => write!(f, "record {sequence} is not what was written"),
            Self::Unreadable(cause) => write!(f, "the record cannot be read: {cause}"),
        }
    }
}

impl error::Error for ReplayError {}

//! The file as one writer knows it, and the records that wait to be written. Held under the writer's mutex.
//!
//! The first record of a group takes the lock on the file and reads what others have appended since; the group is
//! written in one go, and the lock given up. What could not be written whole leaves the file as it was before.

use super::chain::Head;
use super::error::{AppendError, OpenError};
use super::frame::{self, FILE_HEADER_BYTES, FileHeader};
use super::journal::Recovery;
use super::lock;
use super::options::Durability;
use super::reader::{Damage, holds_record, read_file_header};
use super::scan::{Found, Scanner};
use crate::clock;
use std::fs::{File, Metadata};
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::time::{Instant, UNIX_EPOCH};
use vigil_core::fact::UnixNanos;
use vigil_core::id::SpanContext;

/// How large a group becomes, give or take a record.
pub(super) const GROUP_BYTES: usize = 1 << 20;
/// How many damages [`Recovery`] names.
const DAMAGES_KEPT: usize = 100;

#[derive(Debug)]
pub(super) struct State {
    /// The last record, also of the group.
    head: Head,
    /// What is known to be in the file.
    written: Point,
    /// Records that are not in the file yet, encoded for where they will be.
    group: Vec<u8>,
    /// Whether it is our turn at the file: from the first record of a group until it is written.
    has_turn: bool,
    /// When our last turn ended that was of a group.
    turn_ended: Option<Instant>,
    durability: Durability,
    broken: Option<Broken>,
    recovery: Recovery,
}

/// A place between two records of the file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Point {
    /// Its offset.
    pub(super) end: u64,
    /// The record before it.
    pub(super) head: Head,
}

#[derive(Clone, Debug)]
struct Broken {
    kept: Head,
    cause: String,
}

impl State {
    /// Looks at the file, which is ours for the moment, or begins it; cuts what is torn at its end.
    pub(super) fn begin(file: &File, stream: &str, durability: Durability) -> Result<Self, OpenError> {
        let mut state = Self {
            head: Head::default(),
            written: Point { end: begin(file, stream)?, head: Head::default() },
            group: Vec::new(),
            has_turn: false,
            turn_ended: None,
            durability,
            broken: None,
            recovery: Recovery::default(),
        };
        state.read_on(file)?;
        Ok(state)
    }

    /// The last record, also of the group.
    pub(super) fn head(&self) -> Head {
        self.head
    }

    pub(super) fn written(&self) -> Point {
        self.written
    }

    pub(super) fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// The size of the group, in bytes.
    pub(super) fn group_bytes(&self) -> usize {
        self.group.len()
    }

    /// Puts a record into the group.
    pub(super) fn push(
        &mut self,
        file: &File,
        context: Option<SpanContext>,
        kind: &str,
        payload: &[u8],
    ) -> Result<Head, AppendError> {
        self.check()?;
        if !self.has_turn {
            self.take_turn(file)?;
        }
        let offset = self.written.end + self.group.len() as u64;
        self.head = frame::encode(self.head, offset, now(), context, kind, payload, &mut self.group);
        Ok(self.head)
    }

    pub(super) fn check(&self) -> Result<(), AppendError> {
        match &self.broken {
            None => Ok(()),
            Some(Broken { kept, cause }) => Err(AppendError::Broken { kept: *kept, cause: cause.clone() }),
        }
    }

    /// Refuses all that comes from now on; the first cause is the one that is told.
    pub(super) fn break_off(&mut self, kept: Head, cause: String) -> AppendError {
        let Broken { kept, cause } = self.broken.get_or_insert(Broken { kept, cause }).clone();
        AppendError::Broken { kept, cause }
    }

    /// Waits for our turn at the file, and reads what others have appended since the last one.
    fn take_turn(&mut self, file: &File) -> Result<(), AppendError> {
        // Groups follow one another without a gap; syncs leave one between single records.
        if let Some(ended) = self.turn_ended {
            lock::leave_to_others(ended);
        }
        if !lock::wait(file).map_err(AppendError::Io)? {
            return Err(AppendError::Busy(lock::WAIT_MAX));
        }
        self.has_turn = true;
        let ready = self.look(file).and_then(|()| self.read_on(file).map_err(AppendError::Io));
        if ready.is_err() {
            self.end_turn(file)?;
        }
        ready
    }

    /// Whether the file is still the one we know.
    fn look(&mut self, file: &File) -> Result<(), AppendError> {
        let metadata = file.metadata().map_err(AppendError::Io)?;
        let gone = if metadata.len() < self.written.end {
            "the file was cut short by somebody"
        } else if is_deleted(&metadata) {
            "the file was deleted"
        } else {
            return Ok(());
        };
        Err(self.break_off(Head::default(), gone.to_owned()))
    }

    /// Reads from where we know the file to its end, and cuts what is torn there: nobody else is writing.
    fn read_on(&mut self, file: &File) -> io::Result<()> {
        let read = match file.metadata()?.len() == self.written.end {
            true => Ok(()),
            false => self.read_records(file),
        };
        self.head = self.written.head;
        read
    }

    fn read_records(&mut self, mut file: &File) -> io::Result<()> {
        file.seek(SeekFrom::Start(self.written.end))?;
        let mut scanner = Scanner::new(file, self.written.end);
        loop {
            let after = self.written.head.sequence;
            let damage = |range: Range<u64>| Damage { offset: range.start, bytes: range.end - range.start, after };
            match scanner.step()? {
                Found::Record { end, head, .. } => self.written = Point { end, head },
                Found::Damage(range) => {
                    self.recovery.damaged_total += 1;
                    if self.recovery.damaged.len() < DAMAGES_KEPT {
                        self.recovery.damaged.push(damage(range));
                    }
                }
                Found::Torn(range) => {
                    file.set_len(range.start)?;
                    self.written.end = range.start;
                    self.recovery.cut_bytes += range.end - range.start;
                    self.recovery.cut = Some(damage(range));
                    return Ok(());
                }
                Found::End(_) => return Ok(()),
            }
        }
    }

    /// Writes the group and ends our turn. What could not be written whole leaves the file as it was before.
    pub(super) fn write_group(&mut self, mut file: &File) -> Result<(), AppendError> {
        if !self.has_turn {
            return Ok(());
        }
        let written = match file.write_all(&self.group) {
            Ok(()) => {
                self.written = Point { end: self.written.end + self.group.len() as u64, head: self.head };
                Ok(())
            }
            Err(error) => match file.set_len(self.written.end) {
                // The one record of the group is the one that is being appended.
                Ok(()) if self.durability == Durability::EachWrite => {
                    self.head = self.written.head;
                    Err(AppendError::Io(error))
                }
                _ => Err(self.break_off(self.written.head, error.to_string())),
            },
        };
        self.group.clear();
        // One large record is no reason to keep as much memory for good.
        self.group.shrink_to(2 * GROUP_BYTES);
        self.end_turn(file)?;
        written
    }

    fn end_turn(&mut self, file: &File) -> Result<(), AppendError> {
        self.has_turn = false;
        self.turn_ended = (self.durability != Durability::EachWrite).then(clock::monotonic);
        lock::release(file).map_err(|error| self.break_off(self.written.head, error.to_string()))
    }
}

/// Looks at the header, or writes one; says where records begin.
fn begin(mut file: &File, stream: &str) -> Result<u64, OpenError> {
    match read_file_header(&mut file)? {
        FileHeader::Journal { stream: found } if found == stream => Ok(FILE_HEADER_BYTES as u64),
        FileHeader::Journal { stream: found } => Err(OpenError::OtherStream(found)),
        FileHeader::Version(version) => Err(OpenError::Version(version)),
        FileHeader::Torn => {
            file.set_len(0)?;
            file.write_all(&frame::encode_file_header(stream))?;
            Ok(FILE_HEADER_BYTES as u64)
        }
        // The header is damaged: it is read past like any damage.
        FileHeader::Unknown if holds_record(&mut file)? => Ok(0),
        FileHeader::Unknown => Err(OpenError::NotAJournal),
    }
}

#[cfg(unix)]
fn is_deleted(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.nlink() == 0
}

#[cfg(not(unix))]
fn is_deleted(_: &Metadata) -> bool {
    false
}

/// The present by the machine's calendar; the epoch for a clock that stands before it.
fn now() -> UnixNanos {
    let since_epoch = clock::wall().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixNanos(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
}

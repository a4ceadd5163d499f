//! Reading a journal, record by record, past whatever is damaged.

use super::error::ReadError;
use super::frame::{self, Envelope, FILE_HEADER_BYTES, FileHeader};
use super::scan::{Found, Scanner};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

/// Reads a journal from its beginning. Needs no lock, and may read what is being written.
#[derive(Debug)]
pub struct Reader<R> {
    scanner: Scanner<R>,
    stream: Option<String>,
    /// The sequence of the last record that was read.
    sequence: u64,
    /// Everything was read up to this offset.
    ended_at: Option<u64>,
}

/// What comes next in a journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item<'a> {
    /// A whole record, and the offset of its frame.
    Record(u64, Envelope<'a>),
    /// Bytes that are no record, with a record after them.
    Damaged(Damage),
    /// Bytes at the end that are no whole record: a crash while writing, or a write under way.
    Torn(Damage),
}

/// Bytes of a journal that cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Damage {
    /// Where they begin.
    pub offset: u64,
    /// How many they are.
    pub bytes: u64,
    /// The sequence of the last record before them; 0 when there is none.
    pub after: u64,
}

impl Reader<File> {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Fails if:
    /// - the file cannot be opened or read,
    /// - it is not a journal, or of a later version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        Self::new(File::open(path)?)
    }
}

impl<R: Read + Seek> Reader<R> {
    /// Reads `source` from its beginning.
    ///
    /// # Errors
    /// Fails if:
    /// - it cannot be read,
    /// - it is not a journal, or of a later version.
    pub fn new(mut source: R) -> Result<Self, ReadError> {
        let (offset, stream) = match read_file_header(&mut source)? {
            FileHeader::Journal { stream } => (FILE_HEADER_BYTES as u64, Some(stream)),
            FileHeader::Version(version) => return Err(ReadError::Version(version)),
            FileHeader::Torn => (0, None),
            // With a record in it, it is a journal whose header was damaged; else it is none.
            FileHeader::Unknown if holds_record(&mut source)? => (0, None),
            FileHeader::Unknown => return Err(ReadError::NotAJournal),
        };
        source.seek(SeekFrom::Start(offset))?;
        Ok(Self { scanner: Scanner::new(source, offset), stream, sequence: 0, ended_at: None })
    }

    /// Reads on from where [`next`](Self::next) found the end, for who follows a journal that is being written.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn resume(&mut self) -> io::Result<()> {
        // What was torn may have been cut and written anew since: nothing of it is kept.
        if let Some(offset) = self.ended_at.take() { self.scanner.seek(offset) } else { Ok(()) }
    }
}

impl<R: Read> Reader<R> {
    /// The stream the journal is of; `None` when the file's header is damaged.
    pub fn stream(&self) -> Option<&str> {
        self.stream.as_deref()
    }

    /// What comes next; `None` at the end, and after [`Item::Torn`].
    ///
    /// # Errors
    /// The source cannot be read.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend its items")]
    pub fn next(&mut self) -> io::Result<Option<Item<'_>>> {
        Ok(match self.step()? {
            Step::Record { offset, body } => {
                frame::parse_body(self.scanner.bytes(body)).map(|envelope| Item::Record(offset, envelope))
            }
            Step::Damaged(damage) => Some(Item::Damaged(damage)),
            Step::Torn(damage) => Some(Item::Torn(damage)),
            Step::End => None,
        })
    }

    /// The next whole record, past whatever is damaged.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn next_record(&mut self) -> io::Result<Option<Envelope<'_>>> {
        loop {
            match self.step()? {
                Step::Record { body, .. } => return Ok(frame::parse_body(self.scanner.bytes(body))),
                Step::Damaged(_) => {}
                Step::Torn(_) | Step::End => return Ok(None),
            }
        }
    }

    fn step(&mut self) -> io::Result<Step> {
        if self.ended_at.is_some() {
            return Ok(Step::End);
        }
        let after = self.sequence;
        let damage = |range: Range<u64>| Damage { offset: range.start, bytes: range.end - range.start, after };
        Ok(match self.scanner.step()? {
            Found::Record { offset, body, head, .. } => {
                self.sequence = head.sequence;
                Step::Record { offset, body }
            }
            Found::Damage(range) => Step::Damaged(damage(range)),
            Found::Torn(range) => {
                self.ended_at = Some(range.start);
                Step::Torn(damage(range))
            }
            Found::End(offset) => {
                self.ended_at = Some(offset);
                Step::End
            }
        })
    }
}

/// An item whose record is still in the scanner's buffer.
enum Step {
    Record { offset: u64, body: Range<usize> },
    Damaged(Damage),
    Torn(Damage),
    End,
}

/// The header at the beginning of `source`.
pub(super) fn read_file_header(source: &mut (impl Read + Seek)) -> io::Result<FileHeader> {
    let mut header = Vec::with_capacity(FILE_HEADER_BYTES);
    source.seek(SeekFrom::Start(0))?;
    source.take(FILE_HEADER_BYTES as u64).read_to_end(&mut header)?;
    Ok(frame::parse_file_header(&header))
}

/// Whether there is a record anywhere in `source`.
pub(super) fn holds_record(source: &mut (impl Read + Seek)) -> io::Result<bool> {
    source.seek(SeekFrom::Start(0))?;
    let mut scanner = Scanner::new(source, 0);
    loop {
        match scanner.step()? {
            Found::Record { .. } => return Ok(true),
            Found::Damage(_) => {}
            Found::Torn(_) | Found::End(_) => return Ok(false),
        }
    }
}

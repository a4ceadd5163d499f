//! Finds the records in the bytes of a journal, whatever state they are in.
//!
//! A frame whose header is right is taken at its word: where its body is damaged it is skipped by its length. Where
//! a header is damaged, bytes are skipped up to the next one that is right. So time is linear in the bytes, and
//! memory is one buffer of 128 KiB that grows to the largest record (16 MiB) only where there is one.

use super::chain::Head;
use super::frame::{self, FRAME_HEADER_BYTES, MARKER_FIRST};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

/// What a buffer has in the beginning, and what is read at once.
const BUFFER_BYTES: usize = 128 << 10;

/// Reads frames one after the other.
#[derive(Debug)]
pub(super) struct Scanner<R> {
    source: R,
    buffer: Vec<u8>,
    /// The bytes of `buffer` that were read and not yet passed.
    unread: Range<usize>,
    /// Where in the file the unread bytes begin.
    offset: u64,
    /// Where the damage begins that is being skipped.
    damaged_from: Option<u64>,
}

/// What comes next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// A whole record.
    Record {
        /// Where its frame begins.
        offset: u64,
        /// Where it ends.
        end: u64,
        /// Its body in the scanner's buffer, until the next step.
        body: Range<usize>,
        /// Its sequence and hash.
        head: Head,
    },
    /// Bytes that are no record, with one after them.
    Damage(Range<u64>),
    /// Bytes at the end that are no whole record. They are found again when the source has more.
    Torn(Range<u64>),
    /// Nothing, at this offset.
    End(u64),
}

impl<R: Read> Scanner<R> {
    /// Reads `source`, which stands at `offset` of the file.
    pub(super) fn new(source: R, offset: u64) -> Self {
        Self { source, buffer: Vec::new(), unread: 0..0, offset, damaged_from: None }
    }

    /// Bytes of the buffer, as a record that was found names them.
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.buffer.get(range).unwrap_or_default()
    }

    #[cfg(test)]
    pub(super) fn source(&self) -> &R {
        &self.source
    }

    /// Goes on to what comes next.
    pub(super) fn step(&mut self) -> io::Result<Found> {
        loop {
            if self.fill(FRAME_HEADER_BYTES)? < FRAME_HEADER_BYTES {
                return Ok(self.end());
            }
            let Some(header) = frame::parse_frame_header(self.unread(), self.offset) else {
                self.damaged_from.get_or_insert(self.offset);
                let bytes = self.unread();
                // At least one, or this would be found again.
                let skipped = bytes[1..].iter().position(|byte| *byte == MARKER_FIRST);
                self.pass(skipped.map_or(bytes.len(), |position| position + 1));
                continue;
            };
            let length = header.frame_bytes();
            if self.fill(length)? < length {
                return Ok(self.end());
            }
            let Some(envelope) = frame::parse_frame(header, self.unread()) else {
                self.damaged_from.get_or_insert(self.offset);
                self.pass(length);
                continue;
            };
            let head = envelope.head();
            if let Some(from) = self.damaged_from.take() {
                return Ok(Found::Damage(from..self.offset));
            }
            let found = self.unread.start..self.unread.start + length;
            let offset = self.offset;
            self.pass(length);
            return Ok(Found::Record { offset, end: self.offset, body: frame::body_of(&found), head });
        }
    }

    fn end(&self) -> Found {
        let to = self.offset + self.unread.len() as u64;
        let from = self.damaged_from.unwrap_or(self.offset);
        if from < to { Found::Torn(from..to) } else { Found::End(to) }
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.unread.clone()).unwrap_or_default()
    }

    fn pass(&mut self, bytes: usize) {
        self.unread.start += bytes;
        self.offset += bytes as u64;
    }

    /// Reads until `wanted` bytes are unread or the source has no more; says how many are.
    fn fill(&mut self, wanted: usize) -> io::Result<usize> {
        while self.unread.len() < wanted {
            if self.buffer.len() - self.unread.start < wanted {
                self.buffer.copy_within(self.unread.clone(), 0);
                self.unread = 0..self.unread.len();
                self.buffer.resize(wanted.max(BUFFER_BYTES), 0);
            }
            match self.source.read(&mut self.buffer[self.unread.end..]) {
                Ok(0) => break,
                Ok(read) => self.unread.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.unread.len())
    }
}

impl<R: Seek> Scanner<R> {
    /// Forgets what was read, and goes on at `offset` of the source.
    pub(super) fn seek(&mut self, offset: u64) -> io::Result<()> {
        self.source.seek(SeekFrom::Start(offset))?;
        (self.unread, self.offset, self.damaged_from) = (0..0, offset, None);
        Ok(())
    }
}

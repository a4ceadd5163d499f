//! Files of frames: a head of 16 bytes that says what they are, then one frame behind the other.
//!
//! A segment is appended to by the process that made it and never changed afterwards. A frame that was cut short
//! at the end of a segment is what a process left that died while it wrote; it was never promised to anybody and
//! is passed over without a word. Anything else that does not read back is damage.

use super::frame::{HEAD_BYTES, Head};
use crate::encode::{Batch, Signal};
use bytes::Bytes;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

/// The bytes before the first frame.
pub(super) const START: u64 = 16;

const MAGIC: [u8; 8] = *b"VIGILSP1";

/// How many records and how many batches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::deliver) struct Tally {
    pub(in crate::deliver) records: u64,
    pub(in crate::deliver) batches: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.records = self.records.saturating_add(other.records);
        self.batches = self.batches.saturating_add(other.batches);
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            records: self.records.saturating_sub(other.records),
            batches: self.batches.saturating_sub(other.batches),
        }
    }

    pub(super) fn batch(records: u32) -> Self {
        Self { records: u64::from(records), batches: 1 }
    }

    pub(in crate::deliver) fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// The head of a segment of `signal`.
pub(super) fn file_head(signal: Signal) -> [u8; START as usize] {
    let mut head = [0; START as usize];
    head[..8].copy_from_slice(&MAGIC);
    head[8] = signal.index() as u8;
    head
}

/// `traces-0000000001.otlp`.
pub(super) fn file_name(signal: Signal, number: u64) -> String {
    format!("{signal}-{number:010}.otlp")
}

/// The signal and number of a segment's file name.
pub(super) fn parse_file_name(name: &str) -> Option<(Signal, u64)> {
    let (signal, number) = name.strip_suffix(".otlp")?.split_once('-')?;
    let signal = Signal::ALL.into_iter().find(|known| known.as_str() == signal)?;
    let is_number = number.len() >= 10 && number.bytes().all(|byte| byte.is_ascii_digit());
    Some((signal, number.parse().ok().filter(|_| is_number)?))
}

/// What is at a place in a segment.
#[derive(Debug)]
pub(super) enum Found {
    /// A batch that reads back as it was written.
    Batch(Batch, Head),
    /// The head is fine and the body is not: these bytes and records are damaged.
    DamagedBody(Head),
    /// Nothing from here on can be told apart.
    DamagedHead,
    /// The end, or a frame that was cut short there.
    End,
}

/// Reads what is at `offset` of the segment at `path`.
pub(super) fn read_at(path: &Path, signal: Signal, offset: u64) -> io::Result<Found> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(offset))?;
    let head = match read_head(&mut file, offset, length)? {
        Step::Frame(head) => head,
        Step::End => return Ok(Found::End),
        Step::Damaged => return Ok(Found::DamagedHead),
    };
    let mut body = vec![0; head.body_bytes as usize];
    match file.read_exact(&mut body) {
        Ok(()) => {}
        // Somebody cut the file meanwhile.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(Found::End),
        Err(error) => return Err(error),
    }
    if crc32c::crc32c(&body) != head.checksum {
        return Ok(Found::DamagedBody(head));
    }
    Ok(match Batch::reread(signal, Bytes::from(body)) {
        Some(batch) if batch.records() == head.records => Found::Batch(batch, head),
        _ => Found::DamagedBody(head),
    })
}

/// What one look at a head came to.
enum Step {
    Frame(Head),
    End,
    Damaged,
}

/// Reads the head at `offset`, where `file` stands, of a file of `length` bytes.
fn read_head(file: &mut File, offset: u64, length: u64) -> io::Result<Step> {
    let left = length.saturating_sub(offset);
    if left < HEAD_BYTES as u64 {
        return Ok(Step::End);
    }
    let mut bytes = [0; HEAD_BYTES];
    file.read_exact(&mut bytes)?;
    Ok(match Head::decode(&bytes) {
        Some(head) if head.frame_bytes() <= left => Step::Frame(head),
        Some(_) => Step::End,
        None => Step::Damaged,
    })
}

/// What a look through the heads of a segment came to.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Where the last whole frame ends; what is behind it is a torn frame, or damaged.
    pub(super) end: u64,
    /// When the first frame was written, in nanoseconds since 1970.
    pub(super) first_unix_ns: Option<u64>,
    /// The heads could not all be read.
    pub(super) damaged: bool,
}

/// Looks through the heads of the segment at `path` and calls `each` with the place of every frame. Bodies are not
/// read.
pub(super) fn scan(path: &Path, signal: Signal, mut each: impl FnMut(u64, &Head)) -> io::Result<Scan> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut scan = Scan { end: START, ..Scan::default() };
    if length < START {
        // The process died before the head was written.
        return Ok(scan);
    }
    let mut head = [0; START as usize];
    file.read_exact(&mut head)?;
    if head != file_head(signal) {
        scan.damaged = true;
        return Ok(scan);
    }
    loop {
        match read_head(&mut file, scan.end, length)? {
            Step::Frame(head) => {
                each(scan.end, &head);
                scan.first_unix_ns.get_or_insert(head.written_unix_ns);
                scan.end += head.frame_bytes();
                file.seek(SeekFrom::Start(scan.end))?;
            }
            Step::End => return Ok(scan),
            Step::Damaged => {
                scan.damaged = true;
                return Ok(scan);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_segments_are_read_back_and_others_are_not_taken_for_them() {
        for signal in Signal::ALL {
            assert_eq!(parse_file_name(&file_name(signal, 12)), Some((signal, 12)));
        }
        for other in ["traces-1.otlp", "traces-0000000001.otlp.tmp", "spans-0000000001.otlp", "traces--000000001.otlp"]
        {
            assert_eq!(parse_file_name(other), None, "{other}");
        }
    }
}

//! Open spans, carried over: what lets the records they began with be given back before they end.
//!
//! A record file holds what was not handed to the spool yet. A span can be open for hours; its records would keep their
//! chunks all that time. So whenever chunks are given back, open spans that changed are appended to a file beside, as
//! they are then:
//!
//! ```text
//! 0001732176000000-4711-9a3f.open      entries: length u32, CRC-32C u32, tag u8, body
//!   1 open      a span, in the place of what was said of it before but for its records, of which the new ones follow
//!   2 gone      a span id: it was finished, and what came of it is in the spool
//!   3 waiting   a record whose start was not seen yet
//!   4 summed    a number: the spans whose keys were noted before it are in the sums above
//! ```
//!
//! An entry that was cut short or does not read back ends the file: what it would have said is still in the lanes,
//! which are given back after it is written. The file is rewritten when it is 1 MiB and four times what is open.

use super::join::{Carried, Joiner};
use super::rollup::Rollup;
use crate::clock::Ticks;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use vigil_core::contract::SpanKind;
use vigil_core::fact::Outcome;
use vigil_core::id::{SpanContext, SpanId, TraceId};
use vigil_core::vocab::ErrorType;

/// What the name of the file ends in.
pub(crate) const EXTENSION: &str = "open";
/// While it is rewritten.
pub(crate) const NEW_EXTENSION: &str = "open-new";
/// The size from which the file is rewritten when most of it is of no use any more.
const REWRITE_BYTES: u64 = 1 << 20;
const REWRITE_FACTOR: u64 = 4;

const OPEN: u8 = 1;
const GONE: u8 = 2;
const WAITING: u8 = 3;
const SUMMED: u8 = 4;

const HEAD_BYTES: usize = 9;

/// The file open spans are carried over in.
#[derive(Debug)]
pub(crate) struct Carry {
    path: PathBuf,
    /// `None` before there was something to write, and when writing failed.
    file: Option<File>,
    bytes: u64,
    /// The file is not as it should be.
    broken: bool,
    /// The spans in it that are not gone, with the bytes of the last entry of each.
    held: HashMap<SpanId, u64>,
    entries: Vec<u8>,
}

impl Carry {
    /// Beside the record file at `records`.
    pub(crate) fn beside(records: &Path) -> Self {
        let path = records.with_extension(EXTENSION);
        Self { path, file: None, bytes: 0, broken: false, held: HashMap::new(), entries: Vec::new() }
    }

    /// Writes what changed of `joiner`'s open spans; `summed` keys of spans were noted so far.
    ///
    /// # Errors
    /// The disk takes nothing now; the next call writes all that is open.
    pub(crate) fn write(&mut self, joiner: &mut Joiner, summed: u64) -> io::Result<()> {
        let written = if self.broken { self.rewrite(joiner, summed) } else { self.write_changed(joiner, summed) };
        self.broken = written.is_err();
        written
    }

    fn write_changed(&mut self, joiner: &mut Joiner, summed: u64) -> io::Result<()> {
        let mut entries = std::mem::take(&mut self.entries);
        entries.clear();
        self.held.retain(|span, _| {
            let open = joiner.is_open(*span);
            if !open {
                entry(&mut entries, GONE, |out| out.extend_from_slice(&span.0));
            }
            open
        });
        self.gather(joiner, summed, &mut entries);
        let written = if entries.is_empty() { Ok(()) } else { self.append(&entries) };
        self.entries = entries;
        written?;
        let live: u64 = self.held.values().sum();
        if self.bytes > REWRITE_BYTES && self.bytes > live.saturating_mul(REWRITE_FACTOR) {
            self.rewrite(joiner, summed)?;
        }
        Ok(())
    }

    /// Appends what changed, and what waits.
    fn gather(&mut self, joiner: &mut Joiner, summed: u64, entries: &mut Vec<u8>) {
        joiner.carry(|open| {
            let before = entries.len();
            entry(entries, OPEN, |out| put(out, open));
            let held = self.held.entry(open.context.span_id).or_insert(0);
            let said_before = if open.from > 0 { *held } else { 0 };
            *held = said_before + (entries.len() - before) as u64;
        });
        joiner.waiting(|raw| entry(entries, WAITING, |out| out.extend_from_slice(raw)));
        if !self.held.is_empty() {
            entry(entries, SUMMED, |out| out.extend_from_slice(&summed.to_le_bytes()));
        }
    }

    fn append(&mut self, entries: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(create(&self.path)?),
        };
        file.write_all(entries)?;
        self.bytes += entries.len() as u64;
        Ok(())
    }

    /// Writes a file of what is open now and puts it in the place of the one there is.
    fn rewrite(&mut self, joiner: &mut Joiner, summed: u64) -> io::Result<()> {
        joiner.change_all();
        let mut entries = Vec::new();
        self.held.clear();
        self.gather(joiner, summed, &mut entries);
        let new = self.path.with_extension(NEW_EXTENSION);
        let mut file = create(&new)?;
        file.write_all(&entries)?;
        std::fs::rename(&new, &self.path)?;
        self.bytes = entries.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    /// Deletes the file.
    pub(crate) fn remove(&mut self) {
        self.file = None;
        std::fs::remove_file(&self.path).ok();
    }
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Takes what is in the file at `path` into `joiner`, and answers with the keys that are in the sums. A file that is
/// not there is empty.
pub(crate) fn restore(path: &Path, joiner: &mut Joiner) -> io::Result<u64> {
    let mut summed = 0;
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(summed),
        read => read?,
    };
    let mut rest = &bytes[..];
    while let Some((tag, body, behind)) = next(rest) {
        rest = behind;
        match tag {
            OPEN => {
                if let Some(carried) = get(body) {
                    joiner.restore(carried);
                }
            }
            GONE => {
                if let Ok(span) = body.try_into() {
                    joiner.forget(SpanId(span));
                }
            }
            WAITING => {
                // Its start was not seen before, so nothing can be finished by it.
                let _noted = joiner.apply(body);
            }
            SUMMED => summed = body.try_into().map_or(summed, u64::from_le_bytes),
            _ => {}
        }
    }
    Ok(summed)
}

fn entry(out: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; HEAD_BYTES - 1]);
    out.push(tag);
    body(out);
    let len = (out.len() - at - HEAD_BYTES) as u32;
    let checksum = crc32c::crc32c(&out[at + HEAD_BYTES - 1..]);
    out[at..at + 4].copy_from_slice(&len.to_le_bytes());
    out[at + 4..at + 8].copy_from_slice(&checksum.to_le_bytes());
}

/// The tag and body of the first entry, and what is behind it.
fn next(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (head, rest) = bytes.split_at_checked(HEAD_BYTES - 1)?;
    let len = u32::from_le_bytes(head[..4].try_into().ok()?) as usize;
    let (tagged, behind) = rest.split_at_checked(len.checked_add(1)?)?;
    let checksum = u32::from_le_bytes(head[4..].try_into().ok()?);
    (crc32c::crc32c(tagged) == checksum).then(|| (tagged[0], &tagged[1..], behind))
}

/// Trace 16, span 8, parent 8, kind, flags, outcome, 0, retries u32, start u64, end u64, then texts, each behind its
/// length as u32: error, target and attributes, the sums as JSON; then how much of the second is target, and how much
/// of it was said before.
fn put(out: &mut Vec<u8>, open: &Carried<'_>) {
    out.extend_from_slice(&open.context.trace_id.0);
    out.extend_from_slice(&open.context.span_id.0);
    out.extend_from_slice(&open.parent.unwrap_or_default().0);
    let (end, outcome, error) = match &open.ended {
        None => (Ticks(0), NOT_ENDED, None),
        Some((end, outcome)) => match &**outcome {
            Outcome::Ok => (*end, 0, None),
            Outcome::Error(error) => (*end, 1, Some(error.as_str())),
            Outcome::Cancelled => (*end, 2, None),
        },
    };
    let flags = (u8::from(open.sampled) * SAMPLED) | (u8::from(open.rooted) * ROOTED);
    out.extend_from_slice(&[open.kind.index(), flags, outcome, 0]);
    out.extend_from_slice(&open.retries.to_le_bytes());
    out.extend_from_slice(&open.start.0.to_le_bytes());
    out.extend_from_slice(&end.0.to_le_bytes());
    let sums = open.rollup.as_ref().map(|rollup| rollup.to_json()).unwrap_or_default();
    for text in [error.unwrap_or_default().as_bytes(), &open.records, &sums] {
        out.extend_from_slice(&(text.len() as u32).to_le_bytes());
        out.extend_from_slice(text);
    }
    out.extend_from_slice(&(open.target as u32).to_le_bytes());
    out.extend_from_slice(&(open.from as u32).to_le_bytes());
}

const NOT_ENDED: u8 = 0xff;
const SAMPLED: u8 = 1;
const ROOTED: u8 = 2;

fn get(body: &[u8]) -> Option<Carried<'_>> {
    let mut rest = body;
    let (trace, span, parent) = (take::<16>(&mut rest)?, take::<8>(&mut rest)?, take::<8>(&mut rest)?);
    let [kind, flags, outcome, _] = take::<4>(&mut rest)?;
    let retries = u32::from_le_bytes(take(&mut rest)?);
    let (start, end) = (u64::from_le_bytes(take(&mut rest)?), u64::from_le_bytes(take(&mut rest)?));
    let (error, records, sums) = (text(&mut rest)?, text(&mut rest)?, text(&mut rest)?);
    let target = u32::from_le_bytes(take(&mut rest)?) as usize;
    let from = u32::from_le_bytes(take(&mut rest)?) as usize;
    let outcome = match outcome {
        0 => Some(Outcome::Ok),
        1 => Some(Outcome::Error(ErrorType::from_code(std::str::from_utf8(error).ok()?))),
        2 => Some(Outcome::Cancelled),
        _ => None,
    };
    Some(Carried {
        context: SpanContext { trace_id: TraceId(trace), span_id: SpanId(span) },
        parent: (parent != [0; 8]).then_some(SpanId(parent)),
        kind: SpanKind::from_index(kind)?,
        sampled: flags & SAMPLED != 0,
        rooted: flags & ROOTED != 0,
        retries,
        start: Ticks(start),
        ended: outcome.map(|outcome| (Ticks(end), Cow::Owned(outcome))),
        from,
        records: Cow::Borrowed(records),
        target: target.min(from + records.len()),
        rollup: Rollup::from_json(sums).map(Cow::Owned),
    })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

fn text<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = u32::from_le_bytes(take(bytes)?) as usize;
    let (text, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(text)
}

#[cfg(test)]
#[path = "carry_tests.rs"]
mod tests;

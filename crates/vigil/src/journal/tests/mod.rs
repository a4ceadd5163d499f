//! What the tests of the journal share: journals as bytes and as files.

mod bytes;
mod chain;
mod damage;
mod golden;
mod replay;
mod writer;

use super::chain::Head;
use super::frame;
use super::{Item, Reader, Verification, verify};
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use vigil_core::fact::UnixNanos;
use vigil_core::id::{SpanContext, SpanId, TraceId};

/// 2026-01-01T00:00:00Z.
const TIME: u64 = 1_767_225_600_000_000_000;

/// A folder that is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("vigil-journal-test-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A journal of these events, as the bytes of its file.
fn journal_of(events: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = frame::encode_file_header("stream");
    append_to(&mut bytes, Head::default(), events);
    bytes
}

/// Appends these events after `head`.
fn append_to(bytes: &mut Vec<u8>, mut head: Head, events: &[(&str, &[u8])]) -> Head {
    let context = SpanContext { trace_id: TraceId([0xab; 16]), span_id: SpanId([0xcd; 8]) };
    for (kind, payload) in events {
        let offset = bytes.len() as u64;
        let time = UnixNanos(TIME.wrapping_add(head.sequence));
        head = frame::encode(head, offset, time, Some(context), kind, payload, bytes);
    }
    head
}

/// Five events.
fn five() -> Vec<u8> {
    journal_of(&[("a", b"one"), ("b", b"two"), ("c", b"three"), ("d", b""), ("e", &[0xf5; 40])])
}

fn reader(bytes: &[u8]) -> Reader<Cursor<&[u8]>> {
    Reader::new(Cursor::new(bytes)).unwrap()
}

fn verified(bytes: &[u8]) -> Verification {
    verify(&mut reader(bytes)).unwrap()
}

/// Sequence, kind and payload of every whole record of the file.
fn events(path: &Path) -> Vec<(u64, String, Vec<u8>)> {
    let mut reader = Reader::open(path).unwrap();
    let mut events = Vec::new();
    while let Some(envelope) = reader.next_record().unwrap() {
        events.push((envelope.sequence, envelope.kind.to_owned(), envelope.payload.to_vec()));
    }
    events
}

/// Where the frames of a journal begin, and where the last one ends.
fn offsets(bytes: &[u8]) -> Vec<usize> {
    let mut reader = reader(bytes);
    let mut offsets = Vec::new();
    while let Some(item) = reader.next().unwrap() {
        let Item::Record(offset, _) = item else { panic!("the journal is whole") };
        offsets.push(offset as usize);
    }
    offsets.push(bytes.len());
    offsets
}

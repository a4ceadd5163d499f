//! The format: what goes in comes out, and any other bytes are survived.

use super::*;
use crate::journal::ReadError;
use crate::journal::frame::{FILE_HEADER_BYTES, FRAME_HEADER_BYTES, KIND_BYTES_MAX, PAYLOAD_BYTES_MAX, VERSION};
use crate::journal::scan::{Found, Scanner};
use std::io::Read;

#[test]
fn an_envelope_carries_everything_that_was_appended() {
    let bytes = journal_of(&[("message.received", b"hello"), ("plan.made", b"{}")]);
    let mut reader = reader(&bytes);
    assert_eq!(reader.stream(), Some("stream"));
    let Some(Item::Record(offset, first)) = reader.next().unwrap() else { panic!("a record") };
    assert_eq!(offset, FILE_HEADER_BYTES as u64);
    assert_eq!((first.sequence, first.kind, first.payload), (1, "message.received", &b"hello"[..]));
    assert_eq!(first.time, UnixNanos(TIME));
    assert_eq!(first.context.map(|context| context.span_id), Some(SpanId([0xcd; 8])));
    assert_eq!(first.previous, Head::default().hash);
    let first = first.head();
    let Some(Item::Record(_, second)) = reader.next().unwrap() else { panic!("a record") };
    assert_eq!((second.sequence, second.previous), (2, first.hash));
    assert_eq!(reader.next().unwrap(), None);
    assert_eq!(reader.next().unwrap(), None, "the end stays the end");
}

#[test]
fn records_of_every_size_come_out_as_they_went_in() {
    let longest_kind = "k".repeat(KIND_BYTES_MAX);
    let largest = vec![7; PAYLOAD_BYTES_MAX];
    let bytes = journal_of(&[("e", b""), (&longest_kind, &largest), ("f", &largest[..300_000]), ("g", b"end")]);
    let mut reader = reader(&bytes);
    let mut sizes = Vec::new();
    while let Some(envelope) = reader.next_record().unwrap() {
        assert_eq!(envelope.computed_hash(), envelope.hash);
        sizes.push((envelope.kind.len(), envelope.payload.len()));
    }
    assert_eq!(sizes, [(1, 0), (KIND_BYTES_MAX, PAYLOAD_BYTES_MAX), (1, 300_000), (1, 3)]);
}

#[test]
fn a_journal_that_arrives_byte_by_byte_is_the_same_journal() {
    struct Slow<'a>(&'a [u8]);
    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let one = buffer.len().min(1);
            self.0.read(&mut buffer[..one])
        }
    }
    let bytes = five();
    let mut scanner = Scanner::new(Slow(&bytes[FILE_HEADER_BYTES..]), FILE_HEADER_BYTES as u64);
    let mut records = 0;
    while let Found::Record { .. } = scanner.step().unwrap() {
        records += 1;
    }
    assert_eq!(records, 5);
}

#[test]
fn what_is_no_journal_is_refused_and_a_later_version_named() {
    let not_a_journal = |bytes: &[u8]| matches!(Reader::new(Cursor::new(bytes)), Err(ReadError::NotAJournal));
    assert!(not_a_journal(b"{\"type\":\"system\"}\n"));
    assert!(not_a_journal(&vec![0; 100_000]));
    let mut later = frame::encode_file_header("stream")[..FILE_HEADER_BYTES - 4].to_vec();
    later[8..10].copy_from_slice(&(VERSION + 1).to_le_bytes());
    later.extend_from_slice(&crc32c::crc32c(&later).to_le_bytes());
    assert!(matches!(Reader::new(Cursor::new(&later)), Err(ReadError::Version(version)) if version == VERSION + 1));
}

#[test]
fn a_file_whose_creation_was_cut_short_is_an_empty_journal() {
    let header = frame::encode_file_header("stream");
    for length in 0..header.len() {
        let verification = verified(&header[..length]);
        assert_eq!((verification.records, verification.is_intact()), (0, true), "{length} bytes");
    }
}

/// A small generator, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

#[test]
fn no_bytes_whatever_make_a_reader_panic_or_invent_a_record() {
    let whole = five();
    let originals: Vec<(String, Vec<u8>)> = {
        let mut reader = reader(&whole);
        let mut originals = Vec::new();
        while let Some(envelope) = reader.next_record().unwrap() {
            originals.push((envelope.kind.to_owned(), envelope.payload.to_vec()));
        }
        originals
    };
    let mut random = Random(0x5eed);
    for round in 0..4_000 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            match random.below(5) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = random.below(256) as u8,
                2 => bytes.truncate(at),
                3 => drop(bytes.splice(at..at, (0..random.below(40)).map(|_| 0xf5))),
                _ => {
                    let (from, length) = (random.below(bytes.len()), random.below(80));
                    let copied: Vec<u8> = bytes.iter().skip(from).take(length).copied().collect();
                    drop(bytes.splice(at..at, copied));
                }
            }
            if bytes.is_empty() {
                break;
            }
        }
        let Ok(mut reader) = Reader::new(Cursor::new(&bytes)) else { continue };
        while let Some(item) = reader.next().unwrap() {
            if let Item::Record(_, envelope) = item {
                let read = (envelope.kind.to_owned(), envelope.payload.to_vec());
                assert!(originals.contains(&read), "round {round} read {envelope:?}");
            }
        }
    }
}

#[test]
fn random_bytes_behind_a_header_are_a_torn_end() {
    let mut random = Random(77);
    for _ in 0..200 {
        let mut bytes = frame::encode_file_header("stream");
        bytes.extend((0..random.below(5000)).map(|_| random.below(256) as u8));
        let verification = verified(&bytes);
        let torn = verification.torn.map_or(0, |torn| torn.bytes);
        assert_eq!((verification.records, torn), (0, (bytes.len() - FILE_HEADER_BYTES) as u64));
    }
}

/// Every frame header is right and claims the largest body there is.
#[test]
fn a_journal_made_to_cost_time_and_memory_costs_one_pass_and_one_record() {
    struct Counted<R>(R, usize, usize);
    impl<R: Read> Read for Counted<R> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.1 = self.1.max(buffer.len());
            let read = self.0.read(buffer)?;
            self.2 += read;
            Ok(read)
        }
    }
    let largest = journal_of(&[("k", &vec![1; PAYLOAD_BYTES_MAX])]).len() - FILE_HEADER_BYTES;
    let mut bytes = vec![0; 3 * largest];
    for offset in (0..bytes.len() - FRAME_HEADER_BYTES).step_by(1024) {
        let header = frame::encode_frame_header((largest - FRAME_HEADER_BYTES) as u32, 0, offset as u64);
        bytes[offset..offset + FRAME_HEADER_BYTES].copy_from_slice(&header);
    }
    let mut scanner = Scanner::new(Counted(&bytes[..], 0, 0), 0);
    assert_eq!(scanner.step().unwrap(), Found::Torn(0..bytes.len() as u64));
    let Counted(_, most_at_once, read) = scanner.source();
    assert!(*most_at_once <= largest, "{most_at_once} bytes asked for at once");
    assert_eq!(*read, bytes.len(), "read once");
}

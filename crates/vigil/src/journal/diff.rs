//! Where two journals part.

use super::chain::Head;
use super::frame::Envelope;
use super::reader::Reader;
use std::io::{self, Read};

/// How much of a payload a [`Side`] shows: 200 bytes, from up to 40 before the first that differs.
const SHOWN_BYTES: usize = 200;
const SHOWN_BEFORE_BYTES: usize = 40;

/// The first record that is not the same in both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parting {
    /// Its sequence.
    pub sequence: u64,
    /// The last record that is the same in both.
    pub common: Head,
    /// The record in the first journal; `None` when that ended before, or cannot be read there.
    pub left: Option<Side>,
    /// The record in the second.
    pub right: Option<Side>,
    /// The offset in the payload where they begin to differ; `None` where the payloads are the same.
    pub payload_differs_at: Option<u64>,
}

/// One journal's record where two part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Side {
    /// Its kind.
    pub kind: String,
    /// The size of its payload, in bytes.
    pub payload_bytes: u64,
    /// The payload around where the two differ, at most 200 bytes.
    pub excerpt: Vec<u8>,
    /// Its hash.
    pub head: Head,
}

/// What became of comparing two journals.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Comparison {
    /// They hold the same events, up to this head.
    Same(Head),
    /// They part.
    Parted(Box<Parting>),
}

/// Finds where two journals part. Times, ids of traces and streams are not compared; a record that is damaged in
/// one of them is a difference.
///
/// # Errors
/// One of them cannot be read.
pub fn diff<L: Read, R: Read>(left: &mut Reader<L>, right: &mut Reader<R>) -> io::Result<Comparison> {
    let mut common = Head::default();
    loop {
        match (left.next_record()?, right.next_record()?) {
            (None, None) => return Ok(Comparison::Same(common)),
            (Some(one), Some(other)) if is_same(&one, &other) => common = one.head(),
            (left, right) => return Ok(Comparison::Parted(Box::new(parting(common, left, right)))),
        }
    }
}

fn is_same(one: &Envelope<'_>, other: &Envelope<'_>) -> bool {
    one.head() == other.head() && (one.kind, one.payload) == (other.kind, other.payload)
}

fn parting(common: Head, left: Option<Envelope<'_>>, right: Option<Envelope<'_>>) -> Parting {
    let sequences = [left, right].map(|side| side.map(|envelope| envelope.sequence));
    let sequence = sequences.into_iter().flatten().min().unwrap_or(common.sequence);
    // Where one has lost a record, the next it has is a later one: it is not what the other's is compared with.
    let [left, right] = [left, right].map(|side| side.filter(|envelope| envelope.sequence == sequence));
    let payload_differs_at = left.zip(right).and_then(|(left, right)| first_difference(left.payload, right.payload));
    let shown_from = payload_differs_at.unwrap_or(0).saturating_sub(SHOWN_BEFORE_BYTES);
    let side = |envelope: Envelope<'_>| Side {
        kind: envelope.kind.to_owned(),
        payload_bytes: envelope.payload.len() as u64,
        excerpt: envelope.payload.iter().skip(shown_from).take(SHOWN_BYTES).copied().collect(),
        head: envelope.head(),
    };
    Parting {
        sequence,
        common,
        left: left.map(side),
        right: right.map(side),
        payload_differs_at: payload_differs_at.map(|offset| offset as u64),
    }
}

fn first_difference(one: &[u8], other: &[u8]) -> Option<usize> {
    let differs = one.iter().zip(other).position(|(one, other)| one != other);
    differs.or_else(|| (one.len() != other.len()).then(|| one.len().min(other.len())))
}

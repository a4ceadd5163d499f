//! Whether a journal is what was written: every record whole, every hash right, the chain without a gap.
//!
//! A journal that verifies holds what its writer appended, in that order, from the first record to its head. That
//! nothing was taken from its end is known by who kept a later head.

use super::chain::Head;
use super::frame::Envelope;
use super::reader::{Damage, Item, Reader};
use std::fmt;
use std::io::{self, Read};

/// How many findings are kept; the rest are counted.
pub const FINDINGS_KEPT: usize = 100;

/// What became of verifying a journal.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verification {
    /// How many whole records there are.
    pub records: u64,
    /// The last whole record.
    pub head: Head,
    /// What is wrong, in the order of the file; the first [`FINDINGS_KEPT`].
    pub findings: Vec<Finding>,
    /// How many things are wrong.
    pub findings_total: u64,
    /// What a crash, or a write under way, left at the end. It was never acknowledged, and is cut at the next
    /// opening.
    pub torn: Option<Damage>,
}

impl Verification {
    /// Whether nothing is wrong. A torn end is not: nothing in it was acknowledged.
    pub fn is_intact(&self) -> bool {
        self.findings_total == 0
    }
}

/// Something wrong with a journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finding {
    /// Bytes that cannot be read, and the sequence of the record after them.
    Damaged(Damage, u64),
    /// A record whose sequence is not the next one.
    OutOfSequence {
        /// The record's offset.
        offset: u64,
        /// The sequence it should have.
        expected: u64,
        /// The sequence it has.
        found: u64,
    },
    /// A record whose contents are not what its hash was made of.
    Altered {
        /// The record's offset.
        offset: u64,
        /// Its sequence.
        sequence: u64,
    },
    /// A record that does not follow the one before: its previous hash is another.
    Unchained {
        /// The record's offset.
        offset: u64,
        /// Its sequence.
        sequence: u64,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes at offset {} after record {}", self.bytes, self.offset, self.after)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(damage, next) => {
                write!(f, "damaged: {damage}; ")?;
                match (damage.after.saturating_add(1), next.saturating_sub(1)) {
                    (first, last) if first > last => f.write_str("no record is missing"),
                    (first, last) if first == last => write!(f, "record {first} is missing"),
                    (first, last) => write!(f, "records {first} to {last} are missing"),
                }
            }
            Self::OutOfSequence { offset, expected, found } => {
                write!(f, "out of sequence: record {found} at offset {offset}, where {expected} should be")
            }
            Self::Altered { offset, sequence } => {
                write!(f, "altered: record {sequence} at offset {offset} is not what its hash was made of")
            }
            Self::Unchained { offset, sequence } => {
                write!(f, "unchained: record {sequence} at offset {offset} does not follow the one before")
            }
        }
    }
}

/// Reads a journal to its end and checks every record.
///
/// # Errors
/// The source cannot be read.
pub fn verify<R: Read>(reader: &mut Reader<R>) -> io::Result<Verification> {
    let mut verifier = Verifier::default();
    while let Some(item) = reader.next()? {
        match item {
            Item::Record(offset, envelope) => verifier.record(offset, &envelope),
            Item::Damaged(damage) => verifier.damage = Some(damage),
            Item::Torn(damage) => verifier.verification.torn = Some(damage),
        }
    }
    Ok(verifier.verification)
}

#[derive(Debug, Default)]
struct Verifier {
    verification: Verification,
    /// Damage that was seen and whose next record was not.
    damage: Option<Damage>,
}

impl Verifier {
    fn record(&mut self, offset: u64, envelope: &Envelope<'_>) {
        let Head { sequence: last, hash } = self.verification.head;
        let (expected, found) = (last.saturating_add(1), envelope.sequence);
        let damage = self.damage.take();
        if let Some(damage) = damage {
            self.found(Finding::Damaged(damage, found));
        }
        // Behind damage, records are missing and with them the hash to compare with.
        let is_explained = damage.is_some() && found > expected;
        if found != expected && !is_explained {
            self.found(Finding::OutOfSequence { offset, expected, found });
        } else if found == expected && envelope.previous != hash {
            self.found(Finding::Unchained { offset, sequence: found });
        }
        if envelope.computed_hash() != envelope.hash {
            self.found(Finding::Altered { offset, sequence: found });
        }
        self.verification.records += 1;
        self.verification.head = Head { sequence: found, hash: envelope.hash };
    }

    fn found(&mut self, finding: Finding) {
        self.verification.findings_total += 1;
        if self.verification.findings.len() < FINDINGS_KEPT {
            self.verification.findings.push(finding);
        }
    }
}

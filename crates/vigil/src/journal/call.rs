//! Calls of capabilities as events, so that a run can be replayed.
//!
//! A call keeps its number in the run, the capability's name, a digest of the request and what it came to. The
//! request itself is not kept.
//!
//! The payload of [`CAPABILITY_CALL`]: number u64, length of the name u8, name, digest 32, then 0 and the result, or
//! 1, length of the kind u8, kind (`error.kind`) and type (`error.type`). A result is limited by the payload, 16 MiB
//! less the rest.

use vigil_core::vocab::CapabilityError;

/// The kind of such an event.
pub const CAPABILITY_CALL: &str = "capability.call";
/// The longest name of a capability, in bytes.
pub const CAPABILITY_BYTES_MAX: usize = 255;

const ANSWERED: u8 = 0;
const FAILED: u8 = 1;

/// What a call came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome<'a> {
    /// The result, as bytes.
    Answered(&'a [u8]),
    /// It was refused, or failed.
    Failed {
        /// Which of the two (`error.kind`).
        kind: CapabilityError,
        /// The word for it (`error.type`).
        error_type: &'a str,
    },
}

/// A call of a capability and what it came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Call<'a> {
    /// Its number, in the order calls of a run begin. Where calls overlap, records have the order in which they end.
    pub number: u64,
    /// The capability: a name of at most [`CAPABILITY_BYTES_MAX`] bytes.
    pub capability: &'a str,
    /// A digest of the request.
    pub digest: [u8; 32],
    /// What it came to.
    pub outcome: Outcome<'a>,
}

impl<'a> Call<'a> {
    /// The call as a payload; `None` when the name is longer than a name may be.
    pub fn to_payload(&self) -> Option<Vec<u8>> {
        let mut payload = self.number.to_le_bytes().to_vec();
        put_word(&mut payload, self.capability)?;
        payload.extend_from_slice(&self.digest);
        match self.outcome {
            Outcome::Answered(bytes) => {
                payload.push(ANSWERED);
                payload.extend_from_slice(bytes);
            }
            Outcome::Failed { kind, error_type } => {
                payload.push(FAILED);
                put_word(&mut payload, kind.as_str())?;
                payload.extend_from_slice(error_type.as_bytes());
            }
        }
        Some(payload)
    }

    /// Reads a payload; `None` when it is not a call.
    pub fn from_payload(payload: &'a [u8]) -> Option<Self> {
        let (number, rest) = payload.split_first_chunk()?;
        let (capability, rest) = split_word(rest)?;
        let (digest, rest) = rest.split_first_chunk()?;
        let outcome = match rest.split_first()? {
            (&ANSWERED, bytes) => Outcome::Answered(bytes),
            (&FAILED, rest) => {
                let (kind, error_type) = split_word(rest)?;
                Outcome::Failed { kind: kind.parse().ok()?, error_type: str::from_utf8(error_type).ok()? }
            }
            _ => return None,
        };
        Some(Self { number: u64::from_le_bytes(*number), capability, digest: *digest, outcome })
    }
}

fn put_word(payload: &mut Vec<u8>, word: &str) -> Option<()> {
    payload.push(u8::try_from(word.len()).ok()?);
    payload.extend_from_slice(word.as_bytes());
    Some(())
}

fn split_word(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (word, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((str::from_utf8(word).ok()?, rest))
}

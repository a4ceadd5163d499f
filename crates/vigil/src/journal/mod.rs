//! The journal: an append-only, hash-chained file of an agent's own domain events.
//!
//! Spans tell how work went; the journal holds what happened, so that it can be proven and replayed. It is
//! written by the agent, not by telemetry, and is the same whether telemetry is on or off.
//!
//! ```
//! use vigil::journal::{Durability, Journal, Reader, verify};
//! # let folder = std::env::temp_dir().join(format!("vigil-journal-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # let path = folder.join("agent.journal");
//! # let telemetry = vigil::testing::recorder();
//! let journal = Journal::options("session-42").durability(Durability::Group).open(&path)?;
//! let agent = telemetry.agent_span("session-42", "researcher");
//! journal.append(&agent, "message.received", b"find me a paper")?; // carries the span's ids
//! journal.append_in(None, "plan.made", b"{\"steps\":3}")?; // no telemetry needed
//! let head = journal.flush()?; // both are on the disk now
//!
//! let verification = verify(&mut Reader::open(&path)?)?;
//! assert_eq!((verification.records, verification.head), (2, head));
//! # drop(journal); std::fs::remove_dir_all(folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The chain
//!
//! A record carries its sequence (1, 2, 3, …), time, kind, payload, trace id and span id, the hash of the record
//! before it and its own. The hash covers sequence, kind, payload and the previous hash, and nothing operational:
//! no time, no ids of traces. The same events in the same order give the same hash on every machine.
//!
//! # The promise
//!
//! - **Order.** Records have one order, over all threads and processes that write the file: a group of records is
//!   written under a lock on the file, after what others appended meanwhile was read. No two records interleave.
//! - **Durability** is a setting, [`Durability`]: on the disk when `append` returns, when `flush` returns, or when
//!   the system gets to it. A record that was acknowledged so is there after a crash.
//! - **A torn tail is cut.** What a crash left of a record at the end of the file is removed when the journal is
//!   opened (or at the next append of another process), and told in [`Recovery`]. It was never acknowledged. (A last
//!   record that the disk has spoiled looks the same, and is cut and told the same.)
//! - **A damaged middle is skipped and named**, by offset and by the sequence before it, by readers and writers
//!   alike. Nothing refuses to start but a file that is no journal, is of a later version, or is another stream's.
//! - **A failed write costs what was not acknowledged.** The file is cut back to its last whole record. Where
//!   records already had their sequences, or a sync failed, this value answers every later append with the error:
//!   open the journal again.
//!
//! The chain proves what was altered, left out or moved, not who wrote it: who may write the file may write it anew
//! from the first record. Keep the head's hash elsewhere where that matters.
//!
//! # Limits
//!
//! A payload has up to [`PAYLOAD_BYTES_MAX`] (16 MiB), a stream id up to 100 bytes; a kind is one word of up to 64
//! letters, digits and `_.:-/`. Grouped records wait in memory, up to 1 MiB or 10 ms, and the file's lock is held as
//! long; an append waits up to 5 s for another process to give it up, and 0.25 ms for others to have their turn where
//! groups follow one another. A reader holds one record at a time. Opening for writing reads the file once.
//!
//! Appending in groups is fit for async code; [`Durability::EachWrite`] and `flush` wait for the disk. The lock is
//! `flock`, on a local file system; where there is none (Windows), one process at a time may write a journal. A
//! journal that is moved under way is written on where it was moved to; one that is deleted or cut short answers
//! appends with an error.
//!
//! # The file, version 1
//!
//! All numbers are little-endian. A header of 128 bytes:
//!
//! ```text
//! magic 89 'V' 'J' 'L' 0d 0a 1a 0a | version u16 | length of stream id u8 | stream id, zeros up to 124 | crc32c u32
//! ```
//!
//! then records, each a frame:
//!
//! ```text
//! frame:  f5 'V' 'J' '1' | length of body u32 | crc32c of body u32 | crc32c of (own offset u64, the 12 bytes before) u32 | body
//! body:   time in ns since 1970 u64 | trace id 16 | span id 8 | hash 32 | hashed
//! hashed: previous hash 32 | sequence u64 | length of kind u8 | kind | payload
//! ```
//!
//! `hash` is SHA-256 of `hashed`; the first record's previous hash is zeros, and so are ids where there are none.
//! The offset in a frame's checksum keeps bytes that were copied, shifted or left over from being taken for a
//! record, also those of a journal inside a payload.

mod call;
mod chain;
mod diff;
mod error;
mod frame;
mod gateway;
#[allow(clippy::module_inception, reason = "the type the module is about")]
mod journal;
mod lock;
mod options;
mod reader;
mod replay;
mod scan;
mod state;
mod verify;
mod writer;

pub use call::{CAPABILITY_BYTES_MAX, CAPABILITY_CALL, Call, Outcome};
pub use chain::{Chain, Hash, Head};
pub use diff::{Comparison, Parting, Side, diff};
pub use error::{AppendError, KindError, OpenError, ReadError};
pub use frame::{Envelope, KIND_BYTES_MAX, PAYLOAD_BYTES_MAX, STREAM_BYTES_MAX};
pub use journal::{Journal, Recovery};
pub use options::{Durability, Options};
pub use reader::{Damage, Item, Reader};
pub use replay::{Replay, ReplayError};
pub use verify::{FINDINGS_KEPT, Finding, Verification, verify};

#[cfg(test)]
mod tests;

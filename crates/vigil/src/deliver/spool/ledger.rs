//! What the spool lost, for people: one line a loss in `losses.log`, appended by whichever process noticed.
//!
//! ```text
//! 1732176000000 → http://localhost:4318 (http/protobuf) → traces → spool_full → 2048
//! ```
//!
//! Milliseconds since 1970, destination, signal, reason, records; the arrows are tabs. At 256 KiB the file becomes
//! `losses.old.log` and a new one begins, so what is told reaches back a thousand losses or more.

use crate::deliver::receipt::LossReason;
use crate::encode::Signal;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

const FILE: &str = "losses.log";
const OLD_FILE: &str = "losses.old.log";
const FILE_BYTES_MAX: u64 = 256 << 10;

/// A loss that was written down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpoolLoss {
    /// When, in milliseconds since 1970.
    pub unix_ms: u64,
    /// Who did not get them.
    pub destination: String,
    /// What kind of records.
    pub signal: Signal,
    /// Why: [`LossReason::as_str`].
    pub reason: String,
    /// How many.
    pub records: u64,
}

/// Writes a loss down. Failing to is not worth more words: the receipt of this process has it too.
pub(super) fn note(root: &Path, unix_ms: u64, destination: &str, signal: Signal, reason: LossReason, records: u64) {
    let path = root.join(FILE);
    if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > FILE_BYTES_MAX) {
        fs::rename(&path, root.join(OLD_FILE)).ok();
    }
    let destination = destination.replace(['\t', '\n'], " ");
    let line = format!("{unix_ms}\t{destination}\t{signal}\t{reason}\t{records}\n");
    let file = super::owner_only(OpenOptions::new().append(true).create(true)).open(path);
    file.and_then(|mut file| file.write_all(line.as_bytes())).ok();
}

/// The losses that were written down, oldest first. Lines nobody understands are left out.
pub(super) fn read(root: &Path) -> Vec<SpoolLoss> {
    let text = [OLD_FILE, FILE].map(|name| fs::read(root.join(name)).unwrap_or_default()).concat();
    String::from_utf8_lossy(&text).lines().filter_map(parse).collect()
}

fn parse(line: &str) -> Option<SpoolLoss> {
    let mut parts = line.split('\t');
    let unix_ms = parts.next()?.parse().ok()?;
    let destination = parts.next()?.to_owned();
    let signal = parts.next()?;
    let signal = Signal::ALL.into_iter().find(|known| known.as_str() == signal)?;
    let reason = parts.next()?.to_owned();
    let records = parts.next()?.parse().ok()?;
    Some(SpoolLoss { unix_ms, destination, signal, reason, records })
}

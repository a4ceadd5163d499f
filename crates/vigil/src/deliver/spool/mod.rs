//! The spool: a directory where every batch lives that a destination has not acknowledged yet.
//!
//! ```text
//! spool/                                        0700, files 0600
//!   0001732176000000-4711-9a3f/                 one process: begun (ms), its id, chance
//!     lock                                      locked while somebody has the folder
//!     traces-0000000001.otlp  logs-….otlp       segments of framed OTLP, one kind of records each
//!     to-00c0ffee00c0ffee.cursor                how far one destination is
//!   0001732176000000-4711-9a3f.records  .open  what it recorded and did not assemble yet (`record/file.rs`)
//!   set-aside/                                  damaged segments, for whoever wants to know
//!   losses.log                                  what was evicted or damaged
//! ```
//!
//! A batch is appended before it is sent, so what a process recorded outlives it: the next process that delivers to
//! the same place, or `vigil spool drain`, takes over what is left, the oldest first. Two processes share a spool
//! without a word: each writes into its own folder, and the lock of a folder says who delivers it.
//!
//! **Promise.** At least once. After a kill at any moment at most the batch that was under way goes again, one for
//! each signal and destination. A process that is killed loses nothing that was appended; a power cut takes what was
//! appended within the last 100 ms (files are synced that often, and not more often). What a process appended in the last
//! 100 ms before its end is not synced by it, since it would not be gone before the disk has answered: the system writes
//! it, Linux within half a minute. Spans keep their ids.
//!
//! **Bounds.** All files together take at most [`SpoolConfig::max_bytes`], 1 GiB by default; then the oldest segment
//! (8 MiB, or an eighth of the spool) gives way and its records are lost as `spool_full`, counted and written to
//! `losses.log`. A segment has 32 bytes a batch beside what was encoded, and one copy for all destinations.
//! Record files are beside that: what the lanes of a living process hold, some hundred KiB a thread as a rule.
//!
//! **When it goes wrong.** A disk that is full, read-only, or a folder that was deleted: batches wait in memory as
//! they do without a spool, one line says so, and the next batch tries the disk again. A batch that does not read
//! back is lost as `spool_damaged`; its segment goes to `set-aside/` when the rest of it was delivered. A cursor
//! is on the disk before the segments behind it are deleted.
//!
//! **What is in it** is what would have been sent, encoded and not encrypted. No header and no credential is ever
//! written; a destination's id is a 64-bit fingerprint of where it is and of the headers it gets, so that what was
//! meant for one project is not delivered to another.

mod cursor;
mod folder;
mod frame;
mod leave;
mod ledger;
mod segment;
mod store;
mod survey;

#[cfg(test)]
mod tests;

pub(super) use cursor::DestinationId;
use folder::LOCK;
pub(crate) use folder::Party;
pub(crate) use leave::{leave, set_aside_files};
pub use ledger::SpoolLoss;
pub(super) use store::{Missing, News, Spool, Ticket, patiently};
pub use survey::{SpoolStatus, SpoolWaiting, spool_batches, spool_status};

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The bytes a spool may take unless set otherwise: 1 GiB.
pub const DEFAULT_SPOOL_BYTES: u64 = 1 << 30;

/// Where damaged segments go.
const SET_ASIDE: &str = "set-aside";
/// How many damaged segments are kept; older ones are deleted.
const SET_ASIDE_MAX: usize = 16;

/// A spool to use.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SpoolConfig {
    /// Where it is. Made when first needed, for its owner alone.
    pub directory: PathBuf,
    /// The bytes all files may take. Defaults to [`DEFAULT_SPOOL_BYTES`].
    pub max_bytes: u64,
    /// Whether what dead processes left for any destination is delivered to ours. Defaults to no.
    pub adopt_all: bool,
}

impl SpoolConfig {
    /// A spool in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), max_bytes: DEFAULT_SPOOL_BYTES, adopt_all: false }
    }
}

/// Makes `path` and what is above it, for its owner alone. Folders that are there stay as they are.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Files that are made are for their owner alone.
fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Whether an open file has no name any more.
#[cfg(unix)]
pub(crate) fn is_unlinked(file: &File) -> io::Result<bool> {
    Ok(std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) == 0)
}

/// Where open files cannot be deleted, none is.
#[cfg(not(unix))]
pub(crate) fn is_unlinked(_file: &File) -> io::Result<bool> {
    Ok(false)
}

/// Moves a damaged segment out of the way; answers with its new name. At most 16 are kept.
fn set_aside(segment: &Path, folder: &str) -> Option<String> {
    let root = segment.parent()?.parent()?;
    let aside = root.join(SET_ASIDE);
    make_folder(&aside).ok()?;
    let mut kept: Vec<_> = fs::read_dir(&aside).ok()?.flatten().map(|entry| entry.path()).collect();
    kept.sort();
    let needless = kept.len().saturating_sub(SET_ASIDE_MAX - 1);
    kept.iter().take(needless).for_each(|old| drop(fs::remove_file(old)));
    let name = format!("{folder}-{}", segment.file_name()?.to_string_lossy());
    match fs::rename(segment, aside.join(&name)) {
        Ok(()) => Some(name),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        // Better gone than read again for ever.
        Err(_) => {
            fs::remove_file(segment).ok();
            None
        }
    }
}

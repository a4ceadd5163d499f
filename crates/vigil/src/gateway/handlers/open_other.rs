//! Opening a resolved path where there is no `O_NOFOLLOW`.
//!
//! The path is resolved a second time after it was opened: who swaps a folder for a link and back in between is not
//! noticed. Do not rely on file rules against such an agent on these systems.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// Opens a file to be read.
pub(super) fn existing(path: &Path) -> io::Result<File> {
    unmoved(path, File::open(path)?)
}

/// Opens a file to be written, and makes it where it does not exist. Keeps what it holds.
pub(super) fn for_writing(path: &Path) -> io::Result<File> {
    unmoved(path, OpenOptions::new().write(true).create(true).truncate(false).open(path)?)
}

fn unmoved(path: &Path, file: File) -> io::Result<File> {
    if path.canonicalize()? == path { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

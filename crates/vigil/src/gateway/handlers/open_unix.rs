//! Opening a resolved path without following a link anywhere on the way.
//!
//! Every part is opened from the one before it with `O_NOFOLLOW`: a link that took the place of a folder since the
//! path was resolved is an error, not a way out. Nothing waits: a pipe without a writer opens at once.

use rustix::fs::{CWD, Mode, OFlags, openat};
use std::fs::File;
use std::io;
use std::path::{Component, Path};

const PART: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(PASS_THROUGH);
/// A folder on the way need not be readable, only passable, where that can be said.
#[cfg(any(target_os = "linux", target_os = "android"))]
const PASS_THROUGH: OFlags = OFlags::PATH;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const PASS_THROUGH: OFlags = OFlags::empty();
const LAST: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// Opens a file to be read.
pub(super) fn existing(path: &Path) -> io::Result<File> {
    open(path, LAST | OFlags::RDONLY)
}

/// Opens a file to be written, and makes it where it does not exist. Keeps what it holds.
pub(super) fn for_writing(path: &Path) -> io::Result<File> {
    open(path, LAST | OFlags::WRONLY | OFlags::CREATE)
}

fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    let mut folder = openat(CWD, "/", PART, Mode::empty())?;
    let mut parts = path.components().peekable();
    while let Some(part) = parts.next() {
        match part {
            Component::RootDir => {}
            Component::Normal(name) if parts.peek().is_none() => {
                let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
                return Ok(openat(&folder, name, flags, mode)?.into());
            }
            Component::Normal(name) => folder = openat(&folder, name, PART, Mode::empty())?,
            // A resolved path has neither.
            Component::CurDir | Component::ParentDir | Component::Prefix(_) => {
                return Err(io::ErrorKind::InvalidInput.into());
            }
        }
    }
    // The root itself.
    Err(io::ErrorKind::IsADirectory.into())
}

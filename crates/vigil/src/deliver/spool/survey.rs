//! Looking at a spool from outside, without taking anything over: what is there, and all of it as OTLP/JSON.

use super::cursor::{Cursor, Place};
use super::folder::LOCK;
use super::ledger::{self, SpoolLoss};
use super::segment::{self, Found, START};
use super::store::folders_in;
use super::{SET_ASIDE, is_unlinked};
use crate::encode::{Batch, Signal};
use crate::record::left::record_files_in;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// What waits for one destination.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct SpoolWaiting {
    /// What the destination is called.
    pub destination: String,
    /// Spans, events and data points that wait, by [`Signal::index`].
    pub records: [u64; 3],
    /// The bytes of their batches.
    pub bytes: u64,
    /// When the oldest was written, in nanoseconds since 1970.
    pub oldest_unix_ns: Option<u64>,
}

/// What is in a spool.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct SpoolStatus {
    /// What waits, by destination.
    pub waiting: Vec<SpoolWaiting>,
    /// The bytes of all files, delivered ones that are still there included.
    pub bytes: u64,
    /// Folders of processes that run now.
    pub live_processes: usize,
    /// Folders of processes that are gone.
    pub dead_processes: usize,
    /// Processes that died with records they had not handed on: what is in those is not counted before somebody
    /// [brought it home](crate::recover_spool).
    pub unrecovered_processes: usize,
    /// Damaged files that were set aside, by name.
    pub set_aside: Vec<String>,
    /// What the spool lost, as far back as it was written down.
    pub losses: Vec<SpoolLoss>,
}

/// Looks at the spool in `directory`. One that is not there is empty.
///
/// # Errors
/// The folder is there and cannot be read.
pub fn spool_status(directory: &Path) -> io::Result<SpoolStatus> {
    match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(SpoolStatus::default()),
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    let mut status = SpoolStatus { bytes: bytes_in(directory), ..SpoolStatus::default() };
    let mut waiting: BTreeMap<String, SpoolWaiting> = BTreeMap::new();
    for folder in folders_in(directory) {
        match is_live(&folder) {
            true => status.live_processes += 1,
            false => status.dead_processes += 1,
        }
        let segments = segments_in(&folder);
        for cursor in cursors_in(&folder) {
            let one = waiting.entry(cursor.name.clone()).or_default();
            one.destination.clone_from(&cursor.name);
            for (signal, number, path) in &segments {
                let place = cursor.places[signal.index()];
                let each = |at, head: &super::frame::Head| {
                    if (Place { segment: *number, offset: at }) >= place {
                        one.records[signal.index()] += u64::from(head.records);
                        one.bytes += head.frame_bytes();
                        let oldest = one.oldest_unix_ns.get_or_insert(head.written_unix_ns);
                        *oldest = head.written_unix_ns.min(*oldest);
                    }
                };
                // It may have been delivered and deleted while we look.
                drop(segment::scan(path, *signal, each));
            }
        }
    }
    let of_the_dead =
        |file: &PathBuf| fs::File::open(file).is_ok_and(|file| fs4::FileExt::try_lock_shared(&file).is_ok());
    status.unrecovered_processes = record_files_in(directory).iter().filter(|file| of_the_dead(file)).count();
    status.waiting = waiting.into_values().collect();
    let aside = fs::read_dir(directory.join(SET_ASIDE)).into_iter().flatten().flatten();
    status.set_aside = aside.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    status.set_aside.sort();
    status.losses = ledger::read(directory);
    Ok(status)
}

/// Hands every batch in the spool that any destination still waits for to `each`, in the order they were written by
/// each process. Nothing is taken over or deleted. Answers with how many could not be read.
///
/// # Errors
/// What `each` answers with ends it.
pub fn spool_batches(directory: &Path, mut each: impl FnMut(&Batch) -> io::Result<()>) -> io::Result<u64> {
    let mut unreadable = 0;
    for folder in folders_in(directory) {
        let cursors = cursors_in(&folder);
        for (signal, number, path) in segments_in(&folder) {
            let lowest = cursors.iter().map(|cursor| cursor.places[signal.index()]).min();
            let from = match lowest {
                Some(place) if place.segment > number => continue,
                Some(place) if place.segment == number => place.offset,
                _ => START,
            };
            let mut offset = from.max(START);
            loop {
                match segment::read_at(&path, signal, offset) {
                    Ok(Found::Batch(batch, head)) => {
                        each(&batch)?;
                        offset += head.frame_bytes();
                    }
                    Ok(Found::DamagedBody(head)) => {
                        unreadable += 1;
                        offset += head.frame_bytes();
                    }
                    Ok(Found::DamagedHead) => {
                        unreadable += 1;
                        break;
                    }
                    Ok(Found::End) | Err(_) => break,
                }
            }
        }
    }
    Ok(unreadable)
}

/// The bytes of all segments in the spool, those that were set aside included.
pub(super) fn bytes_in(root: &Path) -> u64 {
    let of_folder = |folder: &PathBuf| {
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        let lengths = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "otlp"));
        lengths.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum::<u64>()
    };
    folders_in(root).iter().chain([&root.join(SET_ASIDE)]).map(of_folder).sum()
}

fn is_live(folder: &Path) -> bool {
    match OpenOptions::new().write(true).open(folder.join(LOCK)) {
        Ok(lock) => fs4::FileExt::try_lock_shared(&lock).is_err() && !is_unlinked(&lock).unwrap_or(true),
        Err(_) => false,
    }
}

fn cursors_in(folder: &Path) -> Vec<Cursor> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter(|entry| Cursor::is_file_name(&entry.file_name().to_string_lossy()));
    names.filter_map(|entry| Cursor::open(&entry.path(), false).ok()).collect()
}

/// The segments of a folder in order.
fn segments_in(folder: &Path) -> Vec<(Signal, u64, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let segment = |entry: fs::DirEntry| {
        let (signal, number) = segment::parse_file_name(&entry.file_name().to_string_lossy())?;
        Some((signal, number, entry.path()))
    };
    let mut segments: Vec<_> = entries.filter_map(segment).collect();
    segments.sort();
    segments
}

//! What a process that is gone left in its [record file](super::file): read-only, and nothing in it is believed before
//! it was checked.

use super::file::{EXTENSION, KEYS, MAGIC, STEP, TERMS_AT, mark_of, word};
use super::memory::{HEAD_BYTES, word as chunk};
use crate::clock::{Anchor, Ticks, wall};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A file in which nothing was begun and that is older than this belongs to nobody.
const BEGINNING: Duration = Duration::from_secs(60);
/// The longest terms.
const TERMS_MAX: u64 = 16 << 20;

/// The record file of a process that is gone. Locked while this lives.
#[derive(Debug)]
pub(crate) struct Left {
    path: PathBuf,
    file: File,
    head_bytes: u64,
    pub(crate) terms: Vec<u8>,
    pub(crate) anchor: Anchor,
    /// When the process was last seen alive.
    pub(crate) alive: Ticks,
    /// The keys of what was last handed to the spool, each with its number, counted from 0.
    pub(crate) keys: HashMap<u64, u64>,
}

/// The record files in `directory`, the oldest first.
pub(crate) fn record_files_in(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut files: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION)).collect();
    files.sort();
    files
}

impl Left {
    /// What was left in the file at `path`; `None` where its process lives, or nothing was begun in it.
    ///
    /// # Errors
    /// The file cannot be read now.
    pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // Whoever had it before may have deleted it meanwhile.
        if fs4::FileExt::try_lock(&file).is_err() || !path.exists() {
            return Ok(None);
        }
        match Self::read(path, file)? {
            Some(left) => Ok(Some(left)),
            None if !is_blank(path) => Ok(None),
            None => {
                let age = std::fs::metadata(path).and_then(|metadata| metadata.modified());
                let age = age.ok().and_then(|time| wall().duration_since(time).ok());
                if age.is_some_and(|age| age > BEGINNING) {
                    std::fs::remove_file(path).ok();
                }
                Ok(None)
            }
        }
    }

    fn read(path: &Path, mut file: File) -> io::Result<Option<Self>> {
        let length = file.metadata()?.len();
        let mut page = [0; TERMS_AT];
        if length < TERMS_AT as u64 {
            return Ok(None);
        }
        file.read_exact(&mut page)?;
        let word = |index: usize| u64_at(&page, index);
        let (head_bytes, terms_bytes) = (word(word::HEAD_BYTES), word(word::TERMS_BYTES));
        let keys_at = head_bytes.saturating_sub(KEYS as u64 * 8);
        let fits = terms_bytes <= TERMS_MAX && TERMS_AT as u64 + terms_bytes <= keys_at && head_bytes <= length;
        if word(word::MAGIC) != MAGIC || !fits {
            return Ok(None);
        }
        let mut terms = vec![0; usize::try_from(terms_bytes).unwrap_or(0)];
        file.read_exact(&mut terms)?;
        let mut ring = vec![0; KEYS * 8];
        file.seek(SeekFrom::Start(keys_at))?;
        file.read_exact(&mut ring)?;
        let written = word(word::KEYS_WRITTEN);
        let numbers = written.saturating_sub(KEYS as u64)..written;
        let keys = numbers.map(|number| (u64_at(&ring, (number % KEYS as u64) as usize), number)).collect();
        let slot = word::ANCHORS.into_iter().max_by_key(|slot| word(*slot)).unwrap_or(word::ANCHORS[0]);
        let anchor = Anchor::from_words([word(slot + 1), word(slot + 2), word(slot + 3)]);
        let alive = Ticks(word(word::ALIVE));
        if word(slot) == 0 {
            // It died while it made the file: nothing was recorded.
            return Ok(None);
        }
        Ok(Some(Self { path: path.to_owned(), file, head_bytes, terms, anchor, alive, keys }))
    }

    /// Hands every lane's records that were not settled to `read`, lane by lane, in order and in whole records. Answers
    /// with how many bytes were no records.
    ///
    /// # Errors
    /// The file cannot be read now.
    pub(crate) fn records(&self, mut read: impl FnMut(&[u8])) -> io::Result<u64> {
        let mut chunks = self.chunks()?;
        chunks.sort_by_key(|chunk| (chunk.lane, chunk.sequence));
        let mut damaged = 0;
        for one in chunks {
            let mut bytes = vec![0; usize::try_from(one.to - one.from).unwrap_or(0)];
            let mut file = &self.file;
            file.seek(SeekFrom::Start(one.at + HEAD_BYTES as u64 + one.from))?;
            file.read_exact(&mut bytes)?;
            let mut whole = 0;
            while let Some((_, len)) = super::format::read(&bytes[whole..]) {
                whole += len;
            }
            read(&bytes[..whole]);
            damaged += (bytes.len() - whole) as u64;
        }
        Ok(damaged)
    }

    /// Chunks in which something is not settled.
    fn chunks(&self) -> io::Result<Vec<Unsettled>> {
        let mut file = &self.file;
        let length = file.metadata()?.len();
        let mut chunks = Vec::new();
        let mut at = self.head_bytes;
        while at + HEAD_BYTES as u64 <= length {
            let mut head = [0; HEAD_BYTES];
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut head)?;
            let word = |index: usize| u64_at(&head, index);
            let (committed, settled) = (word(chunk::COMMITTED), word(chunk::SETTLED));
            let capacity = word(chunk::CAPACITY).min(length.saturating_sub(at + HEAD_BYTES as u64));
            let is_head = word(chunk::MARK) == mark_of((at - self.head_bytes) / STEP as u64);
            if is_head && settled < committed && committed <= capacity {
                let (lane, sequence) = (word(chunk::LANE), word(chunk::SEQUENCE));
                chunks.push(Unsettled { lane, sequence, at, from: settled, to: committed });
            }
            // A larger one is followed by the inside of itself.
            let used = if is_head { HEAD_BYTES as u64 + capacity } else { 1 };
            at += used.next_multiple_of(STEP as u64);
        }
        Ok(chunks)
    }

    /// The file that stands beside it with another `extension`.
    pub(crate) fn sibling(&self, extension: &str) -> PathBuf {
        self.path.with_extension(extension)
    }

    /// The name without its extension: when the process began, its id, and chance.
    pub(crate) fn name(&self) -> String {
        self.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Deletes the file.
    pub(crate) fn remove(self) {
        std::fs::remove_file(&self.path).ok();
    }
}

/// Whether nothing was written to the head of a file: its process died while it made it.
fn is_blank(path: &Path) -> bool {
    let mut first = [0; 8];
    match File::open(path).and_then(|mut file| file.read(&mut first)) {
        Ok(_) => first == [0; 8],
        Err(_) => false,
    }
}

#[derive(Debug)]
struct Unsettled {
    lane: u64,
    sequence: u64,
    at: u64,
    from: u64,
    to: u64,
}

fn u64_at(bytes: &[u8], index: usize) -> u64 {
    bytes.get(index * 8..index * 8 + 8).and_then(|word| word.try_into().ok()).map_or(0, u64::from_ne_bytes)
}

//! The record file: where the chunks of all lanes live when records are to outlive the process that made them.
//!
//! ```text
//! 0001732176000000-4711-9a3f.records           locked while its process lives, for its owner alone
//!       0  head words: "VGREC1", bytes before the chunks, bytes of the terms, alive at (ticks), keys written,
//!          two slots of {sequence, ticks, time, rate} that say how ticks become times
//!    4096  the terms: who recorded, and for whom (JSON, `assemble/recover.rs`)
//!       …  the keys of what was last handed to the spool (`KEYS` of 8 bytes, in a ring)
//!       …  chunks, each in whole steps of 64 KiB
//! ```
//!
//! Chunks are mapped into memory and shared with the file, so that a store of the recording thread is in the file when
//! the store is done: `kill -9` takes nothing of it, and nothing is written or synced for that. A power cut takes what
//! was not in the spool yet.
//!
//! **Bounds.** The file has what the lanes hold (128 MiB a thread at most), and gives back what they do not need: at once
//! where files can have holes, to the next chunk elsewhere. Every step is allocated on the disk before it is mapped, so
//! that a disk that is full cannot fault a store (a file system that copies on write, as btrfs does, may want room again
//! later and is no good place for it when it is full); records are then kept in memory alone, which is told once. The
//! thread that needs a chunk allocates it, some ten microseconds in 64 KiB of records, where none was given back.
//!
//! A fork shares the pages with its parent but must not write to them: its lanes begin anew in memory of its own
//! (`lanes.rs`), and it neither gives back nor deletes anything here.
//!
//! `unsafe` here: a view of the head as atomics. The mapping is as long as the view, which borrows it.
#![cfg_attr(vigil_loom, expect(dead_code, reason = "the model has memory of its own"))]

use crate::clock::{Anchor, Clock, Ticks, wall};
use memmap2::{MmapOptions, MmapRaw};
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

/// What the name of a record file ends in.
pub(crate) const EXTENSION: &str = "records";
/// What chunks are allocated in.
pub(super) const STEP: usize = 64 << 10;
/// How many keys of what was handed to the spool are remembered.
pub(crate) const KEYS: usize = 16 << 10;
/// Where the terms begin.
pub(super) const TERMS_AT: usize = 4096;

pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"VGREC1\0\0");

/// Words of the head.
pub(super) mod word {
    pub(in crate::record) const MAGIC: usize = 0;
    pub(in crate::record) const HEAD_BYTES: usize = 1;
    pub(in crate::record) const TERMS_BYTES: usize = 2;
    pub(in crate::record) const ALIVE: usize = 3;
    pub(in crate::record) const KEYS_WRITTEN: usize = 4;
    pub(in crate::record) const ANCHORS: [usize; 2] = [8, 12];
}

/// Where the first chunk is, behind terms of `terms_bytes`.
fn head_bytes(terms_bytes: usize) -> usize {
    (TERMS_AT + terms_bytes).next_multiple_of(TERMS_AT) + KEYS * 8
}

/// What is in the head of a chunk at `step`, so that bytes that happen to be there are no head.
pub(super) fn mark_of(step: u64) -> u64 {
    u64::from_le_bytes(*b"VGCHUNK1") ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The record file of one recorder.
#[derive(Debug)]
pub(crate) struct RecordFile {
    path: PathBuf,
    /// Locked as long as this lives.
    file: File,
    head: MmapRaw,
    head_bytes: usize,
    steps: Mutex<Steps>,
    unkept: AtomicU64,
    /// Whose pages these are. A fork has them too.
    process: u32,
}

/// Which steps of the file are used.
#[derive(Debug, Default)]
struct Steps {
    /// Runs that were given back: the first, and how many.
    free: Vec<(usize, usize)>,
    /// The first that never was.
    next: usize,
}

impl Steps {
    /// The first of `count` steps in a row.
    fn take(&mut self, count: usize) -> usize {
        if let Some(at) = self.free.iter().rposition(|(_, free)| *free >= count) {
            let (first, free) = self.free.swap_remove(at);
            if free > count {
                self.free.push((first + count, free - count));
            }
            return first;
        }
        self.next += count;
        self.next - count
    }
}

/// A place for a record file, made when the first record is.
#[derive(Debug)]
pub(crate) struct RecordFileAt {
    directory: PathBuf,
    terms: Vec<u8>,
    /// A moment, and how ticks became times then.
    began: (Ticks, Anchor),
    file: Mutex<Slot>,
}

#[derive(Debug)]
enum Slot {
    Unmade,
    Failed,
    Made(Arc<RecordFile>),
    /// Nothing is recorded any more.
    Gone,
}

impl RecordFileAt {
    /// A record file in `directory`, of a recorder with these terms and this clock.
    pub(crate) fn new(directory: PathBuf, terms: Vec<u8>, clock: &Clock) -> Self {
        Self { directory, terms, began: (clock.ticks(), clock.anchor()), file: Mutex::new(Slot::Unmade) }
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file, made if it is not there yet; `None` where none can be made.
    pub(super) fn make(&self) -> Option<Arc<RecordFile>> {
        let mut slot = self.slot();
        if matches!(&*slot, Slot::Unmade) {
            super::fork::watch();
            *slot = match RecordFile::create(&self.directory, &self.terms) {
                Ok(file) => {
                    file.note_time(self.began.0, self.began.1);
                    Slot::Made(Arc::new(file))
                }
                Err(_) => Slot::Failed,
            };
        }
        slot.file()
    }

    /// The file, if there is one.
    pub(crate) fn get(&self) -> Option<Arc<RecordFile>> {
        self.slot().file()
    }

    /// Whether one was wanted and could not be made.
    pub(crate) fn failed(&self) -> bool {
        matches!(&*self.slot(), Slot::Failed)
    }

    /// Deletes the file and lets go of it: everything in it is safe elsewhere, or was given up. None is made again.
    pub(crate) fn end(&self) {
        if let Slot::Made(file) = std::mem::replace(&mut *self.slot(), Slot::Gone) {
            file.remove();
        }
    }
}

impl Slot {
    fn file(&self) -> Option<Arc<RecordFile>> {
        match self {
            Slot::Made(file) => Some(Arc::clone(file)),
            Slot::Unmade | Slot::Failed | Slot::Gone => None,
        }
    }
}

impl RecordFile {
    fn create(directory: &Path, terms: &[u8]) -> io::Result<Self> {
        crate::deliver::make_spool_folder(directory)?;
        for _ in 0..4 {
            let now = wall().duration_since(UNIX_EPOCH).unwrap_or_default();
            let nonce = RandomState::new().hash_one(0_u8) as u16;
            let name = format!("{:013}-{}-{nonce:04x}.{EXTENSION}", now.as_millis(), std::process::id());
            let path = directory.join(name);
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(&path)?;
            // Somebody may have found it between the two, and taken it for that of a process that died early.
            if fs4::FileExt::try_lock(&file).is_ok() && path.exists() {
                return Self::begin(path, file, terms);
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }

    fn begin(path: PathBuf, file: File, terms: &[u8]) -> io::Result<Self> {
        let head_bytes = head_bytes(terms.len());
        let made = (|| {
            allocate(&file, 0, head_bytes)?;
            MmapOptions::new().len(head_bytes).map_raw(&file)
        })();
        let head = match made {
            Ok(head) => head,
            Err(error) => {
                std::fs::remove_file(&path).ok();
                return Err(error);
            }
        };
        let process = std::process::id();
        let (steps, unkept) = (Mutex::default(), AtomicU64::new(0));
        let made = Self { path, file, head, head_bytes, steps, unkept, process };
        for (at, bytes) in terms.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            made.word(TERMS_AT / 8 + at).store(u64::from_ne_bytes(word), Ordering::Release);
        }
        made.word(word::TERMS_BYTES).store(terms.len() as u64, Ordering::Release);
        made.word(word::HEAD_BYTES).store(head_bytes as u64, Ordering::Release);
        // Last: without it nobody believes the rest.
        made.word(word::MAGIC).store(MAGIC, Ordering::Release);
        Ok(made)
    }

    #[expect(unsafe_code, reason = "a view of mapped bytes as atomics; the argument is above")]
    fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is page-aligned, `head_bytes` long, lives as long as `self`, and is touched through this
        // view alone in this process. Other processes read the file when this one is gone.
        unsafe { std::slice::from_raw_parts(self.head.as_ptr().cast(), self.head_bytes / 8) }
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        static NOWHERE: AtomicU64 = AtomicU64::new(0);
        self.words().get(index).unwrap_or(&NOWHERE)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this process may write to it.
    fn is_ours(&self) -> bool {
        self.process == std::process::id()
    }

    /// Pages for a chunk of `bytes` with its head, which are a whole number of steps. `None` where the disk has no room
    /// for them.
    pub(super) fn pages(self: &Arc<Self>, bytes: usize) -> Option<KeptPages> {
        if !self.is_ours() {
            return None;
        }
        debug_assert!(bytes.is_multiple_of(STEP));
        let count = bytes / STEP;
        let first = self.steps.lock().unwrap_or_else(PoisonError::into_inner).take(count);
        let offset = self.head_bytes + first * STEP;
        let mapped = allocate(&self.file, offset, bytes)
            .and_then(|()| MmapOptions::new().offset(offset as u64).len(bytes).map_raw(&self.file));
        match mapped {
            Ok(map) => Some(KeptPages { map: Some(map), file: Arc::clone(self), first, count }),
            Err(_) => {
                self.give_back(first, count);
                self.unkept.fetch_add(bytes as u64, Ordering::Relaxed);
                None
            }
        }
    }

    fn give_back(&self, first: usize, count: usize) {
        if !self.is_ours() {
            return;
        }
        // Where a file cannot have holes it keeps the room until it goes.
        punch(&self.file, self.head_bytes + first * STEP, count * STEP).ok();
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).free.push((first, count));
    }

    /// Bytes of chunks the disk had no room for; a process that is killed loses what is in them.
    pub(crate) fn unkept_bytes(&self) -> u64 {
        self.unkept.load(Ordering::Relaxed)
    }

    /// Notes that the process lives, and how ticks become times now.
    pub(crate) fn note_time(&self, now: Ticks, anchor: Anchor) {
        let sequence = self
            .word(word::ANCHORS[0])
            .load(Ordering::Relaxed)
            .max(self.word(word::ANCHORS[1]).load(Ordering::Relaxed));
        // In turns: one that was being written when the process died is older than the other.
        let slot = word::ANCHORS[(sequence % 2) as usize];
        self.word(slot).store(0, Ordering::Release);
        for (at, value) in anchor.to_words().into_iter().enumerate() {
            self.word(slot + 1 + at).store(value, Ordering::Release);
        }
        self.word(slot).store(sequence + 1, Ordering::Release);
        self.word(word::ALIVE).store(now.0, Ordering::Release);
    }

    /// Remembers that what has these keys was handed to the spool; as many as [`KEYS`] are.
    pub(crate) fn note_keys(&self, keys: &[u64]) {
        let first = self.head_bytes / 8 - KEYS;
        let written = self.word(word::KEYS_WRITTEN).load(Ordering::Relaxed);
        for (at, key) in (written..).zip(keys) {
            self.word(first + (at % KEYS as u64) as usize).store(*key, Ordering::Release);
        }
        self.word(word::KEYS_WRITTEN).store(written + keys.len() as u64, Ordering::Release);
    }

    /// How many keys were remembered so far.
    pub(crate) fn keys_noted(&self) -> u64 {
        self.word(word::KEYS_WRITTEN).load(Ordering::Relaxed)
    }

    /// Whether somebody deleted the file behind our back.
    pub(crate) fn is_gone(&self) -> bool {
        crate::deliver::is_unlinked(&self.file).unwrap_or(false)
    }

    fn remove(&self) {
        if self.is_ours() {
            std::fs::remove_file(&self.path).ok();
        }
    }
}

/// Pages of a record file.
#[derive(Debug)]
pub(super) struct KeptPages {
    /// `None` while it is dropped.
    map: Option<MmapRaw>,
    file: Arc<RecordFile>,
    first: usize,
    count: usize,
}

impl KeptPages {
    pub(super) fn mark(&self) -> u64 {
        mark_of(self.first as u64)
    }

    /// Whether this process may write to them.
    pub(super) fn are_ours(&self) -> bool {
        self.file.is_ours()
    }

    pub(super) fn start(&self) -> *mut u8 {
        self.map.as_ref().map_or(std::ptr::null_mut(), MmapRaw::as_mut_ptr)
    }
}

impl Drop for KeptPages {
    fn drop(&mut self) {
        drop(self.map.take());
        self.file.give_back(self.first, self.count);
    }
}

/// Makes sure that the disk has room for `len` bytes at `offset`, which read as zeros where they were not written.
fn allocate(file: &File, offset: usize, len: usize) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::FallocateFlags;
        match rustix::fs::fallocate(file, FallocateFlags::empty(), offset as u64, len as u64) {
            Err(error) if error == rustix::io::Errno::OPNOTSUPP => {}
            other => return Ok(other?),
        }
    }
    fill(file, offset, len)
}

/// Where the file system cannot promise room it takes what is written.
fn fill(file: &File, offset: usize, len: usize) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    static LOCK: Mutex<()> = Mutex::new(());
    let _one_at_a_time = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let zeros = [0; 4096];
    let mut file = file;
    file.seek(SeekFrom::Start(offset as u64))?;
    let mut left = len;
    while left > 0 {
        let part = left.min(zeros.len());
        file.write_all(&zeros[..part])?;
        left -= part;
    }
    Ok(())
}

/// Gives the disk back what is behind `len` bytes at `offset`; they read as zeros then.
fn punch(file: &File, offset: usize, len: usize) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::FallocateFlags;
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(file, hole, offset as u64, len as u64)?;
        Ok(())
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, offset, len);
        Err(ErrorKind::Unsupported.into())
    }
}

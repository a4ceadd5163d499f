//! The bytes of a chunk, behind a head of 64 bytes: pages of their own, so that they go back to the system when the
//! chunk goes. They are in a [record file](super::file) where there is one, else nobody but this process has them.
//!
//! ```text
//!  0  u64  committed: bytes of complete records
//!  8  u64  settled: so many of them are safe elsewhere; all, where the chunk is in nobody's use
//! 16  u64  the lane's number
//! 24  u64  which chunk of the lane this is, from 1
//! 32  u64  bytes there are behind the head
//! 40  u64  in a record file: what tells a head from anything else at its place
//! 48  …    0
//! 64  …    records
//! ```
//!
//! Numbers are in the machine's order: whoever reads a record file runs on the machine that wrote it.

#![expect(unsafe_code, reason = "the argument is in `lane.rs`, and at each place")]

#[cfg(vigil_loom)]
pub(super) use modelled::Memory;
#[cfg(not(vigil_loom))]
pub(super) use real::Memory;

use super::file::RecordFile;
use std::sync::Arc;

/// The bytes before the records.
pub(super) const HEAD_BYTES: usize = 64;
/// What `settled` says of a chunk nobody needs to read again.
pub(super) const ALL_SETTLED: u64 = u64::MAX;

/// Words of the head.
pub(super) mod word {
    pub(in crate::record) const COMMITTED: usize = 0;
    pub(in crate::record) const SETTLED: usize = 1;
    pub(in crate::record) const LANE: usize = 2;
    pub(in crate::record) const SEQUENCE: usize = 3;
    pub(in crate::record) const CAPACITY: usize = 4;
    pub(in crate::record) const MARK: usize = 5;
}

#[cfg(not(vigil_loom))]
mod real {
    use super::super::file::KeptPages;
    use super::{ALL_SETTLED, Arc, HEAD_BYTES, RecordFile, word};
    use memmap2::MmapMut;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// The head of memory there is none of.
    static NO_HEAD: [AtomicU64; HEAD_BYTES / 8] = [const { AtomicU64::new(0) }; HEAD_BYTES / 8];

    pub(in crate::record) struct Memory {
        /// The head, which lives as long as the pages.
        head: *const AtomicU64,
        /// The byte behind the head.
        start: *mut u8,
        capacity: usize,
        /// Touched through the pointers alone.
        pages: Pages,
    }

    enum Pages {
        None,
        Own { _map: MmapMut },
        Kept { pages: KeptPages },
    }

    // SAFETY: who may touch which bytes is the lane's protocol; the head is made of atomics.
    unsafe impl Send for Memory {}
    // SAFETY: as above.
    unsafe impl Sync for Memory {}

    impl Memory {
        /// Memory for `capacity` bytes of records, in `file` where that can be. All bytes are initialised. `None` when
        /// the system has none to give.
        pub(in crate::record) fn new(capacity: usize, file: Option<&Arc<RecordFile>>) -> Option<Self> {
            let kept = file.and_then(|file| file.pages(HEAD_BYTES + capacity));
            let (base, pages) = match kept {
                Some(kept) => (kept.start(), Pages::Kept { pages: kept }),
                None => {
                    let mut map = MmapMut::map_anon(HEAD_BYTES + capacity).ok()?;
                    (map.as_mut_ptr(), Pages::Own { _map: map })
                }
            };
            // SAFETY: the pages are that long.
            let start = unsafe { base.add(HEAD_BYTES) };
            let memory = Self { head: base.cast_const().cast(), start, capacity, pages };
            memory.word(word::SETTLED).store(ALL_SETTLED, Ordering::Release);
            memory.word(word::CAPACITY).store(capacity as u64, Ordering::Release);
            if let Pages::Kept { pages } = &memory.pages {
                memory.word(word::MARK).store(pages.mark(), Ordering::Release);
            }
            Some(memory)
        }

        pub(in crate::record) fn empty() -> Self {
            Self { head: NO_HEAD.as_ptr(), start: std::ptr::dangling_mut(), capacity: 0, pages: Pages::None }
        }

        pub(in crate::record) fn capacity(&self) -> usize {
            self.capacity
        }

        /// Whether the pages outlive the process.
        pub(in crate::record) fn is_kept(&self) -> bool {
            matches!(self.pages, Pages::Kept { .. })
        }

        #[inline(always)]
        fn word(&self, index: usize) -> &AtomicU64 {
            debug_assert!(index < HEAD_BYTES / 8);
            // SAFETY: a page is aligned, the head is within it and made of nothing but atomics.
            unsafe { &*self.head.add(index) }
        }

        /// Says that the first `bytes` behind `start` are complete records. The head is in front of them, so that nothing
        /// is asked where it is.
        ///
        /// # Safety
        /// `start` is that of memory which is there and has a capacity.
        #[inline(always)]
        #[expect(clippy::cast_ptr_alignment, reason = "pages are aligned, and so is what is a head behind")]
        pub(in crate::record) unsafe fn commit(start: *mut u8, bytes: usize) {
            // SAFETY: by the contract of this function; both are of one mapping.
            let head = unsafe { &*start.sub(HEAD_BYTES).cast::<AtomicU64>() };
            const { assert!(word::COMMITTED == 0) };
            head.store(bytes as u64, Ordering::Release);
        }

        pub(in crate::record) fn committed(&self) -> usize {
            // Somebody may write into the file.
            (self.word(word::COMMITTED).load(Ordering::Acquire) as usize).min(self.capacity)
        }

        /// Says that the first `bytes` are safe elsewhere.
        pub(in crate::record) fn settle(&self, bytes: u64) {
            if self.capacity > 0 {
                self.word(word::SETTLED).store(bytes, Ordering::Release);
            }
        }

        /// Makes it the chunk `sequence` of `lane`, with nothing in it. In this order: a process that is killed half
        /// way leaves a chunk without records.
        pub(in crate::record) fn begin(&self, lane: u64, sequence: usize) {
            self.word(word::COMMITTED).store(0, Ordering::Release);
            self.word(word::LANE).store(lane, Ordering::Release);
            self.word(word::SEQUENCE).store(sequence as u64, Ordering::Release);
            self.word(word::SETTLED).store(0, Ordering::Release);
        }

        /// Where the records go. The producer writes there, through this pointer alone; pages of a file or of none have
        /// every byte initialised.
        pub(in crate::record) fn start(&self) -> *mut u8 {
            self.start
        }

        pub(in crate::record) fn read(&self, from: usize, to: usize, read: &mut impl FnMut(&[u8])) {
            // SAFETY: bytes below `committed` are not written any more.
            read(unsafe { std::slice::from_raw_parts(self.start.add(from), to - from) });
        }
    }

    impl Drop for Memory {
        fn drop(&mut self) {
            // The place in the file may be taken again before these pages are gone.
            match &self.pages {
                Pages::Kept { pages } if !pages.are_ours() => {}
                _ => {
                    self.settle(ALL_SETTLED);
                    if self.capacity > 0 {
                        // Where files have no holes the head of a larger chunk would stay and hide what comes behind.
                        self.word(word::MARK).store(0, Ordering::Release);
                    }
                }
            }
        }
    }
}

#[cfg(vigil_loom)]
mod modelled {
    //! One cell a byte, so that the model sees who touches what.

    use super::{Arc, RecordFile};
    use loom::cell::UnsafeCell;
    use loom::sync::atomic::{AtomicUsize, Ordering};

    pub(in crate::record) struct Memory {
        committed: AtomicUsize,
        cells: Vec<UnsafeCell<u8>>,
        /// Where the producer writes what it then publishes. Nobody else looks at it.
        space: std::cell::UnsafeCell<Vec<u8>>,
    }

    // SAFETY: who may touch which bytes is the lane's protocol, which is what the model checks.
    unsafe impl Sync for Memory {}

    impl Memory {
        pub(in crate::record) fn new(capacity: usize, _file: Option<&Arc<RecordFile>>) -> Option<Self> {
            let cells = (0..capacity).map(|_| UnsafeCell::new(0)).collect();
            Some(Self { committed: AtomicUsize::new(0), cells, space: vec![0; capacity].into() })
        }
        pub(in crate::record) fn empty() -> Self {
            Self { committed: AtomicUsize::new(0), cells: Vec::new(), space: Default::default() }
        }
        pub(in crate::record) fn capacity(&self) -> usize {
            self.cells.len()
        }
        /// So that the model has chunks that wait to be settled.
        pub(in crate::record) fn is_kept(&self) -> bool {
            true
        }
        pub(in crate::record) fn committed(&self) -> usize {
            self.committed.load(Ordering::Acquire)
        }
        pub(in crate::record) fn settle(&self, _bytes: u64) {}
        pub(in crate::record) fn begin(&self, _lane: u64, _sequence: usize) {
            self.committed.store(0, Ordering::Relaxed);
        }
        pub(in crate::record) fn start(&self) -> *mut u8 {
            // SAFETY: the space is the producer's alone, and never grows.
            unsafe { &mut *self.space.get() }.as_mut_ptr()
        }
        pub(in crate::record) fn publish(&self, at: usize, len: usize, committed: usize) {
            // SAFETY: the space is the producer's alone.
            let space = unsafe { &*self.space.get() };
            for (cell, byte) in self.cells[at..at + len].iter().zip(&space[at..at + len]) {
                // SAFETY: the model checks that nobody reads or writes this cell meanwhile.
                cell.with_mut(|cell| unsafe { *cell = *byte });
            }
            self.committed.store(committed, Ordering::Release);
        }
        pub(in crate::record) fn read(&self, from: usize, to: usize, read: &mut impl FnMut(&[u8])) {
            // SAFETY: the model checks that nobody writes these cells meanwhile.
            let bytes: Vec<u8> = self.cells[from..to].iter().map(|cell| cell.with(|byte| unsafe { *byte })).collect();
            read(&bytes);
        }
    }
}

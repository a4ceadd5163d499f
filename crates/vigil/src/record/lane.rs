//! A lane: the way of records from one thread to the assembler. One producer, one consumer, no lock.
//!
//! A lane is a chain of chunks. The producer appends to the last one and publishes how many bytes are
//! complete; the consumer reads up to there. A full chunk is followed by another, and the consumer gives read
//! ones back, so that in steady state nothing is allocated and the same warm memory is used over and over. A
//! burst grows the chain up to the lane's limit; afterwards all but a few chunks go back to the system.
//!
//! This is the only module of the crate with `unsafe`. Its argument:
//!
//! - A chunk's bytes below `committed` are written once and never again until the consumer has given the
//!   chunk back; bytes above belong to the producer. `committed` is stored with release after the bytes and
//!   loaded with acquire before they are read.
//! - `next` is set once, with release, when the producer leaves a chunk for good: the consumer that sees it
//!   (acquire) then sees the final `committed` as well, and nobody writes to the chunk any more.
//! - A chunk is owned by the producer while it is the last of the chain, by the chain in between, by the
//!   consumer while it reads it, and by the free list after. The free list is pushed to by the consumer alone
//!   and taken as a whole by the producer alone, so there is no ABA.
//! - `Producer` and `Consumer` are not `Clone`, need `&mut` for everything, and share the chain through an
//!   `Arc`; whoever drops the last of them frees the chain from its head, which only the consumer moves.
//!
//! The ordering is modelled with loom: `RUSTFLAGS="--cfg vigil_loom" cargo test -p vigil-sdk --lib --release model`.
#![expect(unsafe_code, reason = "a queue between two threads without a lock; the argument is above")]

#[cfg(vigil_loom)]
use loom::sync::Arc;
#[cfg(vigil_loom)]
use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
#[cfg(not(vigil_loom))]
use std::sync::Arc;
#[cfg(not(vigil_loom))]
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

use memory::Memory;
use std::ptr;

/// What a chunk holds: 64 KiB, some hundreds of records. A larger record gets a chunk of its own.
#[cfg(not(vigil_loom))]
const CHUNK_BYTES: usize = 64 << 10;
#[cfg(vigil_loom)]
const CHUNK_BYTES: usize = 4;
/// So many full chunks make the consumer come before its time.
#[cfg(not(vigil_loom))]
const PRESSING_CHUNKS: usize = 4;
#[cfg(vigil_loom)]
const PRESSING_CHUNKS: usize = 1;
/// Chunks kept for reuse after a burst.
#[cfg(not(vigil_loom))]
const KEEP_CHUNKS: usize = 32;
#[cfg(vigil_loom)]
const KEEP_CHUNKS: usize = 1;

struct Chunk {
    /// Bytes of complete records.
    committed: AtomicUsize,
    /// The chunk that follows, in the chain or in the free list.
    next: AtomicPtr<Chunk>,
    memory: Memory,
}

impl Chunk {
    fn boxed(memory: Memory) -> *mut Chunk {
        let (committed, next) = (AtomicUsize::new(0), AtomicPtr::new(ptr::null_mut()));
        Box::into_raw(Box::new(Chunk { committed, next, memory }))
    }
}

struct Shared {
    /// The first chunk of the chain. Moved by the consumer alone.
    head: AtomicPtr<Chunk>,
    /// Chunks that were read. Pushed to by the consumer alone, taken as a whole by the producer alone.
    free: AtomicPtr<Chunk>,
    free_count: AtomicUsize,
    /// Bytes of all chunks of this lane.
    held: AtomicUsize,
    /// The producer is gone; what is in the chain is all there will be.
    closed: AtomicBool,
    /// The consumer is gone; nobody will read what is appended.
    abandoned: AtomicBool,
}

/// Where one thread appends.
pub(crate) struct Producer {
    /// Whose lane it is.
    recorder: u64,
    /// Whether it is for one record only.
    last: bool,
    /// Tells this lane from every other of the process.
    number: u32,
    chunk: *mut Chunk,
    /// Bytes used of the chunk. The same as its `committed`, without the atomic.
    used: usize,
    capacity: usize,
    /// Chunks taken back from the free list.
    spare: *mut Chunk,
    /// Chunks begun since the consumer was last asked to come.
    begun: usize,
    limit: usize,
    /// `None` when it is closed.
    shared: Option<Arc<Shared>>,
}

/// Where the assembler reads.
pub(crate) struct Consumer {
    chunk: *mut Chunk,
    read: usize,
    shared: Arc<Shared>,
}

// SAFETY: the pointers lead into the chain, whose parts have one owner at a time (module header).
unsafe impl Send for Producer {}
// SAFETY: as above.
unsafe impl Send for Consumer {}

/// The lane holds as much as it may; nothing was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    Here,
    /// [`PRESSING_CHUNKS`] more are full: the consumer should come.
    Pressing,
}

/// The next lane's number. After 2^32 lanes a number comes again, which matters only to a span that is still
/// open from so long ago.
static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);

/// A lane of `recorder` that may hold `limit` bytes, or one chunk where that is more.
pub(crate) fn lane(recorder: u64, limit: usize, last: bool) -> (Producer, Consumer) {
    // Without room: the first record makes the first chunk that has some.
    let chunk = Chunk::boxed(Memory::empty());
    let shared = Arc::new(Shared {
        head: AtomicPtr::new(chunk),
        free: AtomicPtr::new(ptr::null_mut()),
        free_count: AtomicUsize::new(0),
        held: AtomicUsize::new(0),
        closed: AtomicBool::new(false),
        abandoned: AtomicBool::new(false),
    });
    let producer = Producer {
        recorder,
        last,
        number: NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
        chunk,
        used: 0,
        capacity: 0,
        spare: ptr::null_mut(),
        begun: 0,
        limit: limit.max(CHUNK_BYTES),
        shared: Some(shared.clone()),
    };
    (producer, Consumer { chunk, read: 0, shared })
}

impl Producer {
    /// Whose lane it is.
    #[inline(always)]
    pub(crate) fn recorder(&self) -> u64 {
        self.recorder
    }

    /// Whether it is for one record only.
    #[inline(always)]
    pub(crate) fn is_last(&self) -> bool {
        self.last
    }

    /// Tells this lane from every other.
    #[inline(always)]
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Makes room for `len` bytes. They are the consumer's when they are [committed](Self::commit). With `always`
    /// the limit does not hold.
    #[inline(always)]
    pub(crate) fn reserve(&mut self, len: usize, always: bool) -> Result<(&mut [u8], Appended), Full> {
        let mut appended = Appended::Here;
        if self.capacity - self.used < len {
            appended = self.next_chunk(len, always)?;
        }
        // SAFETY: the producer owns the last chunk of the chain, and everything in it above `used`, where there is
        // room for `len`. The slice borrows the producer, so it is gone before anything of it is committed.
        let space = unsafe { (*self.chunk).memory.space(self.used, len) };
        Ok((space, appended))
    }

    /// Hands the `len` bytes that were reserved to the consumer.
    #[inline(always)]
    pub(crate) fn commit(&mut self, len: usize) {
        // SAFETY: the producer owns the last chunk of the chain.
        let chunk = unsafe { &*self.chunk };
        #[cfg(vigil_loom)]
        chunk.memory.publish(self.used, len);
        self.used += len;
        debug_assert!(self.used <= self.capacity);
        chunk.committed.store(self.used, Ordering::Release);
    }

    /// Appends `bytes`.
    #[cfg(test)]
    fn append(&mut self, bytes: &[u8], always: bool) -> Result<Appended, Full> {
        let (space, appended) = self.reserve(bytes.len(), always)?;
        space.copy_from_slice(bytes);
        self.commit(bytes.len());
        Ok(appended)
    }

    /// Whether the consumer is gone.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| shared.abandoned.load(Ordering::Relaxed))
    }

    #[cold]
    fn next_chunk(&mut self, len: usize, always: bool) -> Result<Appended, Full> {
        let Some(shared) = self.shared.clone().filter(|_| !self.is_abandoned()) else { return Err(Full) };
        let mut next = if len <= CHUNK_BYTES { self.spare_chunk(&shared) } else { ptr::null_mut() };
        let capacity = len.max(CHUNK_BYTES);
        if next.is_null() {
            let held = shared.held.load(Ordering::Relaxed);
            if held.saturating_add(capacity) > self.limit && !always {
                return Err(Full);
            }
            // The system may have no memory either.
            next = Chunk::boxed(Memory::new(capacity).ok_or(Full)?);
            shared.held.fetch_add(capacity, Ordering::Relaxed);
        }
        self.capacity = capacity;
        // SAFETY: the last chunk of the chain is the producer's until `next` is set.
        unsafe { &*self.chunk }.next.store(next, Ordering::Release);
        self.chunk = next;
        self.used = 0;
        self.begun += 1;
        if self.begun.is_multiple_of(PRESSING_CHUNKS) { Ok(Appended::Pressing) } else { Ok(Appended::Here) }
    }

    /// A chunk that was given back, emptied; null when there is none.
    fn spare_chunk(&mut self, shared: &Shared) -> *mut Chunk {
        if self.spare.is_null() {
            self.spare = shared.free.swap(ptr::null_mut(), Ordering::Acquire);
        }
        let chunk = self.spare;
        if !chunk.is_null() {
            // SAFETY: a chunk of the free list that was taken belongs to the producer.
            let taken = unsafe { &*chunk };
            self.spare = taken.next.load(Ordering::Relaxed);
            taken.next.store(ptr::null_mut(), Ordering::Relaxed);
            taken.committed.store(0, Ordering::Relaxed);
            shared.free_count.fetch_sub(1, Ordering::Relaxed);
        }
        chunk
    }

    /// Says that nothing more will be appended: the consumer goes when it has read the rest.
    pub(crate) fn close(&mut self) {
        // SAFETY: the spare chunks are the producer's.
        unsafe { free_list(std::mem::replace(&mut self.spare, ptr::null_mut())) };
        self.capacity = 0;
        self.used = 0;
        self.limit = 0;
        if let Some(shared) = self.shared.take() {
            shared.closed.store(true, Ordering::Release);
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").field("used", &self.used).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer").field("read", &self.read).finish_non_exhaustive()
    }
}

impl Consumer {
    /// Hands everything appended so far to `read`, in order and in whole records. Answers whether more can come.
    pub(crate) fn drain(&mut self, mut read: impl FnMut(&[u8])) -> bool {
        // Before the chain is read: what was appended before the close is then seen.
        let closed = self.shared.closed.load(Ordering::Acquire);
        // What was appended before is not more than this. A producer that keeps ahead of us must not keep us here.
        let enough = self.shared.held.load(Ordering::Relaxed);
        let mut seen = 0;
        loop {
            // SAFETY: the chunk at the head is the consumer's to read below `committed`.
            let chunk = unsafe { &*self.chunk };
            // Before `committed`: a chunk that has a follower is final.
            let next = chunk.next.load(Ordering::Acquire);
            let committed = chunk.committed.load(Ordering::Acquire);
            if committed > self.read {
                chunk.memory.read(self.read, committed, &mut read);
                seen += committed - self.read;
                self.read = committed;
            }
            if next.is_null() {
                return !closed;
            }
            if seen > enough {
                return true;
            }
            let done = std::mem::replace(&mut self.chunk, next);
            self.read = 0;
            self.shared.head.store(next, Ordering::Relaxed);
            self.give_back(done);
        }
    }

    fn give_back(&self, chunk: *mut Chunk) {
        // SAFETY: a chunk that has a follower and was read is the consumer's alone.
        let capacity = unsafe { &*chunk }.memory.capacity();
        if capacity != CHUNK_BYTES || self.shared.free_count.load(Ordering::Relaxed) >= KEEP_CHUNKS {
            self.shared.held.fetch_sub(capacity, Ordering::Relaxed);
            // SAFETY: as above; it came from `Chunk::boxed`.
            drop(unsafe { Box::from_raw(chunk) });
            return;
        }
        self.shared.free_count.fetch_add(1, Ordering::Relaxed);
        let mut head = self.shared.free.load(Ordering::Relaxed);
        loop {
            // SAFETY: as above, until it is in the list.
            unsafe { &*chunk }.next.store(head, Ordering::Relaxed);
            match self.shared.free.compare_exchange_weak(head, chunk, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.shared.abandoned.store(true, Ordering::Relaxed);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: neither producer nor consumer is left. The chain from its head and the free list are apart,
        // and hold every chunk but the spare ones, which the producer freed.
        unsafe {
            free_list(self.head.load(Ordering::Acquire));
            free_list(self.free.load(Ordering::Acquire));
        }
    }
}

/// Frees a list of chunks.
///
/// # Safety
/// Nobody else may have a pointer to any of them.
unsafe fn free_list(mut chunk: *mut Chunk) {
    while !chunk.is_null() {
        // SAFETY: by the contract of this function; each came from `Chunk::boxed`.
        let owned = unsafe { Box::from_raw(chunk) };
        chunk = owned.next.load(Ordering::Relaxed);
    }
}

#[cfg(not(vigil_loom))]
mod memory {
    //! The bytes of a chunk: pages of their own, so that they go back to the system when the chunk goes.

    use memmap2::MmapMut;

    pub(super) struct Memory {
        start: *mut u8,
        capacity: usize,
        /// Keeps the pages; touched through `start` alone.
        _map: Option<MmapMut>,
    }

    // SAFETY: who may touch which bytes is the lane's protocol.
    unsafe impl Send for Memory {}
    // SAFETY: as above.
    unsafe impl Sync for Memory {}

    impl Memory {
        /// All bytes are zero. `None` when the system has no memory to give.
        pub(super) fn new(capacity: usize) -> Option<Self> {
            let mut map = MmapMut::map_anon(capacity).ok()?;
            Some(Self { start: map.as_mut_ptr(), capacity, _map: Some(map) })
        }

        pub(super) const fn empty() -> Self {
            Self { start: std::ptr::dangling_mut(), capacity: 0, _map: None }
        }

        pub(super) fn capacity(&self) -> usize {
            self.capacity
        }

        /// `len` bytes from `at`, for the producer.
        ///
        /// # Safety
        /// They lie within the capacity and are the caller's alone for as long as it has them.
        #[inline(always)]
        #[expect(clippy::mut_from_ref, reason = "who may touch which bytes is the lane's protocol")]
        pub(super) unsafe fn space(&self, at: usize, len: usize) -> &mut [u8] {
            debug_assert!(at + len <= self.capacity);
            // SAFETY: by the contract of this function; the pages are zeroed, so every byte is initialised.
            unsafe { std::slice::from_raw_parts_mut(self.start.add(at), len) }
        }

        pub(super) fn read(&self, from: usize, to: usize, read: &mut impl FnMut(&[u8])) {
            // SAFETY: bytes below `committed` are not written any more.
            read(unsafe { std::slice::from_raw_parts(self.start.add(from), to - from) });
        }
    }
}

#[cfg(vigil_loom)]
mod memory {
    //! The bytes of a chunk, one cell each, so that the model sees who touches what.

    use loom::cell::UnsafeCell;

    pub(super) struct Memory {
        cells: Vec<UnsafeCell<u8>>,
        /// What the producer has written and not published yet. Nobody else looks at it.
        space: std::cell::UnsafeCell<Vec<u8>>,
    }

    // SAFETY: who may touch which bytes is the lane's protocol, which is what the model checks.
    unsafe impl Sync for Memory {}

    impl Memory {
        pub(super) fn new(capacity: usize) -> Option<Self> {
            let cells = (0..capacity).map(|_| UnsafeCell::new(0)).collect();
            Some(Self { cells, space: Default::default() })
        }
        pub(super) fn empty() -> Self {
            Self { cells: Vec::new(), space: Default::default() }
        }
        pub(super) fn capacity(&self) -> usize {
            self.cells.len()
        }
        #[expect(clippy::mut_from_ref, reason = "the producer's alone")]
        pub(super) unsafe fn space(&self, _at: usize, len: usize) -> &mut [u8] {
            // SAFETY: the space is the producer's alone.
            let space = unsafe { &mut *self.space.get() };
            space.resize(len, 0);
            space
        }
        pub(super) fn publish(&self, at: usize, len: usize) {
            // SAFETY: the space is the producer's alone.
            let space = unsafe { &*self.space.get() };
            for (cell, byte) in self.cells[at..at + len].iter().zip(space) {
                // SAFETY: the model checks that nobody reads or writes this cell meanwhile.
                cell.with_mut(|cell| unsafe { *cell = *byte });
            }
        }
        pub(super) fn read(&self, from: usize, to: usize, read: &mut impl FnMut(&[u8])) {
            // SAFETY: the model checks that nobody writes these cells meanwhile.
            let bytes: Vec<u8> = self.cells[from..to].iter().map(|cell| cell.with(|byte| unsafe { *byte })).collect();
            read(&bytes);
        }
    }
}

#[cfg(all(test, vigil_loom))]
#[path = "lane_model.rs"]
mod model;

#[cfg(all(test, not(vigil_loom)))]
#[path = "lane_tests.rs"]
mod tests;

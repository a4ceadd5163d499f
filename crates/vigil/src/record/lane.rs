//! A lane: the way of records from one thread to the assembler. One producer, one consumer, no lock.
//!
//! A lane is a chain of chunks. The producer appends to the last one and publishes how many bytes are
//! complete; the consumer reads up to there. A full chunk is followed by another, and the consumer gives read
//! ones back, so that in steady state nothing is allocated and the same warm memory is used over and over. A
//! burst grows the chain up to the lane's limit; afterwards all but a few chunks go back to the system.
//!
//! Chunks of a [record file](super::file) are given back when what was read from them is safe elsewhere, which the
//! assembler says by [`Consumer::settle`]; what is not can be read from the file when the process is gone.
//!
//! `unsafe` is here and in [`memory`](super::memory), the bytes of a chunk. The argument:
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
//! - A [`Tip`] holds a producer and what every record needs of it: the room left in its last chunk. Both go in and
//!   out together, so that the room is that of the producer's last chunk always. A tip is not `Send` and hands out
//!   one slice at a time: while a record is [being written](WRITING) nothing else is appended at it, and nothing
//!   goes in or out.
//!
//! The ordering is modelled with loom: `RUSTFLAGS="--cfg vigil_loom" cargo test -p vigil-sdk --lib --release model`; the
//! code itself runs under the sanitizers for threads and for addresses, or Miri: `scripts/check-unsafe`.
#![expect(unsafe_code, reason = "a queue between two threads without a lock; the argument is above")]

#[cfg(vigil_loom)]
use loom::sync::Arc;
#[cfg(vigil_loom)]
use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
#[cfg(not(vigil_loom))]
use std::sync::Arc;
#[cfg(not(vigil_loom))]
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

use super::file::{RecordFile, RecordFileAt, STEP};
#[cfg(target_pointer_width = "64")]
use super::format::RECORD_MAX;
use super::format::Write;
use super::memory::{ALL_SETTLED, HEAD_BYTES, Memory};
use std::cell::Cell;
use std::ptr;

/// What a chunk holds: 64 KiB less its head, some hundreds of records. A larger record gets a chunk of its own.
#[cfg(not(vigil_loom))]
const CHUNK_BYTES: usize = STEP - HEAD_BYTES;
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
    /// The chunk that follows, in the chain or in the free list.
    next: AtomicPtr<Chunk>,
    memory: Memory,
}

impl Chunk {
    fn boxed(memory: Memory) -> *mut Chunk {
        Box::into_raw(Box::new(Chunk { next: AtomicPtr::new(ptr::null_mut()), memory }))
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
    /// Whether its recorder's clock is the [usual](crate::clock::read_usual) one, and its ids are random.
    usual: bool,
    /// Tells this lane from every other of the process.
    number: u64,
    chunk: *mut Chunk,
    /// Chunks taken back from the free list.
    spare: *mut Chunk,
    /// Chunks begun since the consumer was last asked to come.
    begun: usize,
    limit: usize,
    /// What is left of the chunk, while the producer is in no tip.
    room: Room,
    /// Where chunks are made, if they are to outlive the process.
    file: Option<std::sync::Arc<RecordFileAt>>,
    /// `None` when it is closed.
    shared: Option<Arc<Shared>>,
}

/// What is left of a chunk.
#[derive(Clone, Copy)]
struct Room {
    start: *mut u8,
    /// Bytes used of the chunk. The same as its `committed`, without the atomic.
    used: usize,
    capacity: usize,
    chunk: *const Chunk,
}

impl Room {
    const NONE: Self = Self { start: ptr::dangling_mut(), used: 0, capacity: 0, chunk: ptr::null() };
}

/// Where a thread's next record goes: a producer, and the room in its last chunk as plain words, so that no record
/// follows a pointer to find them. Lies in a thread-local and needs no dropping.
pub(crate) struct Tip {
    /// Whose lane it is; 0 for nobody's.
    recorder: Cell<u64>,
    /// Which lane it is; 0 for none.
    number: Cell<u64>,
    /// The same where the producer is usual, else [`NO_LANE`].
    usual_number: Cell<u64>,
    start: Cell<*mut u8>,
    /// Where the next record goes, between the chunk's start and its end.
    next: Cell<*mut u8>,
    end: Cell<*mut u8>,
    chunk: Cell<*const Chunk>,
    producer: Cell<Option<&'static mut Producer>>,
}

/// The number of no lane, and not of a span that is in none either.
const NO_LANE: u64 = u64::MAX;

/// Stands for the place of the next record while one is written, so that a record which records finds no room: it is
/// behind every end, and so is what comes a record's length after it.
#[cfg(target_pointer_width = "64")]
const WRITING: *mut u8 = ptr::without_provenance_mut(usize::MAX - 2 * RECORD_MAX);
#[cfg(not(target_pointer_width = "64"))]
const WRITING: *mut u8 = ptr::without_provenance_mut(usize::MAX);

/// Where the assembler reads.
pub(crate) struct Consumer {
    chunk: *mut Chunk,
    read: usize,
    /// Chunks that were read to their end and wait to be settled, the oldest first.
    unsettled: Vec<*mut Chunk>,
    /// Something was read from the chunk at the head that has to be settled.
    is_behind: bool,
    /// What was read is all there will be.
    pub(crate) has_ended: bool,
    shared: Arc<Shared>,
}

/// What a chunk for a record of `len` bytes holds: chunks and their heads are a whole number of steps.
fn capacity_for(len: usize) -> usize {
    if len <= CHUNK_BYTES { CHUNK_BYTES } else { (len + HEAD_BYTES).next_multiple_of(STEP) - HEAD_BYTES }
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

/// The next lane's number.
static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);

/// A lane of `recorder` that may hold `limit` bytes, or one chunk where that is more.
///
/// Its chunks are made in `file` where there is one.
pub(crate) fn lane(
    recorder: u64,
    limit: usize,
    (last, usual): (bool, bool),
    file: Option<std::sync::Arc<RecordFileAt>>,
) -> (Producer, Consumer) {
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
        usual,
        number: NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
        chunk,
        spare: ptr::null_mut(),
        begun: 0,
        limit: limit.max(CHUNK_BYTES),
        room: Room::NONE,
        file,
        shared: Some(shared.clone()),
    };
    (producer, Consumer { chunk, read: 0, unsettled: Vec::new(), is_behind: false, has_ended: false, shared })
}

/// Whether `bound` bytes fit between `next` and `end`.
#[inline(always)]
fn is_room(next: *const u8, end: *const u8, bound: usize) -> bool {
    // No memory of 64 bits is so high up that the sum would wrap; a smaller one may be.
    #[cfg(target_pointer_width = "64")]
    return next.addr() + bound <= end.addr();
    #[cfg(not(target_pointer_width = "64"))]
    return end.addr().checked_sub(next.addr()).is_some_and(|left| left >= bound);
}

/// So far ahead of what is written memory is fetched: what two spans take, or the time another core takes to let go of
/// it.
const FETCH_AHEAD: usize = 320;

/// Tells the processor that the memory [`FETCH_AHEAD`] of `place` will be written. The consumer has read it last, so that
/// it is in the cache of its core, and writes are done in order: each would wait there for the one before.
#[inline(always)]
fn fetch_for_writing(place: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(any(miri, vigil_loom))))]
    // SAFETY: a hint that touches no memory and takes any address; a processor that does not know it does nothing.
    unsafe {
        std::arch::asm!(
            "prefetchw [{} + {}]", in(reg) place, const FETCH_AHEAD, options(readonly, nostack, preserves_flags)
        );
    }
    #[cfg(not(all(target_arch = "x86_64", not(any(miri, vigil_loom)))))]
    let _ = (place, FETCH_AHEAD);
}

thread_local! {
    /// A thread-local that is dropped costs a check every time: this one is not.
    static TIP: Tip = const { Tip::nowhere() };
}

impl Tip {
    /// That of the calling thread.
    #[inline(always)]
    pub(crate) fn mine() -> &'static Tip {
        // What uses it is no closure: compilers make that of several callers a function of its own, where keys and
        // lengths are no constants.
        // SAFETY: it lies where it is until the thread ends, since nothing drops it, and being neither `Send` nor `Sync`
        // no reference to it leaves the thread.
        TIP.with(|tip| unsafe { &*ptr::from_ref(tip) })
    }

    /// Of no lane, without room.
    const fn nowhere() -> Self {
        Self {
            recorder: Cell::new(0),
            number: Cell::new(0),
            usual_number: Cell::new(NO_LANE),
            start: Cell::new(Room::NONE.start),
            next: Cell::new(Room::NONE.start),
            end: Cell::new(Room::NONE.start),
            chunk: Cell::new(Room::NONE.chunk),
            producer: Cell::new(None),
        }
    }

    /// Whose lane it is.
    #[inline(always)]
    pub(crate) fn recorder(&self) -> u64 {
        self.recorder.get()
    }

    /// Which lane it is.
    #[inline(always)]
    pub(crate) fn number(&self) -> u64 {
        self.number.get()
    }

    /// Which lane it is, where the producer is usual; [`NO_LANE`] for another or none.
    #[inline(always)]
    pub(crate) fn usual_number(&self) -> u64 {
        self.usual_number.get()
    }

    /// Appends a record, if there is room for as much as it may need.
    #[inline(always)]
    pub(crate) fn append(&self, record: &impl Write) -> bool {
        let (next, bound) = (self.next.get(), record.bound());
        if bound == 0 || !is_room(next, self.end.get(), bound) {
            return false;
        }
        self.next.set(WRITING);
        // SAFETY: the bytes from `next` to the end are the producer's own, of pages that are initialised, and there are
        // `bound` of them. It is the only such slice until `next` is set again, and gone by then.
        let space = unsafe { std::slice::from_raw_parts_mut(next, bound) };
        let len = record.write(space).min(bound);
        let next = next.wrapping_add(len);
        self.next.set(next);
        fetch_for_writing(next);
        let start = self.start.get();
        let used = next.addr() - start.addr();
        #[cfg(not(vigil_loom))]
        // SAFETY: a tip with room is that of a chunk, the producer's last, and begins where its memory does.
        unsafe {
            Memory::commit(start, used);
        }
        #[cfg(vigil_loom)]
        // SAFETY: as above.
        unsafe { &(*self.chunk.get()).memory }.publish(used - len, len, used);
        true
    }

    /// Puts `producer` in place of the one that was here, which is handed out, or `producer` itself while a record is
    /// written.
    pub(crate) fn exchange(&self, producer: Option<&'static mut Producer>) -> Option<&'static mut Producer> {
        if self.is_writing() {
            return producer;
        }
        let mut before = self.producer.take();
        if let Some(before) = &mut before {
            before.room = self.room();
        }
        self.recorder.set(producer.as_ref().map_or(0, |producer| producer.recorder));
        self.number.set(producer.as_ref().map_or(0, |producer| producer.number));
        let usual = producer.as_ref().filter(|producer| producer.usual);
        self.usual_number.set(usual.map_or(NO_LANE, |producer| producer.number));
        self.set_room(producer.as_ref().map_or(Room::NONE, |producer| producer.room));
        self.producer.set(producer);
        before
    }

    /// Takes out the producer if it is for one record only.
    pub(crate) fn take_last(&self) -> Option<&'static mut Producer> {
        let producer = self.producer.take()?;
        let last = producer.last;
        self.producer.set(Some(producer));
        last.then(|| self.exchange(None)).flatten()
    }

    /// Makes room for `len` bytes. With `always` the limit does not hold.
    pub(crate) fn make_room(&self, len: usize, always: bool) -> Result<Appended, Full> {
        if self.is_writing() {
            return Err(Full);
        }
        let producer = self.producer.take().ok_or(Full)?;
        producer.room = self.room();
        let made = producer.make_room(len, always);
        self.set_room(producer.room);
        self.producer.set(Some(producer));
        made
    }

    fn is_writing(&self) -> bool {
        self.next.get() == WRITING
    }

    fn room(&self) -> Room {
        let start = self.start.get();
        let up_to = |place: &Cell<*mut u8>| place.get().addr() - start.addr();
        Room { start, used: up_to(&self.next), capacity: up_to(&self.end), chunk: self.chunk.get() }
    }

    fn set_room(&self, room: Room) {
        self.start.set(room.start);
        self.next.set(room.start.wrapping_add(room.used));
        self.end.set(room.start.wrapping_add(room.capacity));
        self.chunk.set(room.chunk);
    }
}

impl Producer {
    /// Whose lane it is.
    pub(crate) fn recorder(&self) -> u64 {
        self.recorder
    }

    fn make_room(&mut self, len: usize, always: bool) -> Result<Appended, Full> {
        if self.room.capacity - self.room.used >= len {
            return Ok(Appended::Here);
        }
        let appended = self.next_chunk(len, always)?;
        // SAFETY: the last chunk of the chain is the producer's.
        let memory = unsafe { &(*self.chunk).memory };
        self.room = Room { start: memory.start(), used: 0, capacity: memory.capacity(), chunk: self.chunk };
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
        let capacity = capacity_for(len);
        if next.is_null() {
            let held = shared.held.load(Ordering::Relaxed);
            if held.saturating_add(capacity) > self.limit && !always {
                return Err(Full);
            }
            // The system may have no memory either.
            next = Chunk::boxed(Memory::new(capacity, self.file().as_ref()).ok_or(Full)?);
            shared.held.fetch_add(capacity, Ordering::Relaxed);
        }
        // SAFETY: the new chunk is the producer's.
        unsafe { &*next }.memory.begin(self.number, self.begun + 1);
        // SAFETY: the last chunk of the chain is the producer's until `next` is set.
        unsafe { &*self.chunk }.next.store(next, Ordering::Release);
        self.chunk = next;
        self.begun += 1;
        if self.begun.is_multiple_of(PRESSING_CHUNKS) { Ok(Appended::Pressing) } else { Ok(Appended::Here) }
    }

    fn file(&self) -> Option<std::sync::Arc<RecordFile>> {
        self.file.as_ref()?.make()
    }

    /// A chunk that was given back; null when there is none.
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
            shared.free_count.fetch_sub(1, Ordering::Relaxed);
        }
        chunk
    }

    /// Says that nothing more will be appended: the consumer goes when it has read the rest.
    pub(crate) fn close(&mut self) {
        // SAFETY: the spare chunks are the producer's.
        unsafe { free_list(std::mem::replace(&mut self.spare, ptr::null_mut())) };
        self.room = Room::NONE;
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
        f.debug_struct("Producer").field("number", &self.number).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer").field("read", &self.read).finish_non_exhaustive()
    }
}

impl Consumer {
    /// Hands everything appended so far to `read`, in order and in whole records. Answers whether more can come.
    #[cfg(test)]
    pub(crate) fn drain(&mut self, mut read: impl FnMut(&[u8])) -> bool {
        let mut drain = self.begin();
        while self.step(&mut drain, &mut read) {}
        drain.more
    }

    /// Begins to hand out what was appended before.
    pub(crate) fn begin(&self) -> Drain {
        // Before the chain is read: what was appended before the close is then seen.
        let more = !self.shared.closed.load(Ordering::Acquire);
        // What was appended before is not more than this. A producer that keeps ahead of us must not keep us here.
        Drain { enough: self.shared.held.load(Ordering::Relaxed), seen: 0, more }
    }

    /// Hands what there is of one chunk to `read`, in order and in whole records. Answers whether there is another.
    pub(crate) fn step(&mut self, drain: &mut Drain, read: &mut impl FnMut(&[u8])) -> bool {
        // SAFETY: the chunk at the head is the consumer's to read below `committed`.
        let chunk = unsafe { &*self.chunk };
        // Before `committed`: a chunk that has a follower is final.
        let next = chunk.next.load(Ordering::Acquire);
        let committed = chunk.memory.committed();
        if committed > self.read {
            chunk.memory.read(self.read, committed, read);
            drain.seen += committed - self.read;
            self.read = committed;
            self.is_behind = chunk.memory.is_kept();
        }
        if next.is_null() {
            return false;
        }
        if drain.seen > drain.enough {
            drain.more = true;
            return false;
        }
        let done = std::mem::replace(&mut self.chunk, next);
        self.read = 0;
        self.is_behind = false;
        self.shared.head.store(next, Ordering::Relaxed);
        if chunk.memory.is_kept() {
            self.unsettled.push(done);
        } else {
            self.give_back(done);
        }
        true
    }

    /// Says that everything that was read is safe elsewhere.
    pub(crate) fn settle(&mut self) {
        for chunk in std::mem::take(&mut self.unsettled) {
            // SAFETY: a chunk that was read to its end is the consumer's alone.
            unsafe { &*chunk }.memory.settle(ALL_SETTLED);
            self.give_back(chunk);
        }
        if std::mem::take(&mut self.is_behind) {
            // SAFETY: the chunk at the head lives as long as the consumer is at it.
            unsafe { &*self.chunk }.memory.settle(self.read as u64);
        }
    }

    /// Whether everything that was read, and has to be, is settled.
    pub(crate) fn is_settled(&self) -> bool {
        self.unsettled.is_empty() && !self.is_behind
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

/// Reading of a lane under way.
#[derive(Debug)]
pub(crate) struct Drain {
    enough: usize,
    seen: usize,
    /// Whether more can come.
    pub(crate) more: bool,
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.shared.abandoned.store(true, Ordering::Relaxed);
        // SAFETY: chunks that were read to their end are the consumer's alone; each came from `Chunk::boxed`.
        self.unsettled.drain(..).for_each(|chunk| drop(unsafe { Box::from_raw(chunk) }));
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

#[cfg(test)]
mod appending {
    //! A lane as tests use it: bytes are records.

    use super::{Appended, Consumer, Full, Producer, Tip, Write, lane};
    use std::sync::{Mutex, PoisonError};

    struct Bytes<'a>(&'a [u8]);

    impl Write for Bytes<'_> {
        fn bound(&self) -> usize {
            self.0.len()
        }
        fn write(&self, space: &mut [u8]) -> usize {
            space.copy_from_slice(self.0);
            space.len()
        }
        fn is_short(&self) -> bool {
            true
        }
    }

    /// A producer and the tip it is in while it appends.
    pub(super) struct Appending(Option<&'static mut Producer>);

    pub(super) fn appending(recorder: u64, limit: usize) -> (Appending, Consumer) {
        let (producer, consumer) = lane(recorder, limit, (false, false), None);
        (Appending(Some(Box::leak(Box::new(producer)))), consumer)
    }

    impl Appending {
        pub(super) fn append(&mut self, bytes: &[u8], always: bool) -> Result<Appended, Full> {
            let tip = Tip::nowhere();
            tip.exchange(self.0.take());
            let made = tip.make_room(bytes.len(), always);
            assert_eq!(made.is_ok(), tip.append(&Bytes(bytes)));
            self.0 = tip.exchange(None);
            made
        }
    }

    /// What becomes of producers: they are not forgotten, which would be a leak to whoever looks for one.
    static ENDED: Mutex<Vec<&'static mut Producer>> = Mutex::new(Vec::new());

    impl Drop for Appending {
        fn drop(&mut self) {
            if let Some(producer) = self.0.take() {
                producer.close();
                ENDED.lock().unwrap_or_else(PoisonError::into_inner).push(producer);
            }
        }
    }
}

#[cfg(all(test, vigil_loom))]
#[path = "lane_model.rs"]
mod model;

#[cfg(all(test, not(vigil_loom)))]
#[path = "lane_tests.rs"]
mod tests;

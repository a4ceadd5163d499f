//! The bounded way from the pump to the observing thread.
//!
//! Holds at most [`QUEUE_BYTES`]. When it is full the pump waits for the observer, but never longer than
//! [`PATIENCE`] in the whole run. After that what comes is skipped, for observation only (it was passed on
//! before), until the queue is half empty; the count is told as a gap where it happened. The last
//! [`TAIL_BYTES`] are kept aside while skipping: an agent's last line holds its totals. As long as more comes than
//! can be observed, observing rests between chunks: it would miss most of it anyway and take the cores that pass
//! it on. The queue of stderr holds [`STDERR_QUEUE_BYTES`] and is never waited for.

use crate::system;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use vigil_core::fact::UnixNanos;

/// What the queue holds at most: 8 MiB of output.
pub(crate) const QUEUE_BYTES: usize = 8 << 20;
/// What the queue of stderr holds at most: 1 MiB.
pub(crate) const STDERR_QUEUE_BYTES: usize = 1 << 20;
/// How long the pump waits for the observer at most, over the whole run: 100 ms.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);
/// How much of what came last is kept while skipping, at least: 256 KiB.
pub(crate) const TAIL_BYTES: usize = 256 << 10;
/// How long observing rests after a chunk while output is skipped and still comes: 20 ms.
const REST: Duration = Duration::from_millis(20);
/// The size of a buffer the pump reads into: 256 KiB.
pub(crate) const BUFFER_BYTES: usize = 256 << 10;
/// A read smaller than this is copied out of its buffer, so that small reads do not hold large buffers.
const COPIED_BELOW: usize = BUFFER_BYTES / 4;

/// A piece of output.
#[derive(Debug)]
pub(crate) struct Chunk {
    buffer: Vec<u8>,
    length: usize,
    /// When it arrived.
    pub(crate) at: UnixNanos,
}

impl Chunk {
    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

/// What the observing thread finds.
#[derive(Debug)]
pub(crate) enum Taken {
    /// Output.
    Chunk(Chunk),
    /// So many bytes were dropped here.
    Gap(u64),
    /// Nothing came in the time given.
    Quiet,
    /// Nothing will come any more.
    Closed,
}

/// What is queued.
enum Item {
    Chunk(Chunk),
    Gap(u64),
}

#[derive(Default)]
struct State {
    queue: VecDeque<Item>,
    /// Bytes queued, by the size of the buffers that hold them.
    held: usize,
    /// While skipping: what came last.
    skipping: Option<Skipping>,
    waited: Duration,
    /// How many chunks were given so far, and how many when the observer last rested.
    given: u64,
    given_at_rest: u64,
    spare: Vec<Vec<u8>>,
    closed: bool,
}

/// What is not queued, since the queue was full.
#[derive(Default)]
struct Skipping {
    skipped: u64,
    tail: VecDeque<Chunk>,
    tail_bytes: usize,
}

/// Whether the observer keeps up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pace {
    /// Everything that is given is queued.
    KeepsUp,
    /// Output is skipped.
    Overtaken,
    /// Output was skipped, and there is room again.
    CaughtUp,
}

/// What the observer wants of what comes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(crate) enum Wants {
    /// Nothing.
    Nothing,
    /// What came last, once it is quiet or ends.
    Tail,
    /// Everything.
    All,
}

/// The queue. One thread gives, one takes.
pub(crate) struct Tap {
    state: Mutex<State>,
    arrived: Condvar,
    room: Condvar,
    /// Nothing comes any more: there is no reason to rest.
    ended: Condvar,
    /// A [`Wants`].
    wants: AtomicU8,
    capacity: usize,
    patience: Duration,
}

impl Tap {
    /// An empty queue of [`QUEUE_BYTES`].
    pub(crate) fn new() -> Self {
        Self::with_capacity(QUEUE_BYTES, PATIENCE)
    }

    /// An empty queue of [`STDERR_QUEUE_BYTES`] that is never waited for.
    pub(crate) fn for_stderr() -> Self {
        Self::with_capacity(STDERR_QUEUE_BYTES, Duration::ZERO)
    }

    fn with_capacity(capacity: usize, patience: Duration) -> Self {
        Self {
            state: Mutex::default(),
            arrived: Condvar::new(),
            room: Condvar::new(),
            ended: Condvar::new(),
            wants: AtomicU8::new(Wants::All as u8),
            capacity,
            patience,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A buffer to read into, of [`BUFFER_BYTES`].
    pub(crate) fn buffer(&self) -> Vec<u8> {
        self.lock().spare.pop().unwrap_or_else(|| vec![0; BUFFER_BYTES])
    }

    /// Gives the first `length` bytes of `buffer`; afterwards `buffer` is one to read into again.
    pub(crate) fn give(&self, buffer: &mut Vec<u8>, length: usize, at: UnixNanos) {
        let full = if length < COPIED_BELOW {
            buffer[..length].to_vec()
        } else {
            let fresh = self.buffer();
            std::mem::replace(buffer, fresh)
        };
        let chunk = Chunk { buffer: full, length, at };
        let mut state = self.lock();
        state.given += 1;
        let size = chunk.buffer.len();
        if state.skipping.is_none() {
            while state.held + size > self.capacity && state.waited < self.patience {
                let began = system::instant();
                let left = self.patience.saturating_sub(state.waited);
                state = self.room.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                state.waited += began.elapsed();
            }
            if state.held + size > self.capacity {
                state.skipping = Some(Skipping::default());
            }
        } else if state.held <= self.capacity / 2 {
            state.stop_skipping();
        }
        state.put(chunk);
        self.arrived.notify_one();
    }

    /// Whether the observer keeps up with what comes; asked when something came.
    pub(crate) fn pace(&self) -> Pace {
        let mut state = self.lock();
        state.given += 1;
        match &state.skipping {
            None => Pace::KeepsUp,
            Some(_) if state.held <= self.capacity / 2 => Pace::CaughtUp,
            Some(_) => Pace::Overtaken,
        }
    }

    /// So many bytes came by that will not be given.
    pub(crate) fn skip(&self, bytes: u64) {
        let mut state = self.lock();
        match &mut state.skipping {
            Some(skipping) => {
                // What was kept before them is not the end any more.
                skipping.tail.clear();
                skipping.skipped += bytes + std::mem::take(&mut skipping.tail_bytes) as u64;
            }
            None if bytes > 0 => state.queue.push_back(Item::Gap(bytes)),
            None => {}
        }
    }

    /// Takes what comes next, waiting for it up to `patience`.
    pub(crate) fn take(&self, patience: Duration) -> Taken {
        let mut state = self.lock();
        if state.queue.is_empty() && !state.closed {
            state = self.arrived.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.skipping.is_some() && !state.closed && state.given != state.given_at_rest {
            state.given_at_rest = state.given;
            state = self.ended.wait_timeout(state, REST).unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.queue.is_empty() {
            state.stop_skipping();
        }
        match state.queue.pop_front() {
            Some(Item::Chunk(chunk)) => {
                state.held -= chunk.buffer.len();
                self.room.notify_one();
                Taken::Chunk(chunk)
            }
            Some(Item::Gap(bytes)) => Taken::Gap(bytes),
            None if state.closed => Taken::Closed,
            None => Taken::Quiet,
        }
    }

    /// Gives a chunk's buffer back to be read into again.
    pub(crate) fn recycle(&self, chunk: Chunk) {
        self.lock().keep(chunk.buffer);
    }

    /// Says that nothing will be given any more.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.stop_skipping();
        state.closed = true;
        self.arrived.notify_one();
        self.ended.notify_one();
    }

    /// The observer says what it wants from now on.
    pub(crate) fn want(&self, wants: Wants) {
        self.wants.store(wants as u8, Ordering::Relaxed);
    }

    /// What the observer wants.
    pub(crate) fn wants(&self) -> Wants {
        match self.wants.load(Ordering::Relaxed) {
            0 => Wants::Nothing,
            1 => Wants::Tail,
            _ => Wants::All,
        }
    }
}

impl State {
    /// Queues a chunk, or keeps it as the end of what is skipped.
    fn put(&mut self, chunk: Chunk) {
        let Some(skipping) = &mut self.skipping else {
            self.held += chunk.buffer.len();
            self.queue.push_back(Item::Chunk(chunk));
            return;
        };
        skipping.tail_bytes += chunk.length;
        skipping.tail.push_back(chunk);
        while skipping.tail.front().is_some_and(|oldest| skipping.tail_bytes - oldest.length >= TAIL_BYTES) {
            let Some(oldest) = skipping.tail.pop_front() else { break };
            skipping.tail_bytes -= oldest.length;
            skipping.skipped += oldest.length as u64;
            if oldest.buffer.len() == BUFFER_BYTES {
                // Read into again next: it is still in the processor's cache.
                self.spare.push(oldest.buffer);
            }
        }
    }

    /// Queues the gap and what came after it.
    fn stop_skipping(&mut self) {
        let Some(skipping) = self.skipping.take() else { return };
        if skipping.skipped > 0 {
            self.queue.push_back(Item::Gap(skipping.skipped));
        }
        skipping.tail.into_iter().for_each(|chunk| self.put(chunk));
    }

    /// Keeps a large buffer for the next read. A new one is made only when none is kept, so there are never more
    /// than the queue can hold and the two in use.
    fn keep(&mut self, buffer: Vec<u8>) {
        if buffer.len() == BUFFER_BYTES && self.spare.len() < QUEUE_BYTES / BUFFER_BYTES {
            self.spare.push(buffer);
        }
    }
}

/// Closes the queue when the pump ends, however it ends.
pub(crate) struct ClosesTap<'a>(pub(crate) &'a Tap);

impl Drop for ClosesTap<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn give(tap: &Tap, bytes: &[u8]) {
        let mut buffer = tap.buffer();
        buffer[..bytes.len()].copy_from_slice(bytes);
        tap.give(&mut buffer, bytes.len(), UnixNanos(1));
        assert_eq!(buffer.len(), BUFFER_BYTES);
    }

    #[test]
    fn what_is_given_is_taken_in_order_and_then_it_is_closed() {
        let tap = Tap::new();
        give(&tap, b"one");
        give(&tap, &[7; BUFFER_BYTES]);
        tap.close();
        let Taken::Chunk(first) = tap.take(Duration::ZERO) else { panic!("a chunk") };
        assert_eq!(first.bytes(), b"one");
        let Taken::Chunk(second) = tap.take(Duration::ZERO) else { panic!("a chunk") };
        assert_eq!(second.bytes(), [7; BUFFER_BYTES]);
        assert!(matches!(tap.take(Duration::ZERO), Taken::Closed));
    }

    #[test]
    fn a_full_queue_waits_once_and_then_skips_all_but_the_end_and_counts_it() {
        let tap = Tap::with_capacity(8, PATIENCE);
        give(&tap, b"aaaa");
        give(&tap, b"bbbb");
        let began = Instant::now();
        give(&tap, &[b'c'; BUFFER_BYTES]);
        assert!(began.elapsed() >= PATIENCE);
        let again = Instant::now();
        give(&tap, &[b'd'; BUFFER_BYTES]);
        give(&tap, b"last");
        assert!(again.elapsed() < PATIENCE, "the patience is for the whole run");
        tap.close();
        let mut seen = Vec::new();
        let mut gaps = Vec::new();
        loop {
            match tap.take(Duration::ZERO) {
                Taken::Chunk(chunk) => seen.extend_from_slice(chunk.bytes()),
                Taken::Gap(bytes) => gaps.push((seen.len(), bytes)),
                Taken::Closed => break,
                Taken::Quiet => panic!("the queue is closed"),
            }
        }
        assert_eq!(gaps, [(8, BUFFER_BYTES as u64)], "where it happened, and how much");
        let expected = [&b"aaaabbbb"[..], &[b'd'; BUFFER_BYTES], b"last"].concat();
        assert!(seen == expected);
    }

    #[test]
    fn a_queue_that_was_full_takes_again_once_it_is_half_empty() {
        let tap = Tap::with_capacity(8, PATIENCE);
        for bytes in [b"aaaa", b"bbbb", b"cccc"] {
            give(&tap, bytes);
        }
        for _ in 0..2 {
            assert!(matches!(tap.take(Duration::ZERO), Taken::Chunk(_)));
        }
        give(&tap, b"dddd");
        let Taken::Chunk(kept) = tap.take(Duration::ZERO) else { panic!("a chunk") };
        assert_eq!(kept.bytes(), b"cccc", "nothing was skipped, so there is no gap");
        let Taken::Chunk(next) = tap.take(Duration::ZERO) else { panic!("a chunk") };
        assert_eq!(next.bytes(), b"dddd");
    }

    #[test]
    fn what_was_kept_aside_is_observed_when_nothing_more_comes() {
        let tap = Tap::with_capacity(8, PATIENCE);
        for bytes in [b"aaaa", b"bbbb", b"cccc"] {
            give(&tap, bytes);
        }
        for expected in [b"aaaa", b"bbbb", b"cccc"] {
            let Taken::Chunk(chunk) = tap.take(Duration::ZERO) else { panic!("a chunk") };
            assert_eq!(chunk.bytes(), expected);
        }
        assert_eq!(tap.pace(), Pace::KeepsUp);
    }

    #[test]
    fn what_is_skipped_elsewhere_counts_and_makes_what_was_kept_old() {
        let tap = Tap::with_capacity(8, PATIENCE);
        for bytes in [b"aaaa", b"bbbb", b"cccc"] {
            give(&tap, bytes);
        }
        assert_eq!(tap.pace(), Pace::Overtaken);
        tap.skip(100);
        give(&tap, b"last");
        tap.close();
        for _ in 0..2 {
            assert!(matches!(tap.take(Duration::ZERO), Taken::Chunk(_)));
        }
        assert!(matches!(tap.take(Duration::ZERO), Taken::Gap(104)));
        let Taken::Chunk(last) = tap.take(Duration::ZERO) else { panic!("a chunk") };
        assert_eq!(last.bytes(), b"last");
    }

    #[test]
    fn a_quiet_queue_says_so() {
        assert!(matches!(Tap::new().take(Duration::from_millis(1)), Taken::Quiet));
    }
}

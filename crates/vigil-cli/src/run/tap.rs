//! The bounded way from the pump to the observing thread.
//!
//! Holds at most [`QUEUE_BYTES`]. When it is full the pump waits for the observer, but never longer than
//! [`PATIENCE`] in the whole run; after that the oldest half is dropped and counted, for observation only: the
//! child's output was passed on before. The oldest goes, not the newest, because an agent's last line holds its
//! totals.

use crate::system;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use vigil_core::fact::UnixNanos;

/// What the queue holds at most: 8 MiB of output.
pub(crate) const QUEUE_BYTES: usize = 8 << 20;
/// How long the pump waits for the observer at most, over the whole run: 250 ms.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);
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

#[derive(Default)]
struct State {
    chunks: VecDeque<Chunk>,
    /// Bytes held, by the size of the buffers that hold them.
    held: usize,
    /// Bytes dropped in front of `chunks` and not told yet.
    gap: u64,
    waited: Duration,
    spare: Vec<Vec<u8>>,
    closed: bool,
}

/// The queue. One thread gives, one takes.
pub(crate) struct Tap {
    state: Mutex<State>,
    arrived: Condvar,
    room: Condvar,
    unwatched: AtomicBool,
    capacity: usize,
}

impl Tap {
    /// An empty queue of [`QUEUE_BYTES`].
    pub(crate) fn new() -> Self {
        Self::with_capacity(QUEUE_BYTES)
    }

    fn with_capacity(capacity: usize) -> Self {
        Self {
            state: Mutex::default(),
            arrived: Condvar::new(),
            room: Condvar::new(),
            unwatched: AtomicBool::new(false),
            capacity,
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
        let mut state = self.lock();
        let size = full.len();
        while state.held + size > self.capacity && state.waited < PATIENCE {
            let began = system::instant();
            let left = PATIENCE.saturating_sub(state.waited);
            state = self.room.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            state.waited += began.elapsed();
        }
        if state.held + size > self.capacity {
            while state.held > self.capacity / 2 {
                let Some(oldest) = state.chunks.pop_front() else { break };
                state.held -= oldest.buffer.len();
                state.gap += oldest.length as u64;
                state.keep(oldest.buffer);
            }
        }
        state.held += size;
        state.chunks.push_back(Chunk { buffer: full, length, at });
        self.arrived.notify_one();
    }

    /// Takes what comes next, waiting for it up to `patience`.
    pub(crate) fn take(&self, patience: Duration) -> Taken {
        let mut state = self.lock();
        if state.chunks.is_empty() && !state.closed {
            state = self.arrived.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.gap > 0 {
            return Taken::Gap(std::mem::take(&mut state.gap));
        }
        match state.chunks.pop_front() {
            Some(chunk) => {
                state.held -= chunk.buffer.len();
                self.room.notify_one();
                Taken::Chunk(chunk)
            }
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
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    /// The observer says that it learns nothing from this output: the pump need not give any more of it.
    pub(crate) fn stop_watching(&self) {
        self.unwatched.store(true, Ordering::Relaxed);
    }

    /// Whether the observer still wants the output.
    pub(crate) fn is_watched(&self) -> bool {
        !self.unwatched.load(Ordering::Relaxed)
    }
}

impl State {
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
    fn a_full_queue_waits_once_and_then_drops_the_oldest_half_and_counts_it() {
        let tap = Tap::with_capacity(8);
        give(&tap, b"aaaa");
        give(&tap, b"bbbb");
        let began = Instant::now();
        give(&tap, b"cccc");
        assert!(began.elapsed() >= PATIENCE);
        let again = Instant::now();
        give(&tap, b"dddd");
        assert!(again.elapsed() < PATIENCE, "the patience is for the whole run");
        tap.close();
        let mut seen = Vec::new();
        let mut dropped = 0;
        loop {
            match tap.take(Duration::ZERO) {
                Taken::Chunk(chunk) => seen.extend_from_slice(chunk.bytes()),
                Taken::Gap(bytes) => dropped += bytes,
                Taken::Closed => break,
                Taken::Quiet => panic!("the queue is closed"),
            }
        }
        assert_eq!(dropped, 8);
        assert_eq!(seen, b"ccccdddd");
    }

    #[test]
    fn a_quiet_queue_says_so() {
        assert!(matches!(Tap::new().take(Duration::from_millis(1)), Taken::Quiet));
    }
}

//! Per-thread buffers, bounded in bytes.
//!
//! Every thread that records has one buffer per recorder. The recording thread appends; the assembler
//! swaps the whole buffer out. The two meet at a lock that is held for a memcpy at most, and that nobody
//! else ever takes. A thread's buffer outlives the thread until it has been drained.
//!
//! Limits: 64 MiB a thread by default ([`BUFFER_BYTES_DEFAULT`]); a record that does not fit is refused.

use super::format::Writer;
use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What one thread may hold before records are refused. Defaults to 64 MiB.
pub(crate) const BUFFER_BYTES_DEFAULT: usize = 64 << 20;
/// The assembler is woken early when a buffer holds more than this.
const WAKE_BYTES: usize = 128 << 10;
/// A drained buffer larger than this gives its memory back.
const KEEP_BYTES: usize = 1 << 20;

#[derive(Debug, Default)]
pub(crate) struct ThreadBuffer(Mutex<Vec<u8>>);

/// What became of an append.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Append {
    Done,
    /// Done, and the assembler should come soon.
    Pressing,
    /// The buffer is full; nothing was written.
    Full,
}

impl ThreadBuffer {
    fn append(&self, capacity: usize, write: impl FnOnce(&mut Writer<'_>)) -> Append {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = bytes.len();
        write(&mut Writer(&mut bytes));
        if bytes.len() > capacity {
            bytes.truncate(before);
            Append::Full
        } else if before < WAKE_BYTES && bytes.len() >= WAKE_BYTES {
            Append::Pressing
        } else {
            Append::Done
        }
    }

    /// Swaps the contents into `spare`, which must be empty.
    fn swap(&self, spare: &mut Vec<u8>) {
        debug_assert!(spare.is_empty());
        std::mem::swap(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), spare);
    }
}

/// All buffers of one recorder.
#[derive(Debug)]
pub(crate) struct Buffers {
    id: u64,
    capacity: usize,
    all: Mutex<Vec<Arc<ThreadBuffer>>>,
}

thread_local! {
    /// This thread's buffers, by the id of their recorder. Weak, so that a recorder that is gone frees them.
    static MINE: RefCell<Vec<(u64, Weak<ThreadBuffer>)>> = const { RefCell::new(Vec::new()) };
}

impl Buffers {
    pub(crate) fn new(id: u64, capacity: usize) -> Self {
        Self { id, capacity, all: Mutex::default() }
    }

    /// Appends a record to the calling thread's buffer.
    pub(crate) fn append(&self, write: impl FnOnce(&mut Writer<'_>)) -> Append {
        // A thread that is being torn down has no thread-local left; it gets a buffer for one record.
        let mine = MINE.try_with(|mine| self.mine(mine)).unwrap_or_else(|_| self.register());
        mine.append(self.capacity, write)
    }

    fn mine(&self, mine: &RefCell<Vec<(u64, Weak<ThreadBuffer>)>>) -> Arc<ThreadBuffer> {
        let mut mine = mine.borrow_mut();
        if let Some(buffer) = mine.iter().find(|(id, _)| *id == self.id).and_then(|(_, buffer)| buffer.upgrade()) {
            return buffer;
        }
        mine.retain(|(_, buffer)| buffer.strong_count() > 0);
        let buffer = self.register();
        mine.push((self.id, Arc::downgrade(&buffer)));
        buffer
    }

    fn register(&self) -> Arc<ThreadBuffer> {
        let buffer = Arc::<ThreadBuffer>::default();
        self.all.lock().unwrap_or_else(PoisonError::into_inner).push(buffer.clone());
        buffer
    }

    /// Hands every buffer's contents to `read`, one thread after the other. Buffers of threads that ended
    /// are let go once they are empty.
    pub(crate) fn drain(&self, spare: &mut Vec<u8>, mut read: impl FnMut(&[u8])) {
        let buffers = self.all.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for buffer in &buffers {
            buffer.swap(spare);
            read(spare);
            spare.clear();
            if spare.capacity() > KEEP_BYTES {
                *spare = Vec::new();
            }
        }
        drop(buffers);
        // Held by this list alone and with a thread-local that is gone: nobody can append any more.
        self.all.lock().unwrap_or_else(PoisonError::into_inner).retain(|buffer| {
            Arc::weak_count(buffer) > 0 || !buffer.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::format::{Record, read};
    use vigil_core::id::SpanId;

    fn count(buffers: &Buffers) -> usize {
        let mut records = 0;
        buffers.drain(&mut Vec::new(), |mut bytes| {
            while let Some((Record::Set { .. }, len)) = read(bytes) {
                bytes = &bytes[len..];
                records += 1;
            }
        });
        records
    }

    #[test]
    fn records_of_threads_that_died_are_drained_and_their_buffers_let_go() {
        let buffers = Arc::new(Buffers::new(1, 1 << 20));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let buffers = buffers.clone();
                std::thread::spawn(move || (0..100).for_each(|_| assert_eq!(buffers.append(|w| w.set(SpanId([1; 8]), &[])), Append::Done)))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(count(&buffers), 400);
        assert_eq!(count(&buffers), 0);
        assert_eq!(buffers.all.lock().unwrap().len(), 0);
    }

    #[test]
    fn a_full_buffer_refuses_and_keeps_what_it_has() {
        let buffers = Buffers::new(2, 64);
        let results: Vec<_> = (0..8).map(|_| buffers.append(|w| w.set(SpanId([1; 8]), &[]))).collect();
        let kept = results.iter().filter(|result| **result == Append::Done).count();
        assert!(results.contains(&Append::Full));
        assert_eq!(count(&buffers), kept);
        assert_eq!(buffers.append(|w| w.set(SpanId([1; 8]), &[])), Append::Done);
    }

    #[test]
    fn two_recorders_on_one_thread_do_not_mix() {
        let (one, two) = (Buffers::new(3, 1 << 20), Buffers::new(4, 1 << 20));
        one.append(|w| w.set(SpanId([1; 8]), &[]));
        two.append(|w| w.set(SpanId([1; 8]), &[]));
        two.append(|w| w.set(SpanId([1; 8]), &[]));
        assert_eq!((count(&one), count(&two)), (1, 2));
    }
}

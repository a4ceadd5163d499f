//! All lanes of one recorder: one a thread that records.
//!
//! A thread's lane is made at its first record and found again through a thread-local. It outlives its thread
//! until the assembler has read the rest. A thread that is being torn down has no thread-locals left; its
//! last records get a lane of their own each.
//!
//! Limit: 128 MiB a thread by default ([`LANE_BYTES_DEFAULT`]), room for some 400 000 chat spans nobody has
//! read yet. Ends are always taken: each belongs to a start that was.

use super::format::Write;
use super::lane::{Appended, Consumer, Full, Producer, lane};
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// What one thread may hold before records are refused. Defaults to 128 MiB.
pub(crate) const LANE_BYTES_DEFAULT: usize = 128 << 20;

#[derive(Debug)]
pub(crate) struct Lanes {
    id: u64,
    limit: usize,
    consumers: Mutex<Vec<Consumer>>,
    abandoned: AtomicBool,
}

thread_local! {
    /// This thread's lanes, by the id of their recorder.
    static MINE: RefCell<Vec<(u64, Producer)>> = const { RefCell::new(Vec::new()) };
}

impl Lanes {
    pub(crate) fn new(id: u64, limit: usize) -> Self {
        Self { id, limit, consumers: Mutex::default(), abandoned: AtomicBool::new(false) }
    }

    /// Appends a record to the calling thread's lane. With `always` the limit does not hold.
    #[inline]
    pub(crate) fn append(&self, record: &impl Write, always: bool) -> Result<Appended, Full> {
        let size = record.size();
        MINE.try_with(|mine| match mine.try_borrow_mut() {
            Ok(mut mine) => {
                // Nearly every thread records to one recorder, and that is the first.
                if let Some((id, producer)) = mine.first_mut()
                    && *id == self.id
                {
                    return producer.append(size, always, |space| record.write(space));
                }
                self.find(&mut mine).append(size, always, |space| record.write(space))
            }
            // Recording inside of recording does not happen; if it did, it would not lose the record.
            Err(_) => self.register().append(size, always, |space| record.write(space)),
        })
        .unwrap_or_else(|_| self.register().append(size, always, |space| record.write(space)))
    }

    #[cold]
    fn find<'m>(&self, mine: &'m mut Vec<(u64, Producer)>) -> &'m mut Producer {
        mine.retain(|(_, producer)| !producer.is_abandoned());
        let at = match mine.iter().position(|(id, _)| *id == self.id) {
            Some(at) => at,
            None => {
                mine.push((self.id, self.register()));
                mine.len() - 1
            }
        };
        &mut mine[at].1
    }

    fn register(&self) -> Producer {
        let (producer, consumer) = lane(self.limit);
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner).push(consumer);
        producer
    }

    /// Hands every lane's records to `read`, one thread after the other.
    pub(crate) fn drain(&self, mut read: impl FnMut(&[u8])) {
        // A thread that makes its first record meanwhile must not wait for the reading.
        let mut consumers = std::mem::take(&mut *self.consumers.lock().unwrap_or_else(PoisonError::into_inner));
        consumers.retain_mut(|consumer| consumer.drain(&mut read));
        let mut waiting = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.abandoned.load(Ordering::Relaxed) {
            waiting.append(&mut consumers);
        }
    }

    /// Lets go of every lane: what is recorded from now on is read by nobody.
    pub(crate) fn abandon(&self) {
        let mut waiting = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        self.abandoned.store(true, Ordering::Relaxed);
        waiting.clear();
    }
}

/// The bytes of a record as a lane carries them.
#[cfg(test)]
pub(crate) fn bytes_of(record: &impl Write) -> std::vec::IntoIter<u8> {
    let (mut producer, mut consumer) = lane(1 << 20);
    let size = record.size();
    let mut bytes = Vec::new();
    if producer.append(size, false, |space| record.write(space)).is_ok() {
        consumer.drain(|read| bytes.extend_from_slice(read));
    }
    assert_eq!(bytes.len(), size, "a record writes as much as it says");
    bytes.into_iter()
}

#[cfg(all(test, not(vigil_loom)))]
mod tests {
    use super::*;
    use crate::record::format::{Record, Set, read};
    use std::sync::Arc;
    use vigil_core::id::SpanId;

    const RECORD: Set<'_> = Set(SpanId([1; 8]), &[]);

    fn count(lanes: &Lanes) -> usize {
        let mut records = 0;
        lanes.drain(|mut bytes| {
            while let Some((Record::Set { .. }, len)) = read(bytes) {
                bytes = &bytes[len..];
                records += 1;
            }
        });
        records
    }

    #[test]
    fn records_of_threads_that_died_are_drained_and_their_lanes_let_go() {
        let lanes = Arc::new(Lanes::new(1, 1 << 20));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let lanes = lanes.clone();
                std::thread::spawn(move || (0..100).for_each(|_| assert!(lanes.append(&RECORD, false).is_ok())))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(count(&lanes), 400);
        assert_eq!(count(&lanes), 0);
        assert_eq!(lanes.consumers.lock().unwrap().len(), 0);
    }

    #[test]
    fn two_recorders_on_one_thread_do_not_mix() {
        let (one, two) = (Lanes::new(3, 1 << 20), Lanes::new(4, 1 << 20));
        one.append(&RECORD, false).unwrap();
        two.append(&RECORD, false).unwrap();
        two.append(&RECORD, false).unwrap();
        assert_eq!((count(&one), count(&two)), (1, 2));
    }

    #[test]
    fn a_record_made_while_thread_locals_are_torn_down_is_not_lost() {
        struct Last(Arc<Lanes>);
        impl Drop for Last {
            fn drop(&mut self) {
                self.0.append(&RECORD, false).unwrap();
            }
        }
        thread_local! {
            static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
        }
        let lanes = Arc::new(Lanes::new(5, 1 << 20));
        let theirs = lanes.clone();
        std::thread::spawn(move || {
            LAST.with(|last| *last.borrow_mut() = Some(Last(theirs.clone())));
            theirs.append(&RECORD, false).unwrap();
        })
        .join()
        .unwrap();
        assert_eq!(count(&lanes), 2);
    }

    #[test]
    fn lanes_of_a_recorder_that_is_gone_are_forgotten_by_their_threads() {
        for id in 100..120 {
            let lanes = Lanes::new(id, 1 << 20);
            lanes.append(&RECORD, false).unwrap();
            lanes.abandon();
        }
        MINE.with(|mine| assert!(mine.borrow().len() <= 2));
    }
}

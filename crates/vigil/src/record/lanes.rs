//! All lanes of one recorder: one a thread that records.
//!
//! A thread's lane is made at its first record and found again through a thread-local: the [`Tip`] of the lane the
//! thread recorded to last. A lane outlives its thread until the assembler has read the rest. A thread that is being
//! torn down has no thread-locals with destructors left; its last records get a lane of their own each.
//!
//! Limit: 128 MiB a thread by default ([`LANE_BYTES_DEFAULT`]), room for some 400 000 chat spans nobody has
//! read yet. Ends are always taken: each belongs to a start that was.

use super::file::RecordFileAt;
use super::format::{RECORD_MAX, Write};
use super::lane::{Appended, Consumer, Full, Producer, Tip, lane};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// What one thread may hold before records are refused. Defaults to 128 MiB.
pub(crate) const LANE_BYTES_DEFAULT: usize = 128 << 20;

#[derive(Debug)]
pub(crate) struct Lanes {
    id: u64,
    /// Whether times are readings of the [usual](crate::clock::read_usual) clock, and ids are random.
    usual: bool,
    limit: usize,
    consumers: Mutex<Vec<Consumer>>,
    abandoned: AtomicBool,
    /// Where the lanes' chunks are, if they are to outlive the process.
    file: Option<Arc<RecordFileAt>>,
    /// Whose assembler reads.
    process: u32,
}

/// Who takes in what is drained.
pub(crate) trait Reader {
    /// Whole records of one lane, in order.
    fn read(&mut self, bytes: &[u8]);

    /// Asked now and then: makes everything that was read safe where enough of it is not, and says whether all of it
    /// is.
    fn make_safe(&mut self) -> bool;
}

thread_local! {
    /// This thread's lanes in other recorders than the one it recorded to last; all of its lanes are closed when this is
    /// dropped.
    static LEAVING: Leaving = const { Leaving(RefCell::new(Vec::new())) };
}

/// Producers whose threads are gone, to be used again. There are never more than there were threads at a time.
static SPARE: Mutex<Vec<&'static mut Producer>> = Mutex::new(Vec::new());

struct Leaving(RefCell<Vec<&'static mut Producer>>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.get_mut().drain(..).chain(Tip::mine().exchange(None)).for_each(leave);
    }
}

/// Closes a lane and keeps the memory of its producer for another.
fn leave(producer: &'static mut Producer) {
    producer.close();
    if FORKED.load(Ordering::Relaxed) {
        // The lock may be held by a thread that is not there.
        return;
    }
    SPARE.lock().unwrap_or_else(PoisonError::into_inner).push(producer);
}

/// This process is the child of a fork that had a record file.
static FORKED: AtomicBool = AtomicBool::new(false);

/// In the child of a fork: lets go of this thread's lanes without a word, since they are its parent's. Takes no lock
/// and frees nothing.
pub(super) fn forget_lanes() {
    FORKED.store(true, Ordering::Relaxed);
    Tip::mine().exchange(None);
    LEAVING
        .try_with(|leaving| {
            if let Ok(mut others) = leaving.0.try_borrow_mut() {
                // Plain references.
                others.clear();
            }
        })
        .ok();
}

impl Lanes {
    pub(crate) fn new(id: u64, usual: bool, limit: usize, file: Option<Arc<RecordFileAt>>) -> Self {
        let (consumers, abandoned) = (Mutex::default(), AtomicBool::new(false));
        Self { id, usual, limit, consumers, abandoned, file, process: std::process::id() }
    }

    /// The number of the lane the calling thread recorded to last, if that is one of these, and usual.
    #[inline(always)]
    pub(crate) fn usual(&self) -> Option<u64> {
        let tip = Tip::mine();
        (self.usual && tip.recorder() == self.id).then(|| tip.number())
    }

    /// The number of the lane the calling thread recorded to last, whosever it is, if it is usual; else one that no
    /// span has.
    #[inline(always)]
    pub(crate) fn last_usual() -> u64 {
        Tip::mine().usual_number()
    }

    /// Appends a record to the lane the calling thread recorded to last, if it is short and there is room.
    #[inline(always)]
    pub(crate) fn append_to_last(record: &impl Write) -> bool {
        record.is_short() && Tip::mine().append(record)
    }

    /// Appends a record to the lane of that number, if it is short, that is where the calling thread recorded last, and
    /// there is room. Lanes have different numbers in all recorders.
    #[inline(always)]
    pub(crate) fn append_to(lane: u64, record: &impl Write) -> bool {
        Tip::mine().number() == lane && Self::append_to_last(record)
    }

    /// Appends a record to the calling thread's lane. Answers with the lane's number. With `always` the lane's limit
    /// does not hold.
    pub(crate) fn append(&self, record: &impl Write, always: bool) -> Result<(u64, Appended), Full> {
        if record.bound() > RECORD_MAX {
            return Err(Full);
        }
        let tip = self.mine();
        let appended = tip.make_room(record.bound(), always);
        let lane = tip.number();
        let written = tip.append(record);
        tip.take_last().into_iter().for_each(leave);
        match appended {
            Ok(appended) if written => Ok((lane, appended)),
            _ => Err(Full),
        }
    }

    /// The number of the calling thread's lane.
    pub(crate) fn number(&self) -> u64 {
        let tip = self.mine();
        let lane = tip.number();
        tip.take_last().into_iter().for_each(leave);
        lane
    }

    /// The calling thread's lane, in the place of the one it recorded to last.
    fn mine(&self) -> &'static Tip {
        let tip = Tip::mine();
        if tip.recorder() == self.id {
            return tip;
        }
        let mut another = tip.exchange(None);
        let found = LEAVING.try_with(|leaving| {
            let mut others = leaving.0.try_borrow_mut().ok()?;
            others.extend(another.take());
            others.extract_if(.., |producer| producer.is_abandoned()).for_each(leave);
            let at = others.iter().position(|producer| producer.recorder() == self.id)?;
            Some(others.swap_remove(at))
        });
        another.into_iter().for_each(leave);
        let producer = match found {
            Ok(Some(producer)) => producer,
            Ok(None) => self.register(false),
            // The thread is being torn down: nothing will close the lane after this record.
            Err(_) => self.register(true),
        };
        tip.exchange(Some(producer)).into_iter().for_each(leave);
        tip
    }

    fn register(&self, last: bool) -> &'static mut Producer {
        let (producer, consumer) = lane(self.id, self.limit, (last, self.usual), self.file.clone());
        if self.process != std::process::id() {
            // In a fork nobody reads, and the locks may be held by threads that are not there. Without its consumer the
            // lane takes nothing.
            return Box::leak(Box::new(producer));
        }
        {
            let mut consumers = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody reads any more: without a consumer the lane takes nothing.
            if !self.abandoned.load(Ordering::Relaxed) {
                consumers.push(consumer);
            }
        }
        match SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            Some(spare) => {
                *spare = producer;
                spare
            }
            None => Box::leak(Box::new(producer)),
        }
    }

    /// Hands every lane's records to `reader`, one thread after the other.
    pub(crate) fn drain(&self, reader: &mut impl Reader) {
        // A thread that makes its first record meanwhile must not wait for the reading.
        let mut consumers = std::mem::take(&mut *self.consumers.lock().unwrap_or_else(PoisonError::into_inner));
        for at in 0..consumers.len() {
            let Some(mut drain) = consumers.get(at).map(Consumer::begin) else { continue };
            let mut more = true;
            while std::mem::take(&mut more) {
                let step = |one: &mut Consumer| one.step(&mut drain, &mut |bytes| reader.read(bytes));
                more = consumers.get_mut(at).is_some_and(step);
                if reader.make_safe() {
                    consumers.iter_mut().for_each(Consumer::settle);
                }
            }
            if let Some(consumer) = consumers.get_mut(at) {
                consumer.has_ended = !drain.more;
            }
        }
        consumers.retain(|consumer| !consumer.has_ended || !consumer.is_settled());
        let mut waiting = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.abandoned.load(Ordering::Relaxed) {
            waiting.append(&mut consumers);
        }
    }

    /// Says that everything that was drained is safe elsewhere.
    pub(crate) fn settle(&self) {
        let mut consumers = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        consumers.iter_mut().for_each(Consumer::settle);
        consumers.retain(|consumer| !consumer.has_ended);
    }

    /// The file the lanes' chunks are in, if they are in one.
    pub(crate) fn file(&self) -> Option<&RecordFileAt> {
        self.file.as_deref()
    }

    /// What one lane may hold.
    pub(crate) fn limit(&self) -> usize {
        self.limit
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
    let mut bytes = vec![0; record.bound()];
    let len = record.write(&mut bytes);
    bytes.truncate(len);
    bytes.into_iter()
}

#[cfg(all(test, not(vigil_loom)))]
mod tests {
    use super::*;
    use crate::record::format::{Record, Set, read};
    use std::sync::Arc;
    use vigil_core::id::SpanId;

    const RECORD: Set<'_> = Set(SpanId([1; 8]), &[]);

    fn append(lanes: &Lanes) -> Result<(), Full> {
        lanes.append(&RECORD, false).map(drop)
    }

    struct Count(usize);

    impl Reader for Count {
        fn read(&mut self, mut bytes: &[u8]) {
            while let Some((Record::Set { .. }, len)) = read(bytes) {
                bytes = &bytes[len..];
                self.0 += 1;
            }
        }
        fn make_safe(&mut self) -> bool {
            false
        }
    }

    fn count(lanes: &Lanes) -> usize {
        let mut count = Count(0);
        lanes.drain(&mut count);
        count.0
    }

    #[test]
    fn records_of_threads_that_died_are_drained_and_their_lanes_let_go() {
        let lanes = Arc::new(Lanes::new(1, false, 1 << 20, None));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let lanes = lanes.clone();
                std::thread::spawn(move || (0..100).for_each(|_| assert!(append(&lanes).is_ok())))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(count(&lanes), 400);
        assert_eq!(count(&lanes), 0);
        assert_eq!(lanes.consumers.lock().unwrap().len(), 0);
    }

    #[test]
    fn two_recorders_on_one_thread_do_not_mix() {
        let (one, two) = (Lanes::new(3, false, 1 << 20, None), Lanes::new(4, false, 1 << 20, None));
        append(&one).unwrap();
        append(&two).unwrap();
        append(&two).unwrap();
        assert_eq!((count(&one), count(&two)), (1, 2));
    }

    #[test]
    fn a_record_made_while_thread_locals_are_torn_down_is_not_lost() {
        struct Last(Arc<Lanes>);
        impl Drop for Last {
            fn drop(&mut self) {
                append(&self.0).unwrap();
            }
        }
        thread_local! {
            static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
        }
        let lanes = Arc::new(Lanes::new(5, false, 1 << 20, None));
        let theirs = lanes.clone();
        std::thread::spawn(move || {
            LAST.with(|last| *last.borrow_mut() = Some(Last(theirs.clone())));
            append(&theirs).unwrap();
        })
        .join()
        .unwrap();
        assert_eq!(count(&lanes), 2);
    }

    #[test]
    fn lanes_of_a_recorder_that_is_gone_are_forgotten_by_their_threads() {
        for id in 100..120 {
            let lanes = Lanes::new(id, false, 1 << 20, None);
            append(&lanes).unwrap();
            lanes.abandon();
        }
        LEAVING.with(|leaving| assert!(leaving.0.borrow().len() <= 2));
    }

    #[test]
    fn a_lane_of_a_recorder_that_was_abandoned_takes_no_more_than_nothing() {
        let lanes = Lanes::new(777, false, 1 << 20, None);
        lanes.abandon();
        assert!(append(&lanes).is_err(), "nobody would read it");
        assert_eq!(count(&lanes), 0);
    }
}

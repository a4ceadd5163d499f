//! A destination of the user's own making: whatever takes encoded batches.

use super::receipt::LossReason;
use super::retry::Verdict;
use super::transport::Attempt;
use crate::encode::{Batch, Signal};
use std::sync::Arc;

/// What takes batches in a way of its own: hands them to another pipeline, a queue, a database.
///
/// It is called on threads of delivery, where nothing is recorded and it may block: it delays itself alone, and what
/// does not fit into its queue meanwhile is counted. There are 8 of these threads; one that never comes back is gone. Its batches are not spooled, and not offered again: an answer is a verdict. What it
/// still has in hand when the deadline of the shutdown comes is lost as `deadline`, whatever it answers later. A panic
/// in it costs the batch (`internal`).
pub trait OwnDestination: std::fmt::Debug + Send + Sync {
    /// Whether it wants batches of `signal`; always the same answer.
    fn takes(&self, signal: Signal) -> bool;

    /// Takes `batch` and says how many of its records were refused. Batches of one signal come one at a time and in
    /// order; several signals may come at once.
    ///
    /// # Errors
    /// Why the whole batch is lost.
    fn take(&self, batch: &Batch) -> Result<u64, LossReason>;
}

pub(super) struct OwnSender(Arc<dyn OwnDestination>);

impl OwnSender {
    pub(super) fn new(own: &Arc<dyn OwnDestination>) -> Self {
        Self(Arc::clone(own))
    }

    pub(super) async fn send(&mut self, batch: &Batch) -> Attempt {
        let (own, batch) = (Arc::clone(&self.0), batch.clone());
        match tokio::task::spawn_blocking(move || own.take(&batch)).await {
            Ok(Ok(rejected)) => Attempt::delivered(rejected),
            Ok(Err(reason)) => Attempt { verdict: Verdict::Drop(reason), problem: None, throttle: None },
            Err(_) => Attempt { verdict: Verdict::Drop(LossReason::Internal), problem: None, throttle: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::{Delivery, DestinationConfig, Target, is_delivery_thread};
    use crate::encode::{BatchBuilder, EncodeOptions, Resource};
    use std::sync::Mutex;
    use std::time::{Duration, Instant};
    use vigil_core::contract::EventKind;
    use vigil_core::fact::{EventData, UnixNanos};
    use vigil_core::vocab::Severity;

    fn batch(records: u32) -> Batch {
        let nobody: [(&str, &vigil_core::fact::Value); 0] = [];
        let mut builder = BatchBuilder::new(Signal::Logs, Resource::new(nobody), EncodeOptions::default());
        let event = EventData {
            kind: EventKind::Loss,
            span: None,
            time: UnixNanos(1),
            severity: Severity::Info,
            attributes: Default::default(),
        };
        (0..records).for_each(|_| builder.push_event(&event).unwrap());
        builder.take().unwrap()
    }

    #[derive(Debug, Default)]
    struct Answers {
        given: Mutex<Vec<Answer>>,
        taken: Mutex<Vec<u32>>,
    }

    #[derive(Clone, Copy, Debug)]
    enum Answer {
        Refused(u64),
        Lost(LossReason),
        Panic,
        Hang,
    }

    impl OwnDestination for Answers {
        fn takes(&self, signal: Signal) -> bool {
            signal == Signal::Logs
        }

        fn take(&self, batch: &Batch) -> Result<u64, LossReason> {
            assert!(is_delivery_thread());
            self.taken.lock().unwrap().push(batch.records());
            let answer = self.given.lock().unwrap().pop();
            match answer.unwrap() {
                Answer::Refused(records) => Ok(records),
                Answer::Lost(reason) => Err(reason),
                Answer::Panic => panic!("as asked by a test"),
                Answer::Hang => {
                    std::thread::sleep(Duration::from_secs(20));
                    Ok(0)
                }
            }
        }
    }

    #[test]
    fn every_answer_is_a_verdict_and_the_end_waits_for_none() {
        let own = Arc::new(Answers::default());
        *own.given.lock().unwrap() =
            vec![Answer::Hang, Answer::Panic, Answer::Lost(LossReason::Closed), Answer::Refused(2), Answer::Refused(0)];
        let config = DestinationConfig::new("own", Target::Own(Arc::clone(&own) as Arc<dyn OwnDestination>));
        let delivery = Delivery::start(vec![config], Arc::new(|_| {}));
        [1, 5, 10, 20, 40, 80].into_iter().for_each(|records| delivery.offer(batch(records)));
        let before = Instant::now();
        assert!(!delivery.flush(Duration::from_millis(500)));
        let receipt = delivery.shutdown(Duration::from_millis(100))[0].receipt;
        assert!(before.elapsed() < Duration::from_secs(5));
        assert_eq!(*own.taken.lock().unwrap(), [1, 5, 10, 20, 40]);
        let logs = receipt.logs;
        assert_eq!((logs.recorded, logs.delivered, logs.retries), (156, 4, 0));
        let lost = [LossReason::Rejected, LossReason::Closed, LossReason::Internal, LossReason::Deadline];
        assert_eq!(lost.map(|reason| logs.lost.get(reason)), [2, 10, 20, 120]);
        assert_eq!(receipt.traces.recorded, 0);
    }
}

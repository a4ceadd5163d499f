//! A receipt in the making: one makes it, any number wait for it, each only as long as it can.

use crate::receipt::Receipt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use vigil_core::fact::Outcome;
use vigil_core::vocab::ErrorType;

/// Why telemetry ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
    /// Somebody wants it to: the program, or whoever sent a signal.
    Asked,
    /// The code panicked.
    Panic,
}

impl Cause {
    /// What becomes of spans that are open then.
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Cause::Asked => Outcome::Cancelled,
            Cause::Panic => Outcome::Error(ErrorType::PANIC),
        }
    }
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Running,
    Ending,
    Ended(Box<Receipt>),
}

/// How far the end of a telemetry value is.
#[derive(Debug, Default)]
pub(crate) struct Settlement {
    state: Mutex<State>,
    ended: Condvar,
}

impl Settlement {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the end. True for the first alone.
    pub(crate) fn begin(&self) -> bool {
        let mut state = self.state();
        let first = matches!(*state, State::Running);
        if first {
            *state = State::Ending;
        }
        first
    }

    /// Settles it, unless that was done, and answers with the receipt that stands.
    pub(crate) fn settle(&self, receipt: Receipt) -> Receipt {
        let mut state = self.state();
        if let State::Ended(stands) = &*state {
            return Receipt::clone(stands);
        }
        *state = State::Ended(Box::new(receipt.clone()));
        self.ended.notify_all();
        receipt
    }

    /// The receipt, if there is one already.
    pub(crate) fn receipt(&self) -> Option<Receipt> {
        match &*self.state() {
            State::Ended(receipt) => Some(Receipt::clone(receipt)),
            State::Running | State::Ending => None,
        }
    }

    /// Waits for the receipt, `within` at most.
    pub(crate) fn wait(&self, within: Duration) -> Option<Receipt> {
        let unsettled = |state: &mut State| !matches!(state, State::Ended(_));
        let waited = self.ended.wait_timeout_while(self.state(), within, unsettled);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Ended(receipt) => Some(Receipt::clone(receipt)),
            State::Running | State::Ending => None,
        }
    }
}

/// Owed to those who wait: dropped without a receipt, as by a panic, it says that there is none.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) Arc<Settlement>);

impl Answer {
    pub(crate) fn settle(self, receipt: Receipt) {
        self.0.settle(receipt);
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.0.settle(Receipt { timed_out: true, ..Receipt::default() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::monotonic;

    #[test]
    fn one_begins_and_the_first_receipt_stands() {
        let settlement = Settlement::default();
        assert!(settlement.begin() && !settlement.begin());
        assert_eq!(settlement.receipt(), None);
        let receipt = settlement.settle(Receipt::default());
        assert_eq!(settlement.settle(Receipt { timed_out: true, ..Receipt::default() }), receipt);
        assert!(!settlement.begin());
    }

    #[test]
    fn whoever_waits_does_so_only_as_long_as_it_can() {
        let settlement = Arc::new(Settlement::default());
        settlement.begin();
        let before = monotonic();
        assert_eq!(settlement.wait(Duration::from_millis(20)), None);
        assert!(before.elapsed() < Duration::from_secs(5));
        let answer = Answer(Arc::clone(&settlement));
        let waiting = std::thread::spawn(move || settlement.wait(Duration::from_secs(60)));
        drop(answer);
        assert!(waiting.join().unwrap().unwrap().timed_out, "what will not come is not waited for");
    }
}

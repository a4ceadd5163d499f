//! What became of every record.

use crate::encode::Signal;
use std::fmt;

macro_rules! loss_reasons {
    ($($(#[doc = $doc:literal])* $variant:ident = $word:literal),* $(,)?) => {
        /// Why a record did not arrive.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        #[non_exhaustive]
        pub enum LossReason { $($(#[doc = $doc])* $variant),* }

        impl LossReason {
            /// All of them.
            pub const ALL: &'static [LossReason] = &[$(LossReason::$variant),*];

            /// The word on the wire and in reports.
            pub const fn as_str(self) -> &'static str {
                match self { $(LossReason::$variant => $word),* }
            }
        }
    };
}

loss_reasons! {
    /// The recording thread's buffer was full before the assembler got to it.
    BufferFull = "buffer_full",
    /// The destination did not keep up and its queue was full. A larger queue or a faster destination helps.
    QueueFull = "queue_full",
    /// One record alone is larger than a request to the destination may be.
    TooLarge = "too_large",
    /// Its trace has more spans than the destination takes.
    TooMany = "too_many",
    /// The destination refused it for good: a 4xx or 5xx that must not be retried, or a partial success.
    Rejected = "rejected",
    /// The destination refused the credentials (401, 403, UNAUTHENTICATED, PERMISSION_DENIED).
    Unauthorized = "unauthorized",
    /// What answered does not speak OTLP: a web page, or an answer of more than 4 MiB. Check the endpoint.
    BadAnswer = "bad_answer",
    /// A file could not be written.
    Io = "io",
    /// The spool on disk was full and the oldest gave way. A larger spool or a destination that comes back helps.
    SpoolFull = "spool_full",
    /// The spool on disk did not read back: damaged, or deleted by somebody.
    SpoolDamaged = "spool_damaged",
    /// It was still under way when the deadline of the shutdown came.
    Deadline = "deadline",
    /// It came after the shutdown.
    Closed = "closed",
    /// Delivery itself failed: its thread could not start, or a defect in it was caught.
    Internal = "internal",
}

const REASONS: usize = LossReason::ALL.len();

impl fmt::Display for LossReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Lost records by reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Losses([u64; REASONS]);

impl Losses {
    /// Counts `records` as lost.
    pub fn add(&mut self, reason: LossReason, records: u64) {
        if let Some(count) = self.0.get_mut(reason as usize) {
            *count = count.saturating_add(records);
        }
    }

    /// How many were lost for `reason`.
    pub fn get(&self, reason: LossReason) -> u64 {
        self.0.get(reason as usize).copied().unwrap_or(0)
    }

    /// How many were lost.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The reasons that took records, and how many each.
    pub fn iter(&self) -> impl Iterator<Item = (LossReason, u64)> + '_ {
        LossReason::ALL.iter().zip(&self.0).filter(|(_, count)| **count > 0).map(|(reason, count)| (*reason, *count))
    }
}

/// `queue_full 2, deadline 1`.
impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (reason, count)) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{reason} {count}")?;
        }
        Ok(())
    }
}

/// What became of the records of one signal at one destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SignalReceipt {
    /// Records meant for the destination.
    pub recorded: u64,
    /// Records the destination took.
    pub delivered: u64,
    /// Records that wait in the spool for the next process to deliver them; known after a shutdown.
    pub spooled: u64,
    /// Records that will not arrive.
    pub lost: Losses,
    /// Requests that had to be sent again.
    pub retries: u64,
    /// Texts that were longer than the destination takes and were cut.
    pub cut_texts: u64,
    /// What became of records that earlier processes left in the spool. They are none of `recorded`.
    pub left_behind: LeftBehind,
}

/// What became of records of earlier processes that this one found in the spool.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LeftBehind {
    /// Records the destination took.
    pub delivered: u64,
    /// Records that will not arrive.
    pub lost: Losses,
}

impl SignalReceipt {
    /// Records that are neither delivered nor lost yet; after a shutdown those in the spool.
    fn open(&self) -> u64 {
        self.recorded.saturating_sub(self.delivered).saturating_sub(self.lost.total())
    }

    /// Records of which nobody knows yet what becomes of them; none after a shutdown.
    pub fn pending(&self) -> u64 {
        self.open().saturating_sub(self.spooled)
    }

    /// Whether every record was delivered or waits in the spool.
    pub fn is_kept(&self) -> bool {
        self.delivered + self.spooled == self.recorded
    }
}

impl fmt::Display for SignalReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} recorded, {} delivered", self.recorded, self.delivered)?;
        if self.pending() > 0 {
            write!(f, ", {} pending", self.pending())?;
        }
        if self.spooled > 0 {
            write!(f, ", {} spooled", self.spooled)?;
        }
        if self.lost.total() > 0 {
            write!(f, ", {} lost ({})", self.lost.total(), self.lost)?;
        }
        match self.retries {
            0 => {}
            1 => f.write_str(", 1 retry")?,
            many => write!(f, ", {many} retries")?,
        }
        match self.cut_texts {
            0 => {}
            1 => f.write_str(", 1 text cut")?,
            many => write!(f, ", {many} texts cut")?,
        }
        let LeftBehind { delivered, lost } = &self.left_behind;
        if *delivered > 0 {
            write!(f, ", {delivered} of earlier processes delivered")?;
        }
        if lost.total() > 0 {
            write!(f, ", {} of earlier processes lost ({lost})", lost.total())?;
        }
        Ok(())
    }
}

/// What became of everything at one destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Receipt {
    /// Spans.
    pub traces: SignalReceipt,
    /// Events.
    pub logs: SignalReceipt,
    /// Data points.
    pub metrics: SignalReceipt,
}

impl Receipt {
    /// The part for `signal`.
    pub fn signal(&self, signal: Signal) -> &SignalReceipt {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Logs => &self.logs,
            Signal::Metrics => &self.metrics,
        }
    }

    /// The part for `signal`.
    pub fn signal_mut(&mut self, signal: Signal) -> &mut SignalReceipt {
        match signal {
            Signal::Traces => &mut self.traces,
            Signal::Logs => &mut self.logs,
            Signal::Metrics => &mut self.metrics,
        }
    }

    /// Whether everything recorded was delivered.
    pub fn is_complete(&self) -> bool {
        Signal::ALL.iter().all(|signal| self.signal(*signal).delivered == self.signal(*signal).recorded)
    }

    /// Whether everything recorded was delivered or waits in the spool.
    pub fn is_kept(&self) -> bool {
        Signal::ALL.iter().all(|signal| self.signal(*signal).is_kept())
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let has_something = |signal: &Signal| {
            let signal = self.signal(*signal);
            signal.recorded > 0 || signal.left_behind != LeftBehind::default()
        };
        for signal in Signal::ALL.into_iter().filter(has_something) {
            write!(f, "{separator}{signal}: {}", self.signal(signal))?;
            separator = "; ";
        }
        if separator.is_empty() { f.write_str("nothing recorded") } else { Ok(()) }
    }
}

/// A destination's name and its receipt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DestinationReceipt {
    /// The name from the destination's configuration.
    pub destination: String,
    /// What became of what was meant for it.
    pub receipt: Receipt,
}

impl fmt::Display for DestinationReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.destination, self.receipt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_says_what_was_lost_and_why() {
        let mut receipt = Receipt::default();
        assert_eq!(receipt.to_string(), "nothing recorded");
        receipt.traces = SignalReceipt { recorded: 10, delivered: 6, ..SignalReceipt::default() };
        receipt.traces.lost.add(LossReason::QueueFull, 2);
        receipt.traces.lost.add(LossReason::Deadline, 1);
        receipt.traces.retries = 3;
        receipt.logs = SignalReceipt { recorded: 1, delivered: 1, retries: 1, ..SignalReceipt::default() };
        assert_eq!(
            receipt.to_string(),
            "traces: 10 recorded, 6 delivered, 1 pending, 3 lost (queue_full 2, deadline 1), 3 retries; \
             logs: 1 recorded, 1 delivered, 1 retry"
        );
        assert!(!receipt.is_complete());
    }

    #[test]
    fn every_reason_has_its_own_place_and_word() {
        for (index, reason) in LossReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
            assert_eq!(LossReason::ALL.iter().filter(|other| other.as_str() == reason.as_str()).count(), 1);
        }
    }
}

//! What became of everything that was recorded.

use crate::deliver::{DestinationReceipt, LossReason, SignalReceipt};
use crate::encode::Signal;
use std::fmt;

/// The account of a telemetry value's life, one line a signal.
///
/// Of several destinations the one that got least decides the figures; each has its own account in
/// [`destinations`](Self::destinations). After a shutdown `recorded = delivered + spooled + lost` holds for every
/// signal.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Receipt {
    /// Spans.
    pub traces: SignalReceipt,
    /// Events.
    pub logs: SignalReceipt,
    /// Data points.
    pub metrics: SignalReceipt,
    /// Each destination's own account.
    pub destinations: Vec<DestinationReceipt>,
    /// The deadline passed before the account was complete, or this is a fork of the process that recorded; the
    /// figures are then all zero.
    pub timed_out: bool,
}

impl Receipt {
    pub(crate) fn settle(
        destinations: Vec<DestinationReceipt>,
        recorded: [u64; 3],
        too_large: [u64; 3],
        refused: [u64; 3],
    ) -> Self {
        let account = |signal: Signal| {
            let index = signal.index();
            let worst = destinations
                .iter()
                .map(|one| *one.receipt.signal(signal))
                .filter(|one| one.recorded > 0)
                .min_by_key(|one| (one.delivered, one.spooled));
            if worst.is_none() && !destinations.is_empty() {
                // No destination takes this signal.
                return SignalReceipt::default();
            }
            // Where there is nowhere to deliver to, the log on stderr has taken everything.
            let delivered = recorded[index].saturating_sub(too_large[index]);
            let mut account =
                worst.unwrap_or(SignalReceipt { recorded: delivered, delivered, ..SignalReceipt::default() });
            account.recorded += too_large[index] + refused[index];
            account.lost.add(LossReason::TooLarge, too_large[index]);
            account.lost.add(LossReason::BufferFull, refused[index]);
            account
        };
        Self {
            traces: account(Signal::Traces),
            logs: account(Signal::Logs),
            metrics: account(Signal::Metrics),
            destinations,
            timed_out: false,
        }
    }

    /// Whether nothing was lost and nothing is pending.
    pub fn is_complete(&self) -> bool {
        !self.timed_out
            && [&self.traces, &self.logs, &self.metrics].into_iter().all(|signal| signal.delivered == signal.recorded)
    }

    /// Whether nothing was lost: all of it was delivered or waits in the spool.
    pub fn is_kept(&self) -> bool {
        !self.timed_out && [&self.traces, &self.logs, &self.metrics].into_iter().all(SignalReceipt::is_kept)
    }

    /// How many records wait in the spool for the next process to deliver them.
    pub fn spooled(&self) -> u64 {
        [&self.traces, &self.logs, &self.metrics].into_iter().map(|signal| signal.spooled).sum()
    }

    /// The account of one signal.
    pub fn signal(&self, signal: Signal) -> &SignalReceipt {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Logs => &self.logs,
            Signal::Metrics => &self.metrics,
        }
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.timed_out {
            return f.write_str("no account: the deadline passed");
        }
        write!(f, "traces: {}; logs: {}; metrics: {}", self.traces, self.logs, self.metrics)
    }
}

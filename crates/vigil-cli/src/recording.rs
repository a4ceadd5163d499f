//! Recording facts no faster than they are taken.
//!
//! The SDK never waits and drops what does not fit, which is right inside an agent. A program that reads records
//! from disk can wait: after every [`FACTS_BETWEEN_WAITS`] facts it does, for the assembler always and for delivery
//! as long as there is patience for a destination that does not keep up.

use crate::system;
use std::time::Duration;
use vigil::Telemetry;
use vigil_core::fact::Fact;

/// Facts between two waits; the SDK holds 65,536 that wait for the assembler.
const FACTS_BETWEEN_WAITS: usize = 5_000;
/// The longest one wait takes: 30 s, more than a slow machine needs for as many facts.
const WAIT_MAX: Duration = Duration::from_secs(30);

pub(crate) struct Recording {
    pub(crate) telemetry: Telemetry,
    since_wait: usize,
    /// How long destinations that did not keep up may still be waited for, in all.
    patience: Duration,
}

impl Recording {
    /// `patience` zero: delivery is not waited for.
    pub(crate) fn new(telemetry: Telemetry, patience: Duration) -> Self {
        Self { telemetry, since_wait: 0, patience }
    }

    pub(crate) fn record(&mut self, facts: Vec<Fact>) {
        for fact in facts {
            self.telemetry.record_fact(fact);
            self.since_wait += 1;
            if self.since_wait >= FACTS_BETWEEN_WAITS {
                self.since_wait = 0;
                self.wait();
            }
        }
    }

    fn wait(&mut self) {
        let _in_time = self.telemetry.wait_assembled(WAIT_MAX);
        if self.patience.is_zero() {
            return;
        }
        let before = system::instant();
        if !self.telemetry.flush(self.patience.min(WAIT_MAX)) {
            // What is late now is delivered later, or counted as lost in the receipt.
            self.patience = self.patience.saturating_sub(before.elapsed());
        }
    }
}

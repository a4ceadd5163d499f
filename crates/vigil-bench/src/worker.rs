//! A contender in a process of its own: nobody else is touched by what it sets up, be it a global subscriber,
//! background threads or a fragmented heap.
//!
//! Every order is a slice to run. When stdin ends the contender finishes and the account is the last word.

use crate::contenders::find;
use crate::measure::Crew;
use crate::process;
use crate::workload::Shape;
use serde::{Deserialize, Serialize};
use std::error::Error;

/// One slice, please.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) shape: Shape,
    pub(crate) threads: usize,
}

/// What became of everything a contender recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) recorded: u64,
    /// `None` where the contender has nothing that counts.
    pub(crate) arrived: Option<u64>,
}

impl Account {
    /// Spans that did not arrive, where that is known.
    pub(crate) fn lost(&self) -> Option<u64> {
        self.arrived.map(|arrived| self.recorded.saturating_sub(arrived))
    }
}

/// Runs the contender `name` until stdin ends.
pub(crate) fn serve(name: &str) -> Result<(), Box<dyn Error>> {
    let entry = find(name).ok_or_else(|| format!("there is no contender {name}"))?;
    let contender = (entry.set_up)();
    let crew = Crew::start(&contender)?;
    let mut recorded = 0;
    process::serve(|order: Order| {
        let slice = crew.slice(&*contender, order.shape, order.threads);
        recorded += slice.spans;
        Ok(slice)
    })?;
    process::say(&Account { recorded, arrived: contender.finish() })
}

//! The cost of recording: slices of every contender in turns.

use crate::contenders::{ALL, Entry};
use crate::measure::{Slice, Spread, THREADS};
use crate::process::Process;
use crate::worker::{Account, Order};
use crate::workload::Shape;
use serde::Serialize;
use std::error::Error;

/// Rounds whose slices are thrown away: buffers grow, pages come in, branches are learnt.
const WARM_UP: usize = 2;
/// Rounds that count.
const ROUNDS: usize = 40;
const ROUNDS_QUICK: usize = 7;

/// Numbers of one contender for one shape and number of threads, each a span.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) shape: Shape,
    pub(crate) threads: usize,
    pub(crate) slices: usize,
    pub(crate) cpu_ns: Spread,
    pub(crate) wall_ns: Spread,
    pub(crate) process_cpu_ns: Spread,
    pub(crate) allocations: Spread,
    /// `cpu_ns` and `process_cpu_ns` of every round, in their order.
    pub(crate) rounds: Vec<Round>,
}

/// What a span cost in one round.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Round {
    pub(crate) cpu_ns: f64,
    pub(crate) process_cpu_ns: f64,
}

impl Cost {
    fn of(order: Order, slices: &[Slice]) -> Self {
        let a_span = |slice: &Slice, value: u64| value as f64 / slice.spans.max(1) as f64;
        let spread = |value: fn(&Slice) -> u64| Spread::of(slices.iter().map(|slice| a_span(slice, value(slice))));
        let round = |slice: &Slice| Round {
            cpu_ns: a_span(slice, slice.cpu_ns),
            process_cpu_ns: a_span(slice, slice.process_cpu_ns),
        };
        Self {
            shape: order.shape,
            threads: order.threads,
            slices: slices.len(),
            cpu_ns: spread(|slice| slice.cpu_ns),
            wall_ns: spread(|slice| slice.wall_ns),
            process_cpu_ns: spread(|slice| slice.process_cpu_ns),
            allocations: spread(|slice| slice.allocations),
            rounds: slices.iter().map(round).collect(),
        }
    }
}

/// One contender's costs and account.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) costs: Vec<Cost>,
    pub(crate) account: Account,
}

impl Measured {
    pub(crate) fn cost(&self, shape: Shape, threads: usize) -> Option<&Cost> {
        self.costs.iter().find(|cost| cost.shape == shape && cost.threads == threads)
    }
}

/// A contender under way.
struct Running {
    entry: &'static Entry,
    process: Process,
    slices: [Vec<Slice>; 4],
}

const ORDERS: [Order; 4] = [
    Order { shape: Shape::Capability, threads: 1 },
    Order { shape: Shape::Chat, threads: 1 },
    Order { shape: Shape::Capability, threads: THREADS },
    Order { shape: Shape::Chat, threads: THREADS },
];

/// Measures the contenders that are wanted. `progress` is told after every round.
pub(crate) fn run(
    quick: bool,
    wants: impl Fn(&str) -> bool,
    progress: impl Fn(usize, usize),
) -> Result<Vec<Measured>, Box<dyn Error>> {
    let mut running = Vec::new();
    for entry in ALL.iter().filter(|entry| wants(entry.name)) {
        let process = Process::start(&["worker", entry.name])?;
        running.push(Running { entry, process, slices: Default::default() });
    }
    let rounds = if running.is_empty() { 0 } else { WARM_UP + if quick { ROUNDS_QUICK } else { ROUNDS } };
    for round in 0..rounds {
        for (number, order) in ORDERS.iter().enumerate() {
            for contender in &mut running {
                let slice: Slice = contender.process.ask(order)?;
                if round >= WARM_UP {
                    contender.slices[number].push(slice);
                }
            }
        }
        progress(round + 1, rounds);
    }
    running.into_iter().map(finish).collect()
}

fn finish(mut contender: Running) -> Result<Measured, Box<dyn Error>> {
    let account = contender.process.end()?;
    let costs = ORDERS.iter().zip(&contender.slices).map(|(order, slices)| Cost::of(*order, slices)).collect();
    Ok(Measured { name: contender.entry.name, title: contender.entry.title, costs, account })
}

//! Timing of bursts, and what is made of many of them.
//!
//! A burst is one stretch of recording on one or several threads, small enough that no contender's buffer
//! fills; between bursts the contender settles. A slice is several bursts of one contender; slices of all
//! contenders take turns, so that a machine that becomes slower becomes slower for all. Time is the CPU time
//! of the recording threads: a thread that waits for a core is not charged for it.

use crate::alloc;
use crate::contenders::Contender;
use crate::workload::Shape;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Spans in one burst of a single thread.
pub(crate) const BURST_SPANS: u32 = 4096;
/// Spans in one burst of each of several threads.
const BURST_SPANS_EACH: u32 = 2048;
/// Threads when there are several.
pub(crate) const THREADS: usize = 8;
/// Bursts in a slice, at most and at least. In between a slice ends when this much CPU time went into
/// recording, or into the whole process.
const BURSTS_MAX: u32 = 32;
const BURSTS_MIN: u32 = 3;
const SLICE_CPU: Duration = Duration::from_millis(12);
const SLICE_PROCESS_CPU: Duration = Duration::from_millis(40);

/// What one slice came to.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Slice {
    pub(crate) spans: u64,
    /// CPU time of the recording threads while they recorded.
    pub(crate) cpu_ns: u64,
    /// The same stretches on the wall clock, summed over threads.
    pub(crate) wall_ns: u64,
    /// Allocations of the recording threads while they recorded.
    pub(crate) allocations: u64,
    /// CPU time of the whole process over the slice: recording, background threads, settling.
    pub(crate) process_cpu_ns: u64,
}

/// CPU time of the calling thread.
pub(crate) fn thread_cpu() -> Duration {
    clock(ClockId::ThreadCPUTime)
}

/// CPU time of the process, all threads, user and system.
pub(crate) fn process_cpu() -> Duration {
    clock(ClockId::ProcessCPUTime)
}

fn clock(id: ClockId) -> Duration {
    let time = clock_gettime(id);
    // Neither part is ever negative, nor a billion or more.
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// A number of nanoseconds; 2^64 of them are 584 years.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// One thread's part of a burst.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    cpu: Duration,
    wall: Duration,
    allocations: u64,
}

struct Order {
    shape: Shape,
    spans: u32,
    /// How many threads have yet to be ready before all begin.
    waiting: Arc<AtomicUsize>,
}

/// Threads that record, kept for the life of the process so that what is per thread is set up once.
pub(crate) struct Crew {
    orders: Vec<Sender<Order>>,
    stretches: Receiver<Stretch>,
    /// What two readings of the clocks with nothing between them come to.
    empty: Stretch,
}

impl Crew {
    pub(crate) fn start(contender: &Arc<dyn Contender>) -> io::Result<Self> {
        let (done, stretches) = channel();
        let mut orders = Vec::new();
        for number in 0..THREADS {
            let (sender, receiver) = channel::<Order>();
            let (contender, done) = (contender.clone(), done.clone());
            std::thread::Builder::new().name(format!("recording-{number}")).spawn(move || {
                for order in receiver {
                    let stretch = stretch(&*contender, &order);
                    if done.send(stretch).is_err() {
                        break;
                    }
                }
            })?;
            orders.push(sender);
        }
        let empty = (0..1000).map(|_| timed(|| ())).min_by_key(|stretch| stretch.cpu).unwrap_or_default();
        Ok(Self { orders, stretches, empty })
    }

    /// Runs one slice.
    pub(crate) fn slice(&self, contender: &dyn Contender, shape: Shape, threads: usize) -> Slice {
        let threads = threads.clamp(1, self.orders.len());
        let mut slice = Slice::default();
        let before = process_cpu();
        let mut cpu = Duration::ZERO;
        for burst in 0..BURSTS_MAX {
            cpu += self.burst(&mut slice, shape, threads);
            contender.settle();
            let process = process_cpu().saturating_sub(before);
            slice.process_cpu_ns = nanos(process);
            if burst + 1 >= BURSTS_MIN && (cpu >= SLICE_CPU || process >= SLICE_PROCESS_CPU) {
                break;
            }
        }
        slice
    }

    fn burst(&self, slice: &mut Slice, shape: Shape, threads: usize) -> Duration {
        let spans = if threads == 1 { BURST_SPANS } else { BURST_SPANS_EACH };
        let waiting = Arc::new(AtomicUsize::new(threads));
        let mut asked = 0;
        for orders in &self.orders[..threads] {
            let order = Order { shape, spans, waiting: waiting.clone() };
            // A recording thread ends with the crew, or because a contender panicked: the process has said so.
            asked += usize::from(orders.send(order).is_ok());
        }
        let mut cpu = Duration::ZERO;
        for stretch in self.stretches.iter().take(asked) {
            let own = stretch.cpu.saturating_sub(self.empty.cpu);
            cpu += own;
            slice.spans += u64::from(spans);
            slice.cpu_ns += nanos(own);
            slice.wall_ns += nanos(stretch.wall.saturating_sub(self.empty.wall));
            slice.allocations += stretch.allocations;
        }
        cpu
    }
}

fn stretch(contender: &dyn Contender, order: &Order) -> Stretch {
    order.waiting.fetch_sub(1, Ordering::AcqRel);
    while order.waiting.load(Ordering::Acquire) > 0 {
        std::thread::yield_now();
    }
    timed(|| contender.record(order.shape, order.spans))
}

fn timed(work: impl FnOnce()) -> Stretch {
    let allocations = alloc::on_this_thread();
    let wall = Instant::now();
    let cpu = thread_cpu();
    work();
    let cpu = thread_cpu().saturating_sub(cpu);
    let wall = wall.elapsed();
    Stretch { cpu, wall, allocations: alloc::on_this_thread() - allocations }
}

/// Median and tenth and ninetieth percentile.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) p10: f64,
    pub(crate) p90: f64,
}

impl Spread {
    /// Of any number of values; all zero of none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
            sorted.get(place).copied().unwrap_or_default()
        };
        Self { median: at(0.5), p10: at(0.1), p90: at(0.9) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn a_spread_is_made_of_values_that_were_there() {
        let spread = Spread::of((1..=11).map(f64::from));
        assert_eq!(spread, Spread { median: 6.0, p10: 2.0, p90: 10.0 });
        assert_eq!(Spread::of([]), Spread::default());
        assert_eq!(Spread::of([3.0]), Spread { median: 3.0, p10: 3.0, p90: 3.0 });
    }

    /// Allocates once a span and spends a little time.
    #[derive(Default)]
    struct Boxes(AtomicU64);

    impl Contender for Boxes {
        fn record(&self, _: Shape, spans: u32) {
            for number in 0..spans {
                drop(std::hint::black_box(Box::new(number)));
            }
            self.0.fetch_add(u64::from(spans), Ordering::Relaxed);
        }
    }

    #[test]
    fn a_slice_counts_the_spans_and_allocations_of_every_thread() {
        let boxes = Arc::new(Boxes::default());
        let contender: Arc<dyn Contender> = boxes.clone();
        let crew = Crew::start(&contender).unwrap();
        for threads in [1, THREADS] {
            boxes.0.store(0, Ordering::Relaxed);
            let slice = crew.slice(&*boxes, Shape::Chat, threads);
            assert_eq!(slice.spans, boxes.0.load(Ordering::Relaxed));
            assert_eq!(slice.allocations, slice.spans);
            assert!(slice.cpu_ns > 0 && slice.process_cpu_ns >= slice.cpu_ns / 2, "{slice:?}");
        }
    }
}

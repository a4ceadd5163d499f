//! What any recorder must do: read a clock twice, make an id, copy 256 bytes to where another thread may see
//! them. With the processor's time stamp counter, where the machine lets it be used as a clock, and with the
//! system's clock.

use super::Contender;
use crate::workload::{Shape, capability};
use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::sync::Arc;

/// What is copied a span.
const RECORD_BYTES: usize = 256;
/// The copies go round in a block of this size, 64 KiB: it stays in the second-level cache.
const RING_BYTES: usize = 64 << 10;

struct Ring {
    bytes: Box<[u8; RING_BYTES]>,
    next: usize,
}

thread_local! {
    static RING: RefCell<Ring> = RefCell::new(Ring { bytes: Box::new([0; RING_BYTES]), next: 0 });
    static ID: Cell<u64> = const { Cell::new(0x9e37_79b9_7f4a_7c15) };
}

struct Floor<Clock>(Clock);

pub(super) fn system_clock() -> Arc<dyn Contender> {
    Arc::new(Floor(|| {
        black_box(std::time::Instant::now());
    }))
}

pub(super) fn cheapest_clock() -> Arc<dyn Contender> {
    Arc::new(Floor(|| {
        black_box(fastant::Instant::now());
    }))
}

fn id() -> u64 {
    ID.with(|cell| {
        let next = cell.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        cell.set(next);
        let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

impl<Clock: Fn() + Send + Sync> Contender for Floor<Clock> {
    fn record(&self, _: Shape, spans: u32) {
        let mut source = [7; RECORD_BYTES];
        for _ in 0..spans {
            self.0();
            source[..8].copy_from_slice(&id().to_le_bytes());
            source[8..16].copy_from_slice(&capability().bytes_in.to_le_bytes());
            RING.with_borrow_mut(|ring| {
                let at = ring.next;
                ring.bytes[at..at + RECORD_BYTES].copy_from_slice(black_box(&source));
                ring.next = (at + RECORD_BYTES) % RING_BYTES;
            });
            self.0();
        }
    }
}

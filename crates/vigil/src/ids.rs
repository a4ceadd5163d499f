//! Random ids without a system call each.
//!
//! Every thread has its own generator (splitmix64 over a counter seeded once from the operating system's
//! randomness). Ids need to be unique, not secret.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use vigil_core::id::{SpanId, TraceId};

/// Where ids come from.
#[derive(Debug)]
pub(crate) enum IdSource {
    /// Random per thread.
    Random,
    /// The same ids in the same order every time, over all threads; for tests.
    Seeded(AtomicU64),
}

thread_local! {
    /// 0 until the first id.
    static STATE: Cell<u64> = const { Cell::new(0) };
}

#[cold]
fn seed() -> u64 {
    // RandomState draws its keys from the operating system once a process and differs by thread.
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(0x7669_6769_6c00_0001);
    hasher.finish() ^ u64::from(std::process::id()).rotate_left(32)
}

#[inline]
fn splitmix(state: u64) -> u64 {
    let mut value = state;
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cold]
fn next_of(state: &AtomicU64) -> u64 {
    state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP)
}

/// The next random number; `None` before the thread's first.
#[inline(always)]
fn random() -> Option<u64> {
    STATE.with(|cell| match cell.get() {
        0 => None,
        state => {
            let next = state.wrapping_add(STEP);
            cell.set(next);
            Some(splitmix(next).max(1))
        }
    })
}

/// A random id, whatever the source; `None` before the thread has made its first from a source.
#[inline(always)]
pub(crate) fn random_span_id() -> Option<SpanId> {
    random().map(|id| SpanId(id.to_be_bytes()))
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl IdSource {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self::Seeded(AtomicU64::new(seed))
    }

    #[inline(always)]
    fn next(&self) -> u64 {
        match self {
            IdSource::Random => random().unwrap_or_else(|| {
                STATE.set(seed());
                random().unwrap_or(1)
            }),
            IdSource::Seeded(state) => splitmix(next_of(state)).max(1),
        }
    }

    /// Whether ids are those of [`random_span_id`].
    pub(crate) fn is_random(&self) -> bool {
        matches!(self, IdSource::Random)
    }

    #[inline(always)]
    pub(crate) fn span_id(&self) -> SpanId {
        SpanId(self.next().to_be_bytes())
    }

    #[inline(never)]
    pub(crate) fn trace_id(&self) -> TraceId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.next().to_be_bytes());
        bytes[8..].copy_from_slice(&self.next().to_be_bytes());
        TraceId(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_of_many_threads_never_meet() {
        let threads: Vec<_> = (0..8)
            .map(|_| std::thread::spawn(|| (0..20_000).map(|_| IdSource::Random.span_id()).collect::<Vec<_>>()))
            .collect();
        let all: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }

    #[test]
    fn a_seeded_source_repeats_itself() {
        let (one, two) = (IdSource::seeded(7), IdSource::seeded(7));
        assert_eq!(one.trace_id(), two.trace_id());
        assert_eq!(one.span_id(), two.span_id());
        assert_ne!(one.span_id(), one.span_id());
    }
}

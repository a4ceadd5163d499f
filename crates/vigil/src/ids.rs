//! Random ids without a system call each.
//!
//! Every thread counts in large odd steps from where the operating system's randomness has put it, and an id is that
//! number mixed. Mixing is one to one, so that no thread gives an id twice. Ids need to be unique, not secret; trace ids,
//! which samplers take for random, are mixed well (splitmix64), span ids by one multiplication.

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
    /// The number the next id is made of; 0 before the first, and once in 2^64 ids.
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

/// A number mixed a little, by few instructions: a factor that is a signed word of 32 bits is part of one. One to one,
/// and 0 for 0 alone.
#[inline(always)]
fn mix(state: u64) -> u64 {
    (state ^ (state >> 32)).wrapping_mul(0x85eb_ca6b_u32 as i32 as u64)
}

#[cold]
fn next_of(state: &AtomicU64) -> u64 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    state.fetch_add(GOLDEN, Ordering::Relaxed).wrapping_add(GOLDEN)
}

/// A number this thread has not had, which is not 0; `None` before its first.
#[inline(always)]
fn next() -> Option<u64> {
    STATE.with(|cell| match cell.get() {
        0 => None,
        state => {
            cell.set(state.wrapping_add(STEP));
            Some(state)
        }
    })
}

/// The same, and makes a beginning where there is none.
#[inline(always)]
fn next_seeded() -> u64 {
    next().unwrap_or_else(|| {
        STATE.set(seed());
        next().unwrap_or(1)
    })
}

/// A random id, whatever the source; `None` before the thread has made its first from a source.
#[inline(always)]
pub(crate) fn random_span_id() -> Option<SpanId> {
    next().map(|state| SpanId(mix(state).to_ne_bytes()))
}

/// Odd, so that a thread comes back to where it began after 2^64 ids; of 31 bits for the same reason as in [`mix`].
const STEP: u64 = 0x4f1b_bcdd;

impl IdSource {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self::Seeded(AtomicU64::new(seed))
    }

    /// Whether ids are those of [`random_span_id`].
    pub(crate) fn is_random(&self) -> bool {
        matches!(self, IdSource::Random)
    }

    #[inline(always)]
    pub(crate) fn span_id(&self) -> SpanId {
        SpanId(match self {
            IdSource::Random => mix(next_seeded()).to_ne_bytes(),
            IdSource::Seeded(state) => splitmix(next_of(state)).max(1).to_be_bytes(),
        })
    }

    #[inline(never)]
    pub(crate) fn trace_id(&self) -> TraceId {
        let half = || match self {
            IdSource::Random => splitmix(next_seeded()),
            IdSource::Seeded(state) => splitmix(next_of(state)).max(1),
        };
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&half().to_be_bytes());
        bytes[8..].copy_from_slice(&half().to_be_bytes());
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
    fn every_bit_of_an_id_changes_from_one_to_the_next() {
        for seed in [1, 0x1234_5678_9abc_def0, u64::MAX / 3, u64::MAX - 5] {
            let ids = (0..10_000).map(|count: u64| mix(count.wrapping_mul(STEP).wrapping_add(seed)));
            let mut set = [0; 64];
            ids.for_each(|id| set.iter_mut().enumerate().for_each(|(bit, count)| *count += id >> bit & 1));
            assert!(set.iter().all(|count| (3_500..6_500).contains(count)), "{set:?}");
        }
    }

    #[test]
    fn a_seeded_source_repeats_itself() {
        let (one, two) = (IdSource::seeded(7), IdSource::seeded(7));
        assert_eq!(one.trace_id(), two.trace_id());
        assert_eq!(one.span_id(), two.span_id());
        assert_ne!(one.span_id(), one.span_id());
    }
}

//! The system's allocator, counting per thread.
//!
//! A thread counts its own allocations only, so that what a recorder's background thread allocates is not
//! charged to the caller. Growing a block counts as one. Costs about a nanosecond an allocation, for every
//! contender alike.
#![allow(
    unsafe_code,
    reason = "a global allocator can only be written with it; every call goes to the system's unchanged"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    // Without a destructor, so that it can be used for as long as the thread allocates.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts, then does what [`System`] does.
#[derive(Debug)]
pub(crate) struct Counting;

fn count() {
    ALLOCATIONS.with(|allocations| allocations.set(allocations.get() + 1));
}

/// How many times the calling thread has allocated.
pub(crate) fn on_this_thread() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

// SAFETY: every method hands its arguments to `System` as they came and answers with what it answers; the
// count touches a thread-local that neither allocates nor has a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise about `pointer` and `layout` is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about all three is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[cfg(test)]
mod tests {
    use super::on_this_thread;
    use std::hint::black_box;

    #[test]
    fn a_box_is_one_allocation_and_another_threads_box_is_none() {
        let before = on_this_thread();
        drop(black_box(Box::new(7)));
        assert_eq!(on_this_thread() - before, 1);
        let elsewhere = std::thread::spawn(|| (0..1000).for_each(|number| drop(black_box(Box::new(number)))));
        let started = on_this_thread();
        elsewhere.join().unwrap();
        assert_eq!(on_this_thread(), started);
    }
}

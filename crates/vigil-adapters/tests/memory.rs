//! How much memory a long run takes. Alone in its process: the allocator counts everything.

use std::sync::atomic::{AtomicUsize, Ordering};
use vigil_adapters::{Observer, Options, RunEnd};
use vigil_core::fact::UnixNanos;

/// Counts what is allocated, and the most at any time.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait; this one only counts")]
// SAFETY: every call is passed on to the system allocator unchanged.
unsafe impl std::alloc::GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: std::alloc::Layout) -> *mut u8 {
        MOST.fetch_max(HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { std::alloc::System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: std::alloc::Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { std::alloc::System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_turn_of_20_000_calls_and_a_line_of_100_mb_stay_within_12_mib() {
    let session = "\"session_id\":\"s\",\"timestamp\":\"2026-11-21T01:10:13.764Z\"";
    let mut observer = Observer::new(Options::default());
    observer.process_started(UnixNanos(1_795_223_412_000_000_000));
    observer.stdout(format!("{{\"type\":\"system\",\"subtype\":\"init\",{session}}}\n").as_bytes(), UnixNanos(0));
    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let mut told = 0;
    // Calls whose output tokens nothing ever settles, with tools, sub-agents and retries among them.
    for number in 0..20_000 {
        let task = if number % 10 == 0 { "Task" } else { "Bash" };
        let text = format!(
            "{{\"type\":\"system\",\"subtype\":\"api_retry\",\"attempt\":1,\"error_status\":429,\"error\":\"rate_limit\",{session}}}\n\
             {{\"type\":\"assistant\",\"message\":{{\"id\":\"m{number}\",\"model\":\"x\",\"content\":[{{\"type\":\"tool_use\",\"id\":\"t{number}\",\"name\":\"{task}\"}}],\"usage\":{{\"input_tokens\":1,\"output_tokens\":1}}}},{session}}}\n\
             {{\"type\":\"assistant\",\"parent_tool_use_id\":\"t{number}\",\"message\":{{\"id\":\"n{number}\",\"model\":\"x\",\"content\":[]}},{session}}}\n\
             {{\"type\":\"user\",\"message\":{{\"content\":[{{\"type\":\"tool_result\",\"tool_use_id\":\"t{number}\",\"content\":\"\"}}]}},{session}}}\n"
        );
        observer.stdout(text.as_bytes(), UnixNanos(0));
        told += observer.drain().len();
    }
    let chunk = vec![b'x'; 64 * 1024];
    for _ in 0..1600 {
        observer.stdout(&chunk, UnixNanos(0));
    }
    observer.stdout(b"\n", UnixNanos(0));
    let most = MOST.load(Ordering::Relaxed).saturating_sub(before);
    let (facts, summary) = observer.finish(RunEnd::default());
    assert_eq!(summary.oversize_lines, 1);
    assert!(told + facts.len() >= 60_000, "{} facts", told + facts.len());
    assert_eq!(summary.tools, 20_000);
    assert!(most < 12 * 1024 * 1024, "{most} bytes");
}

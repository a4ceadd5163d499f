//! Seeds B3 and B5: off is free. A whole span costs no allocation, no thread is started, and with the feature
//! `tracing` a subscriber that is not interested changes nothing of that. A file of its own, since it counts the
//! allocations and threads of the process.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use vigil::gateway::{Gateway, Policy};
use vigil::{ErrorType, FinishReason, InSpanExt, Phase, Provider, Telemetry, Usage};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[expect(unsafe_code, reason = "counting allocations takes an allocator")]
// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.try_with(|count| count.set(count.get() + 1)).ok();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[cfg(target_os = "linux")]
fn threads_of_vigil() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("vigil-")).collect()
}

fn whole_session(telemetry: &Telemetry) {
    let agent = telemetry.agent_span("session-42", "researcher");
    let inside = agent.enter();
    let phase = telemetry.phase_span(Phase::Deliberate);
    let mut chat = phase.chat_span(Provider::ANTHROPIC, "claude-sonnet-4-5");
    chat.set_attribute("acme.tier", "gold");
    chat.record_content(vigil::Content::InputMessages, || panic!("nobody wants it"));
    chat.record_token_usage(Usage::anthropic(890, 2103).cache(0, 512));
    chat.record_finish_reason(FinishReason::ToolCall);
    chat.finish();
    let mut future = std::pin::pin!(std::future::ready(()).in_span(&phase));
    assert!(future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready());
    phase.tool_span("search", "call-1").fail(ErrorType::TIMEOUT);
    phase.capability_span("fs.write").finish();
    drop(phase);
    drop(inside);
    agent.finish();
}

fn off(variables: &[(&str, &str)]) -> Telemetry {
    vigil::from_env("off")
        .environment(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
        .start()
}

#[test]
fn b3_b5_telemetry_that_is_off_costs_no_allocation_and_starts_no_thread() {
    for variables in [&[("OTEL_SDK_DISABLED", "true")][..], &[("VIGIL_LOG_FORMAT", "off")][..]] {
        let telemetry = off(variables);
        assert!(!telemetry.is_on(), "{variables:?}");
        // The first time a thread-local may be made.
        whole_session(&telemetry);
        assert_eq!(allocations(|| (0..1000).for_each(|_| whole_session(&telemetry))), 0, "{variables:?}");
        #[cfg(target_os = "linux")]
        assert_eq!(threads_of_vigil(), Vec::<String>::new());
        drop(telemetry.shutdown(std::time::Duration::ZERO));
    }
    assert!(allocations(|| drop(vec![0_u8; 16])) > 0, "the allocator counts");

    // A call through the gateway, with a rule and a budget, brings nothing of its own.
    let telemetry = off(&[("OTEL_SDK_DISABLED", "true")]);
    let policy = Policy::deny_all().allow("fs.read", 0).allow("net.fetch", 1_000_000).allow("random", 3);
    let gateway = Gateway::new(policy);
    let agent = telemetry.agent_span("session-42", "researcher");
    let call = || gateway.call(&agent, "net.fetch", ("GET", 7), |(_, number)| Ok::<u64, std::io::Error>(number));
    assert_eq!(call().unwrap(), 7);
    assert_eq!(allocations(|| (0..1000).for_each(|_| drop(call()))), 0);
    let asynchronous = || {
        let call = gateway.call_async(&agent, "net.fetch", 7, async |number| Ok::<u64, std::io::Error>(number));
        let mut call = std::pin::pin!(call);
        assert!(call.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready());
    };
    assert_eq!(allocations(|| (0..1000).for_each(|_| asynchronous())), 0);
    assert_eq!(gateway.calls_left("net.fetch"), Some(1_000_000 - 2_001));

    // The free functions, with nothing installed.
    vigil::tool_span("t", "c").finish();
    assert_eq!(allocations(|| vigil::tool_span("t", "c").finish()), 0);

    #[cfg(feature = "tracing")]
    {
        use tracing_subscriber::layer::SubscriberExt;
        let telemetry = off(&[("OTEL_SDK_DISABLED", "true")]);
        let subscriber = tracing_subscriber::registry().with(tracing::level_filters::LevelFilter::WARN);
        tracing::subscriber::with_default(subscriber, || {
            whole_session(&telemetry);
            assert_eq!(allocations(|| (0..1000).for_each(|_| whole_session(&telemetry))), 0);
        });
    }
}

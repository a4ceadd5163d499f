//! Handles, futures and streams under every sort of runtime and none, and the end of telemetry inside them.
#![expect(clippy::disallowed_methods, reason = "tests measure time, start threads and tasks")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod support;

use futures_util::StreamExt;
use futures_util::stream::{self, Stream};
use std::convert::Infallible;
use std::future::Future;
use std::net::TcpListener;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use support::{Answer, Server, block_on};
use vigil::contract::attr;
use vigil::testing::{self, TestTelemetry};
use vigil::{Builder, ChatSpan, ErrorType, InSpanExt, Phase, Provider, Receipt, Telemetry, Usage};
use vigil_core::fact::{SpanRecord, Value};

fn current_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn one_worker() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// Runs a future everywhere a user may.
fn everywhere(work: impl Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Sync) {
    block_on(work());
    current_thread().block_on(work());
    one_worker().block_on(work());
    one_worker().block_on(async { tokio::spawn(work()).await.unwrap() });
    std::thread::scope(|scope| scope.spawn(|| block_on(work())).join().unwrap());
}

/// Pending once, without a runtime.
async fn pause() {
    let mut paused = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn builder(variables: &[(&str, &str)]) -> Builder {
    vigil::from_env("async")
        .environment(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

// === futures ===

#[test]
fn spans_in_a_future_are_children_of_its_span_under_every_runtime() {
    everywhere(|| {
        Box::pin(async {
            let telemetry = testing::recorder();
            let agent = telemetry.agent_span("s", "a");
            async {
                telemetry.phase_span(Phase::Perceive).finish();
                pause().await;
                let tool = telemetry.tool_span("outer", "1");
                async { telemetry.tool_span("inner", "2").finish() }.in_span(&tool).await;
                tool.finish();
                telemetry.phase_span(Phase::Reflect).finish();
            }
            .in_span(&agent)
            .await;
            assert_eq!(vigil::current(), None);
            telemetry.advance(Duration::from_millis(1));
            telemetry.phase_span(Phase::Sleep).finish();
            agent.finish();
            assert_eq!(
                telemetry.recorded().tree(),
                "invoke_agent a\n  phase perceive\n  execute_tool outer\n    execute_tool inner\n  phase reflect\nphase sleep\n"
            );
        })
    });
}

#[test]
fn futures_that_take_turns_on_one_thread_keep_their_own_spans() {
    let telemetry = testing::recorder();
    let names = ["one", "two", "three"];
    let agents: Vec<_> = names.iter().map(|name| telemetry.agent_span("s", name)).collect();
    let work = |index: usize| {
        let telemetry = &telemetry;
        async move {
            for _ in 0..3 {
                pause().await;
                telemetry.tool_span(names[index], "c").finish();
            }
        }
    };
    block_on(async {
        futures_util::join!(work(0).in_span(&agents[0]), work(1).in_span(&agents[1]), work(2).in_span(&agents[2]))
    });
    drop(agents);
    let recorded = telemetry.recorded();
    for agent in names.map(|name| recorded.span(&format!("invoke_agent {name}")).unwrap()) {
        let below: Vec<_> = recorded.spans.iter().filter(|span| span.parent == Some(agent.context.span_id)).collect();
        assert_eq!(below.len(), 3);
        assert!(below.iter().all(|span| span.target == agent.target));
    }
}

#[test]
fn a_future_that_is_dropped_half_way_ends_its_spans_as_cancelled() {
    let telemetry = testing::recorder();
    let agent = telemetry.agent_span("s", "a");
    let mut future = Box::pin(
        async {
            let _tool = telemetry.tool_span("t", "c");
            std::future::pending::<()>().await;
        }
        .in_span(&agent),
    );
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(future);
    agent.finish();
    assert_eq!(telemetry.recorded().tree(), "invoke_agent a\n  execute_tool t [cancelled]\n");
}

// === streams ===

type Item = Result<u64, &'static str>;

fn inspect(chat: &mut ChatSpan, item: &Item) -> Option<ErrorType> {
    match item {
        Ok(tokens) => chat.record_token_usage(Usage::openai(10, *tokens)),
        Err(code) => return Some(ErrorType::from_code(code)),
    }
    None
}

fn items(telemetry: &TestTelemetry, items: Vec<Item>) -> impl Stream<Item = Item> + use<'_> {
    stream::iter(items).then(move |item| async move {
        pause().await;
        // Other people's work inside the stream is below the call.
        telemetry.capability_span("net").finish();
        telemetry.advance(Duration::from_millis(40));
        item
    })
}

fn chat_of(telemetry: &TestTelemetry) -> SpanRecord {
    telemetry.recorded().span("chat m").cloned().unwrap()
}

fn first_chunk(span: &SpanRecord) -> Option<f64> {
    match span.attributes.get(attr::GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK)? {
        Value::Double(seconds) => Some(*seconds),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stream_that_ends_finishes_its_span_with_the_time_to_its_first_chunk() {
    everywhere(|| {
        Box::pin(async {
            let telemetry = testing::recorder();
            let chat = telemetry.chat_span(Provider::OPENAI, "m");
            let stream = chat.stream(items(&telemetry, vec![Ok(1), Ok(2), Ok(3)]), inspect);
            let mut stream = pin!(stream);
            let mut seen = Vec::new();
            while let Some(item) = stream.next().await {
                seen.push(item.unwrap());
            }
            assert_eq!(seen, [1, 2, 3]);
            assert_eq!(vigil::current(), None);
            assert_eq!(telemetry.recorded().tree(), format!("chat m\n{}", "  capability net\n".repeat(3)));
            let span = chat_of(&telemetry);
            assert_eq!(first_chunk(&span), Some(0.04));
            assert_eq!(span.duration(), Duration::from_millis(120));
            assert_eq!(span.attributes.int(attr::GEN_AI_USAGE_OUTPUT_TOKENS), Some(3));
            telemetry.recorded().verify_contract().unwrap();
        })
    });
}

#[test]
fn a_stream_with_an_error_fails_its_span_there_and_hands_the_rest_through() {
    block_on(async {
        let telemetry = testing::recorder();
        let chat = telemetry.chat_span(Provider::OPENAI, "m");
        let stream = chat.stream(items(&telemetry, vec![Ok(1), Err("rate_limit"), Ok(2)]), inspect);
        let all: Vec<_> = stream.collect().await;
        assert_eq!(all, [Ok(1), Err("rate_limit"), Ok(2)]);
        let span = chat_of(&telemetry);
        assert_eq!(span.attributes.str(attr::ERROR_TYPE), Some("rate_limit"));
        assert_eq!(span.duration(), Duration::from_millis(80));
        assert_eq!(span.attributes.int(attr::GEN_AI_USAGE_OUTPUT_TOKENS), Some(1));
    });
}

#[test]
fn a_stream_dropped_half_way_is_cancelled_and_keeps_what_was_known() {
    block_on(async {
        let telemetry = testing::recorder();
        let chat = telemetry.chat_span(Provider::OPENAI, "m");
        let mut stream = Box::pin(chat.stream(items(&telemetry, vec![Ok(1), Ok(2), Ok(3)]), inspect));
        assert_eq!(stream.next().await, Some(Ok(1)));
        drop(stream);
        assert!(telemetry.recorded().tree().starts_with("chat m [cancelled]\n"));
        let span = chat_of(&telemetry);
        assert_eq!((first_chunk(&span), span.attributes.int(attr::GEN_AI_USAGE_OUTPUT_TOKENS)), (Some(0.04), Some(1)));
    });
}

#[test]
fn a_stream_dropped_before_its_first_poll_is_cancelled_without_a_first_chunk() {
    let telemetry = testing::recorder();
    drop(telemetry.chat_span(Provider::OPENAI, "m").stream(items(&telemetry, vec![Ok(1)]), inspect));
    assert_eq!(telemetry.recorded().tree(), "chat m [cancelled]\n");
    assert_eq!(first_chunk(&chat_of(&telemetry)), None);
}

#[test]
fn a_stream_that_ends_without_a_chunk_is_finished_without_a_first_chunk() {
    let telemetry = testing::recorder();
    let chat = telemetry.chat_span(Provider::OPENAI, "m");
    block_on(chat.stream(items(&telemetry, Vec::new()), inspect).collect::<Vec<_>>());
    assert_eq!(telemetry.recorded().tree(), "chat m\n");
    assert_eq!(first_chunk(&chat_of(&telemetry)), None);
}

#[test]
fn a_stream_may_be_polled_from_one_thread_after_the_other() {
    let telemetry = testing::recorder();
    let chat = telemetry.chat_span(Provider::OPENAI, "m");
    let items = stream::iter([1, 2, 3].map(Ok::<_, Infallible>));
    let mut stream = Box::pin(chat.stream(items, |_, _| None));
    for _ in 0..4 {
        stream = std::thread::spawn(move || {
            block_on(stream.next());
            stream
        })
        .join()
        .unwrap();
    }
    assert_eq!(telemetry.recorded().tree(), "chat m\n");
}

// === threads and panics ===

#[test]
fn a_handle_may_start_set_and_end_on_three_threads() {
    let telemetry = testing::recorder();
    let agent = telemetry.agent_span("s", "a");
    for _ in 0..50 {
        let mut chat = agent.chat_span(Provider::OPENAI, "m");
        let chat = std::thread::spawn(move || {
            chat.record_token_usage(Usage::openai(10, 20));
            chat
        })
        .join()
        .unwrap();
        std::thread::spawn(move || chat.finish()).join().unwrap();
    }
    agent.finish();
    let recorded = telemetry.recorded();
    let chats: Vec<_> = recorded.spans.iter().filter(|span| span.target == "m").collect();
    assert_eq!(chats.len(), 50);
    for chat in chats {
        assert_eq!(chat.attributes.int(attr::GEN_AI_USAGE_OUTPUT_TOKENS), Some(20));
        assert_eq!(chat.parent, Some(recorded.span("invoke_agent a").unwrap().context.span_id));
    }
}

#[test]
fn a_panic_ends_spans_as_cancelled_and_leaves_nothing_current() {
    let telemetry = testing::recorder();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let agent = telemetry.agent_span("s", "a");
        let _inside = agent.enter();
        block_on(async { panic!("as planned") }.in_span(&agent));
    }));
    assert!(caught.is_err());
    assert_eq!(vigil::current(), None);
    let joined = one_worker().block_on(async {
        let tool = telemetry.tool_span("t", "c");
        tokio::spawn(async move {
            let _tool = tool;
            panic!("as planned");
        })
        .await
    });
    assert!(joined.unwrap_err().is_panic());
    assert_eq!(telemetry.recorded().tree(), "invoke_agent a [cancelled]\nexecute_tool t [cancelled]\n");
}

#[test]
fn two_telemetry_values_side_by_side_see_their_own_spans_only() {
    let (one, two) = (testing::recorder(), testing::recorder());
    let off = builder(&[("OTEL_SDK_DISABLED", "true")]).start();
    let first = one.agent_span("s", "one");
    let inside_first = first.enter();
    let second = two.agent_span("s", "two");
    let inside_second = second.enter();
    let nothing = off.agent_span("s", "off");
    let inside_nothing = nothing.enter();
    one.tool_span("in one", "c").finish();
    two.tool_span("in two", "c").finish();
    // Guards may go in any order.
    drop(inside_first);
    one.advance(Duration::from_millis(1));
    one.tool_span("beside one", "c").finish();
    two.tool_span("still in two", "c").finish();
    drop(inside_nothing);
    drop(inside_second);
    assert_eq!(vigil::current(), None);
    first.finish();
    second.finish();
    assert_eq!(one.recorded().tree(), "invoke_agent one\n  execute_tool in one\nexecute_tool beside one\n");
    assert_eq!(two.recorded().tree(), "invoke_agent two\n  execute_tool in two\n  execute_tool still in two\n");
}

// === the end of telemetry inside a runtime ===

fn small_run(telemetry: &Telemetry) {
    let agent = telemetry.agent_span("s", "a");
    agent.tool_span("t", "c").finish();
    agent.finish();
}

/// Shuts telemetry down in every place that has broken an exporter before, and answers how it went.
fn shut_down_everywhere(start: impl Fn() -> Telemetry, deadline: Duration) -> Vec<(&'static str, Receipt, Duration)> {
    let timed = move |telemetry: Telemetry| {
        small_run(&telemetry);
        let begun = Instant::now();
        (telemetry.shutdown(deadline), begun.elapsed())
    };
    let mut results = Vec::new();
    let mut put = |place, (receipt, took)| results.push((place, receipt, took));
    put("no runtime", timed(start()));
    put("current_thread", current_thread().block_on(async { timed(start()) }));
    put("one worker", one_worker().block_on(async { timed(start()) }));
    let telemetry = start();
    put(
        "task on one worker",
        one_worker().block_on(async { tokio::spawn(async move { timed(telemetry) }).await.unwrap() }),
    );
    let telemetry = start();
    let local = current_thread();
    put(
        "task on current_thread",
        local.block_on(async { tokio::spawn(async move { timed(telemetry) }).await.unwrap() }),
    );
    results
}

#[test]
fn shutdown_delivers_everything_wherever_it_is_called() {
    let server = Server::start(Answer::Ok);
    let start = || builder(&[]).endpoint(server.url()).start();
    for (place, receipt, took) in shut_down_everywhere(start, Duration::from_secs(5)) {
        assert!(receipt.is_complete(), "{place}: {receipt}");
        assert_eq!((receipt.traces.recorded, receipt.traces.delivered), (2, 2), "{place}: {receipt}");
        assert!(took < Duration::from_secs(2), "{place}: {took:?}");
    }
    assert_eq!(server.bodies("/v1/traces").len(), 5);
}

#[test]
fn shutdown_keeps_its_deadline_within_100_ms_when_the_endpoint_hangs() {
    let server = Server::start(Answer::Hang);
    let deadline = Duration::from_millis(300);
    let start = || builder(&[]).endpoint(server.url()).start();
    for (place, receipt, took) in shut_down_everywhere(start, deadline) {
        assert!(took <= deadline + Duration::from_millis(100), "{place}: {took:?}");
        assert_eq!((receipt.traces.delivered, receipt.traces.lost.total()), (0, 2), "{place}: {receipt}");
    }
}

#[test]
fn shutdown_keeps_its_deadline_within_100_ms_when_the_endpoint_refuses() {
    // A port that was free a moment ago: nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let deadline = Duration::from_millis(300);
    let start = || builder(&[]).endpoint(format!("http://127.0.0.1:{port}")).start();
    for (place, receipt, took) in shut_down_everywhere(start, deadline) {
        assert!(took <= deadline + Duration::from_millis(100), "{place}: {took:?}");
        assert_eq!((receipt.traces.delivered, receipt.traces.lost.total()), (0, 2), "{place}: {receipt}");
    }
}

#[test]
fn dropping_telemetry_inside_a_task_delivers_too() {
    let server = Server::start(Answer::Ok);
    let telemetry = builder(&[]).endpoint(server.url()).start();
    one_worker().block_on(async {
        tokio::spawn(async move {
            small_run(&telemetry);
            drop(telemetry);
        })
        .await
        .unwrap();
    });
    assert_eq!(server.bodies("/v1/traces").len(), 1);
}

#[test]
fn a_runtime_that_is_gone_takes_no_telemetry_with_it() {
    let server = Server::start(Answer::Ok);
    let telemetry = current_thread().block_on(async { builder(&[]).endpoint(server.url()).start() });
    // The runtime it was started in is gone.
    small_run(&telemetry);
    assert!(telemetry.flush(Duration::from_secs(5)));
    assert!(telemetry.shutdown(Duration::from_secs(5)).is_complete());
}

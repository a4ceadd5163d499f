//! Vigil beside `tracing`: its spans in other people's subscribers, and theirs in Vigil's traces.
#![expect(clippy::disallowed_methods, reason = "tests start threads")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::Kept;
use tracing::field::{Field, Visit};
use tracing::instrument::Instrument;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Dispatch, Subscriber, dispatcher};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::{LookupSpan, Registry};
use vigil::contract::{EventKind, SpanKind, attr};
use vigil::testing::{self, Recorded, TestTelemetry};
use vigil::{ErrorType, FinishReason, InSpanExt, LogFormat, Phase, Provider, Telemetry, ToolStatus, Usage, interop};

/// A subscriber of a user's own: keeps every span it sees.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<SeenSpan>>>);

#[derive(Clone, Debug, Default)]
struct SeenSpan {
    id: u64,
    parent: Option<u64>,
    target: String,
    name: &'static str,
    fields: BTreeMap<String, String>,
    entered: usize,
    closed: bool,
}

impl Visit for SeenSpan {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name().to_owned(), format!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name().to_owned(), value.to_owned());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        panic!("{} = {value}: a layer that knows OTLP's numbers alone would take it for a text", field.name());
    }
}

impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for Seen {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut span = SeenSpan {
            id: id.into_u64(),
            parent: context.span(id).unwrap().parent().map(|parent| parent.id().into_u64()),
            target: attributes.metadata().target().to_owned(),
            name: attributes.metadata().name(),
            ..SeenSpan::default()
        };
        attributes.record(&mut span);
        self.0.lock().unwrap().push(span);
    }
    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        self.with(id, |span| values.record(span));
    }
    fn on_enter(&self, id: &Id, _: Context<'_, S>) {
        self.with(id, |span| span.entered += 1);
    }
    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.with(&id, |span| span.closed = true);
    }
}

impl Seen {
    fn with(&self, id: &Id, change: impl FnOnce(&mut SeenSpan)) {
        let mut spans = self.0.lock().unwrap();
        change(spans.iter_mut().rev().find(|span| span.id == id.into_u64()).unwrap());
    }
    fn all(&self) -> Vec<SeenSpan> {
        self.0.lock().unwrap().clone()
    }
    fn span(&self, name: &str) -> SeenSpan {
        self.all().into_iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in {:?}", self.all()))
    }
    fn parent_name(&self, name: &str) -> Option<&'static str> {
        let parent = self.span(name).parent?;
        self.all().into_iter().find(|span| span.id == parent).map(|span| span.name)
    }
}

fn seeing(seen: &Seen) -> impl Subscriber + Send + Sync + use<> {
    Registry::default().with(seen.clone())
}

fn work(telemetry: &Telemetry) {
    let agent = telemetry.agent_span("session-42", "researcher");
    let phase = agent.phase_span(Phase::Deliberate);
    let mut chat = phase.chat_span(Provider::ANTHROPIC, "claude-sonnet-4-5");
    chat.record_token_usage(Usage::anthropic(890, 2103).cache(0, 512));
    chat.record_finish_reason(FinishReason::ToolCall);
    chat.record_content(vigil::Content::InputMessages, || "[\"the secret prompt\"]".to_owned());
    chat.finish();
    let mut tool = phase.tool_span("search", "call-1");
    tool.record_tool_status(ToolStatus::Error);
    tool.fail(ErrorType::TIMEOUT);
    drop(phase);
    agent.finish();
}

fn joined(telemetry: &TestTelemetry) -> impl Subscriber + Send + Sync + use<> {
    Registry::default().with(interop::layer(telemetry))
}

fn host_logs(recorded: &Recorded) -> Vec<(Option<String>, Option<String>)> {
    recorded
        .events
        .iter()
        .filter(|event| event.kind == EventKind::HostLog)
        .map(|event| {
            let above = event.span.and_then(|context| recorded.spans.iter().find(|span| span.context == context));
            (above.map(|span| span.name()), event.attributes.str(attr::VIGIL_HOST_MESSAGE).map(str::to_owned))
        })
        .collect()
}

// === Vigil's spans in other people's subscribers ===

#[test]
fn b5_people_with_their_own_subscriber_see_the_spans_without_opentelemetry() {
    for (telemetry, is_on) in [
        (vigil::from_env("off").environment([("OTEL_SDK_DISABLED".to_owned(), "true".to_owned())]).start(), false),
        (vigil::from_env("log").environment([]).log_format(LogFormat::Json).log_writer(std::io::sink()).start(), true),
    ] {
        assert_eq!(telemetry.is_on(), is_on);
        let seen = Seen::default();
        with_default(seeing(&seen), || work(&telemetry));
        let names: Vec<_> = seen.all().iter().map(|span| span.name).collect();
        assert_eq!(names, ["invoke_agent", "phase", "chat", "execute_tool"]);
        assert!(seen.all().iter().all(|span| span.closed && span.target == "vigil"));
        assert_eq!(seen.parent_name("invoke_agent"), None);
        assert_eq!(seen.parent_name("phase"), Some("invoke_agent"));
        assert_eq!(seen.parent_name("chat"), Some("phase"));
        assert_eq!(seen.parent_name("execute_tool"), Some("phase"));

        let chat = seen.span("chat").fields;
        assert_eq!(chat["otel.name"], "chat claude-sonnet-4-5");
        assert_eq!(chat["otel.kind"], "CLIENT");
        assert_eq!(chat[attr::GEN_AI_PROVIDER_NAME.name()], "anthropic");
        assert_eq!(chat[attr::GEN_AI_USAGE_INPUT_TOKENS.name()], "1402");
        assert_eq!(chat[attr::GEN_AI_RESPONSE_FINISH_REASONS.name()], "[\"tool_call\"]");
        assert!(!chat.contains_key("otel.status_code"));
        let tool = seen.span("execute_tool").fields;
        assert_eq!(tool["otel.name"], "execute_tool search");
        assert_eq!(tool["otel.status_code"], "ERROR");
        assert_eq!(tool[attr::ERROR_TYPE.name()], "timeout");
        assert_eq!(tool[attr::LIFE_TOOL_STATUS.name()], "error");
        assert_eq!(seen.span("phase").fields[attr::VIGIL_OUTCOME.name()], "cancelled");
        assert_eq!(seen.span("invoke_agent").fields[attr::LIFE_SESSION_ID.name()], "session-42");
        assert_eq!(chat.contains_key("vigil.trace_id"), is_on);
        assert!(!format!("{:?}", seen.all()).contains("secret"));
    }
}

#[test]
fn a_mirror_carries_the_ids_of_its_span_and_free_text_never() {
    let telemetry = testing::recorder_with_content();
    let seen = Seen::default();
    with_default(seeing(&seen), || work(&telemetry));
    let recorded = telemetry.recorded();
    let chat = recorded.span("chat claude-sonnet-4-5").unwrap();
    assert!(chat.attributes.str(attr::GEN_AI_INPUT_MESSAGES).unwrap().contains("secret"));
    let mirror = seen.span("chat").fields;
    assert_eq!(mirror["vigil.trace_id"], chat.context.trace_id.to_string());
    assert_eq!(mirror["vigil.span_id"], chat.context.span_id.to_string());
    assert!(!format!("{:?}", seen.all()).contains("secret"));
}

#[test]
fn without_a_parent_of_vigils_a_mirror_is_below_the_current_tracing_span() {
    let telemetry = testing::recorder();
    let seen = Seen::default();
    with_default(seeing(&seen), || {
        let agent = tracing::info_span!("request").in_scope(|| telemetry.agent_span("s", "a"));
        let chat = tracing::info_span!("elsewhere").in_scope(|| agent.chat_span(Provider::OPENAI, "m"));
        let inside = chat.enter();
        tracing::info_span!("query").in_scope(|| {});
        drop(inside);
        chat.finish();
        assert!(!seen.span("invoke_agent").closed);
        agent.finish();
    });
    assert_eq!(seen.parent_name("invoke_agent"), Some("request"));
    assert_eq!(seen.parent_name("chat"), Some("invoke_agent"));
    assert_eq!(seen.parent_name("query"), Some("chat"));
    assert_eq!(seen.span("chat").entered, 1);
    assert!(seen.all().iter().all(|span| span.closed));
}

#[test]
fn a_subscriber_that_wants_less_gets_less() {
    let telemetry = testing::recorder();
    let seen = Seen::default();
    with_default(Registry::default().with(seen.clone().with_filter(LevelFilter::WARN)), || work(&telemetry));
    assert!(seen.all().is_empty());
    let targets = tracing_subscriber::filter::Targets::new()
        .with_target("vigil", LevelFilter::OFF)
        .with_default(LevelFilter::TRACE);
    with_default(Registry::default().with(seen.clone().with_filter(targets)), || {
        work(&telemetry);
        tracing::info_span!("mine").in_scope(|| {});
    });
    assert_eq!(seen.all().len(), 1);
}

#[test]
fn a_handle_that_meets_another_subscriber_keeps_to_its_own_and_harms_none() {
    let telemetry = testing::recorder();
    let (one, two) = (Seen::default(), Seen::default());
    let agent = with_default(seeing(&one), || telemetry.agent_span("s", "a"));
    let chat = with_default(seeing(&two), || agent.chat_span(Provider::OPENAI, "m"));
    let tool = std::thread::spawn({
        move || {
            let tool = chat.tool_span("t", "c");
            chat.finish();
            tool
        }
    })
    .join()
    .unwrap();
    tool.finish();
    agent.finish();
    assert!(two.all().is_empty());
    assert_eq!(one.parent_name("execute_tool"), Some("chat"));
    assert!(one.all().iter().all(|span| span.closed));
}

#[test]
fn a_mirror_is_entered_whenever_the_future_of_its_span_is_polled() {
    let telemetry = testing::recorder();
    let seen = Seen::default();
    with_default(seeing(&seen), || {
        let chat = telemetry.chat_span(Provider::OPENAI, "m");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(
            async {
                tracing::info_span!("before").in_scope(|| {});
                tokio::task::yield_now().await;
                tracing::info_span!("after").in_scope(|| {});
            }
            .in_span(&chat),
        );
        tracing::info_span!("outside").in_scope(|| {});
        chat.finish();
    });
    assert_eq!(seen.parent_name("before"), Some("chat"));
    assert_eq!(seen.parent_name("after"), Some("chat"));
    assert_eq!(seen.parent_name("outside"), None);
    assert_eq!(seen.span("chat").entered, 2);
}

// === the host's spans and events in Vigil's traces ===

#[test]
fn host_spans_and_vigils_are_each_others_children() {
    let telemetry = testing::recorder();
    with_default(joined(&telemetry), || {
        let request = tracing::info_span!("request");
        let agent = request.in_scope(|| telemetry.agent_span("s", "a"));
        let inside = agent.enter();
        let query = tracing::info_span!("query");
        {
            let _inside = query.enter();
            telemetry.tool_span("inner", "c").finish();
            tracing::info_span!("deeper").in_scope(|| tracing::warn!("look"));
        }
        drop(inside);
        telemetry.advance(Duration::from_millis(1));
        tracing::info_span!("aside").in_scope(|| {});
        agent.finish();
    });
    let recorded = telemetry.recorded();
    assert_eq!(
        recorded.tree(),
        "request\n  invoke_agent a\n    query\n      execute_tool inner\n      deeper\naside\n"
    );
    assert_eq!(host_logs(&recorded), [(Some("deeper".to_owned()), None)]);
    let query = recorded.span("query").unwrap();
    assert_eq!(query.kind, SpanKind::Host);
    assert_eq!(query.attributes.str(attr::VIGIL_HOST_TARGET), Some("tracing_interop"));
    assert_eq!(query.attributes.str(attr::VIGIL_HOST_LEVEL), Some("info"));
    assert_eq!(vigil::current(), None);
    recorded.verify_contract().unwrap();
}

#[test]
fn host_fields_and_messages_are_content_behind_the_closed_gate() {
    let say = |telemetry: &TestTelemetry| {
        with_default(joined(telemetry), || {
            let span = tracing::info_span!("query", user = "the secret name", rows = 3, late = tracing::field::Empty);
            span.record("late", "the secret result");
            span.in_scope(|| tracing::error!(code = 7, cause = ?Some("the secret cause"), "the secret {}", "message"));
        });
        telemetry.recorded()
    };
    let closed = say(&testing::recorder());
    assert!(!format!("{closed:?}").contains("secret"));
    closed.verify_contract().unwrap();

    let open = say(&testing::recorder_with_content());
    let fields = |attributes: &vigil_core::fact::Attributes| -> serde_json::Value {
        serde_json::from_str(attributes.str(attr::VIGIL_HOST_FIELDS).unwrap()).unwrap()
    };
    let span = open.span("query").unwrap();
    assert_eq!(
        fields(&span.attributes),
        serde_json::json!({"user": "the secret name", "rows": 3, "late": "the secret result"})
    );
    let event = open.events.iter().find(|event| event.kind == EventKind::HostLog).unwrap();
    assert_eq!(event.attributes.str(attr::VIGIL_HOST_MESSAGE), Some("the secret message"));
    assert_eq!(fields(&event.attributes), serde_json::json!({"code": 7, "cause": "Some(\"the secret cause\")"}));
    assert_eq!(event.severity, vigil_core::vocab::Severity::Error);
    assert_eq!(event.span, Some(span.context));
    open.verify_contract().unwrap();
}

#[test]
fn the_level_is_info_unless_set_and_other_layers_see_what_they_saw() {
    let say = || {
        tracing::debug_span!("quiet").in_scope(|| {
            tracing::debug!("quiet");
            tracing::info_span!("loud").in_scope(|| tracing::info!("loud"));
        });
    };
    let telemetry = testing::recorder();
    let seen = Seen::default();
    with_default(Registry::default().with(seen.clone()).with(interop::layer(&telemetry)), say);
    assert_eq!(telemetry.recorded().tree(), "loud\n");
    assert_eq!(host_logs(&telemetry.recorded()).len(), 1);
    assert_eq!(seen.all().iter().map(|span| span.name).collect::<Vec<_>>(), ["quiet", "loud"]);

    let telemetry = testing::recorder();
    with_default(Registry::default().with(interop::layer_with_level(&telemetry, LevelFilter::DEBUG)), say);
    assert_eq!(telemetry.recorded().tree(), "quiet\n  loud\n");
    assert_eq!(host_logs(&telemetry.recorded()).len(), 2);
}

#[test]
fn parents_are_right_across_threads_with_explicit_parents_and_with_instrumented_futures() {
    let telemetry = testing::recorder();
    let dispatch = Dispatch::new(joined(&telemetry));
    dispatcher::with_default(&dispatch, || {
        let agent = telemetry.agent_span("s", "a");
        let inside = agent.enter();
        let host = tracing::info_span!("host");
        let current = tracing::Span::current();
        drop(inside);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let elsewhere = || {
            let child = tracing::info_span!(parent: &host, "child of host");
            tracing::info!(parent: &child, "hello");
            child.in_scope(|| telemetry.tool_span("t", "c").finish());
            telemetry.advance(Duration::from_millis(1));
            tracing::info_span!(parent: &current, "child of agent").in_scope(|| {});
            telemetry.advance(Duration::from_millis(1));
            tracing::info_span!("alone").in_scope(|| {});
        };
        std::thread::scope(|scope| {
            scope.spawn(|| dispatcher::with_default(&dispatch, elsewhere)).join().unwrap();
        });
        // As `tokio::spawn(work.in_current_span())` does: the mirror itself is entered, without a guard of ours.
        runtime.block_on(async { telemetry.chat_span(Provider::OPENAI, "m").finish() }.instrument(current));
        runtime.block_on(async { tracing::info_span!("in the future").in_scope(|| {}) }.in_span(&agent));
        agent.finish();
    });
    let recorded = telemetry.recorded();
    assert_eq!(
        recorded.tree(),
        "invoke_agent a\n  host\n    child of host\n      execute_tool t\n  child of agent\n  chat m\n  in the future\nalone\n"
    );
    assert_eq!(host_logs(&recorded), [(Some("child of host".to_owned()), None)]);
}

#[test]
fn two_telemetry_values_with_a_layer_each_on_one_subscriber_do_not_mix() {
    let (one, two) = (testing::recorder(), testing::recorder());
    let subscriber = Registry::default().with(interop::layer(&one)).with(interop::layer(&two));
    with_default(subscriber, || {
        let (first, second) = (one.agent_span("s", "one"), two.agent_span("s", "two"));
        let inside_first = first.enter();
        let inside_second = second.enter();
        tracing::info_span!("host").in_scope(|| {
            one.tool_span("in one", "c").finish();
            two.tool_span("in two", "c").finish();
        });
        // Not in the order they were taken.
        drop(inside_first);
        drop(inside_second);
        assert_eq!(vigil::current(), None);
        first.finish();
        second.finish();
    });
    assert_eq!(one.recorded().tree(), "invoke_agent one\n  host\n    execute_tool in one\n");
    assert_eq!(two.recorded().tree(), "invoke_agent two\n  host\n    execute_tool in two\n");
}

#[test]
fn a_subscriber_that_lives_on_keeps_no_telemetry_alive_and_records_nothing_after_its_end() {
    let kept = Kept::default();
    let telemetry = vigil::from_env("t").environment([]).log_format(LogFormat::Json).log_writer(kept.clone()).start();
    let subscriber = Registry::default().with(interop::layer(&telemetry));
    with_default(subscriber, || {
        telemetry.agent_span("s", "a").finish();
        let open = tracing::info_span!("open");
        drop(telemetry);
        assert!(kept.text().contains("invoke_agent a"), "the last value that is dropped delivers");
        open.in_scope(|| tracing::info_span!("after the end").in_scope(|| tracing::info!("hello")));
    });
    assert!(!kept.text().contains("after the end"));
}

#[test]
fn a_layer_on_telemetry_that_is_off_does_nothing() {
    let telemetry = vigil::from_env("t").environment([("OTEL_SDK_DISABLED".to_owned(), "true".to_owned())]).start();
    let seen = Seen::default();
    with_default(Registry::default().with(interop::layer(&telemetry)).with(seen.clone()), || {
        tracing::debug_span!("host").in_scope(|| telemetry.agent_span("s", "a").finish());
        assert_eq!(vigil::current(), None);
    });
    assert_eq!(seen.all().len(), 2);
}

#[test]
fn beside_a_hosts_own_fmt_subscriber_both_write_and_neither_twice() {
    let (hosts, vigils) = (Kept::default(), Kept::default());
    let telemetry =
        vigil::from_env("t").environment([]).log_format(LogFormat::Pretty).log_writer(vigils.clone()).start();
    let writer = hosts.clone();
    let fmt = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
    with_default(Registry::default().with(fmt).with(interop::layer(&telemetry)), || {
        let agent = telemetry.agent_span("s", "researcher");
        let inside = agent.enter();
        tracing::info!("words of the host");
        drop(inside);
        agent.chat_span(Provider::OPENAI, "m").finish();
        agent.finish();
    });
    let receipt = telemetry.shutdown(Duration::from_secs(5));
    assert!(!receipt.timed_out);
    let (hosts, vigils) = (hosts.text(), vigils.text());
    assert_eq!(hosts.matches("words of the host").count(), 1, "{hosts}");
    assert!(hosts.contains("invoke_agent{otel.name=\"invoke_agent researcher\""), "{hosts}");
    assert_eq!(vigils.matches("chat m").count(), 1, "{vigils}");
    // Beside that there may be a line about its start, if it was under way for long enough.
    assert_eq!(vigils.matches("✓ invoke_agent researcher").count(), 1, "{vigils}");
    assert!(!vigils.contains("words of the host") && !vigils.contains("vigil.host"), "{vigils}");
}

#[test]
fn a_panic_inside_leaves_nothing_current() {
    let telemetry = testing::recorder();
    with_default(joined(&telemetry), || {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let agent = telemetry.agent_span("s", "a");
            let _inside = agent.enter();
            tracing::info_span!("host").in_scope(|| panic!("as planned"));
        }));
        assert!(caught.is_err());
        assert_eq!(vigil::current(), None);
        telemetry.tool_span("next", "c").finish();
    });
    assert_eq!(telemetry.recorded().tree(), "invoke_agent a [cancelled]\n  host\nexecute_tool next\n");
}

use super::*;
use crate::testing;
use std::any::Any;
use std::cell::RefCell;
use std::time::{Duration, SystemTime};
use vigil_core::contract::{EventKind, SpanKind, attr};
use vigil_core::fact::Outcome;
use vigil_core::id::{SpanContext, SpanId, TraceId};
use vigil_core::vocab::{ErrorType, Severity};

fn start<'a>(name: &'a str, parent: Option<CurrentSpan>) -> HostStart<'a> {
    HostStart { name, target: "library", kind: HostKind::Client, parent, time: None }
}

fn context(number: u8) -> SpanContext {
    SpanContext { trace_id: TraceId([number; 16]), span_id: SpanId([number; 8]) }
}

#[test]
fn a_span_of_the_hosts_has_its_last_name_its_kind_its_links_and_its_outcome() {
    let telemetry = testing::recorder();
    let host = telemetry.host();
    let mut span = host.start(&start("GET", None)).unwrap();
    span.set_name("GET /users/{id}");
    span.set_attribute("http.request.method", "GET".into());
    span.set_attribute("vigil.host.name", "not a way to say it".into());
    (1..200).for_each(|number| span.link(context(number)));
    span.end(Some(&ErrorType::TIMEOUT), None);
    let recorded = telemetry.recorded();
    recorded.verify_contract().unwrap();
    let span = recorded.span("GET /users/{id}").unwrap();
    assert_eq!(span.outcome, Outcome::Error(ErrorType::TIMEOUT));
    assert_eq!(span.links, (1..129).map(context).collect::<Vec<_>>());
    assert_eq!(span.attributes.str(attr::VIGIL_HOST_KIND), Some("client"));
    assert_eq!(span.attributes.custom().map(|(name, _)| name).collect::<Vec<_>>(), ["http.request.method"]);
}

#[test]
fn times_the_host_gives_are_those_of_its_spans_and_events() {
    let folder = std::env::temp_dir().join(format!("vigil-host-times-{}", std::process::id()));
    std::fs::remove_dir_all(&folder).ok();
    let telemetry = crate::from_env("test").environment([]).otlp_dir(&folder).start();
    let host = telemetry.host();
    let now = SystemTime::now();
    let before = |seconds| Some(now - Duration::from_secs(seconds));
    let span = host.start(&HostStart { time: before(3), ..start("earlier", None) }).unwrap();
    let event = HostEvent { target: "library", time: before(2), severity: Severity::Info, message: "", fields: &[] };
    span.event(&event);
    span.end(None, before(1));
    assert!(telemetry.shutdown(Duration::from_secs(5)).is_complete());
    let nanos = |name: &str, file: &str| {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let rest = text.split(&format!("\"{name}\":\"")).nth(1).unwrap();
        Duration::from_nanos(rest.split('"').next().unwrap().parse().unwrap())
    };
    for (name, file, seconds) in [
        ("startTimeUnixNano", "traces.jsonl", 3),
        ("timeUnixNano", "logs.jsonl", 2),
        ("endTimeUnixNano", "traces.jsonl", 1),
    ] {
        let wanted = before(seconds).unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert!(nanos(name, file).abs_diff(wanted) < Duration::from_millis(10), "{name}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn content_of_the_hosts_stays_out_unless_asked_for() {
    let tell = |telemetry: &testing::TestTelemetry| {
        let mut span = telemetry.host().start(&start("query", None)).unwrap();
        span.set_content("text", "select s3cret".into());
        span.set_error_message("s3cret is wrong");
        let fields = [("why", "s3cret".into()), ("number", 7_i64.into())];
        span.event(&HostEvent {
            target: "library",
            time: None,
            severity: Severity::Error,
            message: "no s3cret",
            fields: &fields,
        });
        span.end(None, None);
        let recorded = telemetry.recorded();
        recorded.verify_contract().unwrap();
        recorded
    };
    let closed = tell(&testing::recorder());
    assert!(!format!("{closed:?}").contains("s3cret"));
    assert_eq!(closed.events[0].severity, Severity::Error);
    assert_eq!(closed.events[0].attributes.str(attr::VIGIL_HOST_LEVEL), Some("error"));
    let open = tell(&testing::recorder_with_content());
    let (span, event) = (&open.spans[0].attributes, &open.events[0].attributes);
    assert_eq!(span.str(attr::VIGIL_HOST_FIELDS), Some(r#"{"text":"select s3cret"}"#));
    assert_eq!(span.str(attr::EXCEPTION_MESSAGE), Some("s3cret is wrong"));
    assert_eq!(event.str(attr::VIGIL_HOST_MESSAGE), Some("no s3cret"));
    assert_eq!(event.str(attr::VIGIL_HOST_FIELDS), Some(r#"{"number":7,"why":"s3cret"}"#));
}

#[test]
fn a_span_of_the_hosts_that_is_given_up_or_open_at_the_end_is_cancelled() {
    let telemetry = testing::recorder();
    drop(telemetry.host().start(&start("given up", None)));
    let open = telemetry.host().start(&start("open", None)).unwrap();
    telemetry.shutdown(Duration::from_secs(5));
    assert_eq!(telemetry.recorded().tree(), "given up [cancelled]\nopen [cancelled]\n");
    open.end(None, None);
    assert!(telemetry.host().start(&start("late", None)).is_none());
    assert!(!telemetry.host().is_open());
}

thread_local! {
    static CURRENT: RefCell<Vec<CurrentSpan>> = const { RefCell::new(Vec::new()) };
}

/// A host that keeps a stack of its own.
#[derive(Debug)]
struct Stack;

struct Entered;

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(Vec::pop);
    }
}

impl HostContext for Stack {
    fn enter(&self, span: CurrentSpan) -> Box<dyn Any> {
        CURRENT.with_borrow_mut(|current| current.push(span));
        Box::new(Entered)
    }
    fn current(&self) -> Option<CurrentSpan> {
        CURRENT.with_borrow(|current| current.last().copied())
    }
}

#[test]
fn what_is_current_has_one_order_for_the_host_and_for_vigil() {
    static STACK: Stack = Stack;
    let telemetry = testing::recorder();
    telemetry.host().share_context(&STACK);
    let agent = telemetry.agent_span("session", "agent");
    let inside = agent.enter();
    let current = STACK.current().unwrap();
    assert_eq!((current.context, current.sampled, current.remote), (agent.context(), true, false));

    // The host's span is further in, so Vigil's hangs from it; another telemetry value knows nothing of either.
    let library = telemetry.host().start(&start("library", STACK.current())).unwrap();
    let further = STACK.enter(CurrentSpan { context: library.context(), ..current });
    telemetry.tool_span("tool", "call").finish();
    drop(further);
    library.end(None, None);
    telemetry.tool_span("sibling", "call").finish();
    drop(inside);
    agent.finish();
    telemetry.agent_span("session", "root").finish();
    assert_eq!(
        telemetry.recorded().tree(),
        "invoke_agent agent\n  library\n    execute_tool tool\n  execute_tool sibling\ninvoke_agent root\n"
    );
    assert!(STACK.current().is_none());
}

#[test]
fn a_telemetry_value_does_not_hang_spans_from_those_of_another() {
    static STACK: Stack = Stack;
    let (one, other) = (testing::recorder(), testing::start(crate::from_env("other").resource_attribute("a", "b")));
    one.host().share_context(&STACK);
    other.host().share_context(&STACK);
    let agent = one.agent_span("session", "one");
    let _inside = agent.enter();
    other.agent_span("session", "other").finish();
    assert_eq!(other.recorded().spans[0].parent, None);
}

#[test]
fn an_event_without_content_says_who_and_how_serious() {
    let telemetry = testing::recorder();
    let span = telemetry.host().start(&start("span", None)).unwrap();
    let event = HostEvent { target: "library", time: None, severity: Severity::Warn, message: "m", fields: &[] };
    span.event(&event);
    let context = span.context();
    span.end(None, None);
    let recorded = telemetry.recorded();
    let event = &recorded.events[0];
    assert_eq!((event.kind, event.span, event.severity), (EventKind::HostLog, Some(context), Severity::Warn));
    assert_eq!(event.attributes.str(attr::VIGIL_HOST_TARGET), Some("library"));
    assert_eq!(recorded.spans[0].kind, SpanKind::Host);
}

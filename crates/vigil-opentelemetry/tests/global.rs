//! The provider as that of the whole process. A file of its own, since there is one a process.

mod support;

use opentelemetry::trace::{TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};
use support::library;
use vigil_opentelemetry::tracer_provider;

#[test]
fn libraries_that_take_the_processs_provider_record_into_vigil() {
    let telemetry = vigil::testing::recorder();
    // Before: the API's own, which does nothing.
    global::tracer("early").in_span("not recorded", |context| assert!(!context.span().is_recording()));
    global::set_tracer_provider(tracer_provider(&telemetry));
    let agent = telemetry.agent_span("session", "agent");
    let inside = agent.enter();
    library::handle(&global::tracer("library"));
    let boxed = global::tracer("boxed");
    let context = Context::current_with_span(boxed.start("boxed"));
    context.span().set_attribute(KeyValue::new("http.route", "/"));
    context.span().update_name("renamed");
    context.span().end();
    drop(inside);
    agent.finish();
    let recorded = telemetry.recorded();
    recorded.verify_contract().unwrap();
    assert_eq!(recorded.tree(), "invoke_agent agent\n  GET /users/{id}\n    SELECT users [error timeout]\n  renamed\n");
}

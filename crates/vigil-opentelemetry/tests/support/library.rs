//! A library as libraries are: instrumented with OpenTelemetry's API, without a word of Vigil.

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span, SpanKind, Status, TraceContextExt, Tracer};

/// Answers a request: the name is known only after routing, the database does not answer in time.
pub(crate) fn handle<T: Tracer>(tracer: &T)
where
    T::Span: Send + Sync + 'static,
{
    let request = tracer.span_builder("GET").with_kind(SpanKind::Server);
    let request = request.with_attributes([KeyValue::new("http.request.method", "GET")]);
    tracer.in_span_with_builder(request, |context| {
        let span = context.span();
        span.update_name("GET /users/{id}");
        span.set_attribute(KeyValue::new("http.route", "/users/{id}"));
        span.add_event("authorised as jane", vec![KeyValue::new("user", "jane")]);
        query(tracer).ok();
        span.set_attribute(KeyValue::new("http.response.body.size", 512));
    });
}

fn query<T: Tracer>(tracer: &T) -> Result<(), std::io::Error> {
    let query = tracer.span_builder("SELECT users").with_kind(SpanKind::Client);
    let mut span = query
        .with_attributes([
            KeyValue::new("db.system.name", "postgresql"),
            KeyValue::new("db.query.text", "select * from users where name = 'jane'"),
        ])
        .start(tracer);
    let error = std::io::Error::from(std::io::ErrorKind::TimedOut);
    span.record_error(&error);
    span.set_attribute(KeyValue::new("error.type", "timeout"));
    span.set_status(Status::error(error.to_string()));
    Err(error)
}

//! The same spans by Vigil and by the SDK, sent over HTTP, decoded, and laid side by side.
//!
//! Everything the SDK was given must be on Vigil's span too, with the same value and type. What Vigil adds by
//! itself (the originator, the outcome, the cost) is listed.

use crate::contenders::{record_sdk_one_of_each, record_vigil_one_of_each};
use crate::load::sdk_over_http;
use crate::sink::Sink;
use opentelemetry::Context;
use opentelemetry::trace::{TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde::Serialize;
use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;
use vigil::LogFormat;

const SPANS: [&str; 2] = ["capability net.fetch", "chat claude-sonnet-4-5"];
const AGENT: &str = "invoke_agent bench";

/// How one span compares.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Comparison {
    pub(crate) span: &'static str,
    /// Attributes that are the same.
    pub(crate) same: usize,
    /// What is different or missing, in words.
    pub(crate) different: Vec<String>,
    /// Attributes that Vigil adds, with their values.
    pub(crate) added: Vec<String>,
}

/// Sends both and compares.
pub(crate) fn run() -> Result<Vec<Comparison>, Box<dyn Error>> {
    let (ours, theirs) = (decode(&by_vigil()?)?, decode(&by_sdk()?)?);
    SPANS.iter().map(|name| compare(name, &ours, &theirs)).collect()
}

fn by_vigil() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let sink = Sink::start(true)?;
    let builder = vigil::from_env("bench").environment([]).endpoint(sink.endpoint());
    let telemetry = builder.log_format(LogFormat::Off).start();
    let agent = telemetry.agent_span("session", "bench");
    record_vigil_one_of_each(&agent);
    agent.finish();
    let receipt = telemetry.shutdown(Duration::from_secs(10));
    if !receipt.is_complete() {
        return Err(format!("vigil did not deliver: {receipt}").into());
    }
    Ok(sink.take())
}

fn by_sdk() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let sink = Sink::start(true)?;
    let provider = sdk_over_http(&sink.endpoint())?;
    let tracer = provider.tracer("bench");
    let agent = Context::new().with_span(tracer.start(AGENT));
    record_sdk_one_of_each(&tracer, &agent);
    agent.span().end();
    provider.force_flush()?;
    provider.shutdown()?;
    Ok(sink.take())
}

fn decode(bodies: &[Vec<u8>]) -> Result<Vec<Span>, prost::DecodeError> {
    let mut spans = Vec::new();
    for body in bodies {
        let request = ExportTraceServiceRequest::decode(body.as_slice())?;
        let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        spans.extend(scopes.flat_map(|scope| scope.spans));
    }
    Ok(spans)
}

fn find<'s>(spans: &'s [Span], name: &str) -> Result<&'s Span, String> {
    spans.iter().find(|span| span.name == name).ok_or_else(|| format!("no span {name} arrived"))
}

fn compare(name: &'static str, ours: &[Span], theirs: &[Span]) -> Result<Comparison, Box<dyn Error>> {
    let (our, their) = (find(ours, name)?, find(theirs, name)?);
    let (our_attributes, their_attributes) = (attributes(our), attributes(their));
    let mut comparison = Comparison { span: name, same: 0, different: Vec::new(), added: Vec::new() };
    for (key, value) in &their_attributes {
        match our_attributes.get(key) {
            Some(own) if own == value => comparison.same += 1,
            Some(own) => comparison.different.push(format!("{key} is {}, not {}", shown(own), shown(value))),
            None => comparison.different.push(format!("{key} is missing")),
        }
    }
    let added = our_attributes.iter().filter(|(key, _)| !their_attributes.contains_key(*key));
    comparison.added = added.map(|(key, value)| format!("{key} = {}", shown(value))).collect();
    let mut alike = |what: &str, alike: bool| {
        if !alike {
            comparison.different.push(what.to_owned());
        }
    };
    alike("the kind of span", our.kind == their.kind);
    alike("the status", our.status.clone().unwrap_or_default() == their.status.clone().unwrap_or_default());
    for (spans, span, whose) in [(ours, our, "vigil's"), (theirs, their, "the SDK's")] {
        let agent = find(spans, AGENT)?;
        alike(&format!("{whose} parent is not the agent"), span.parent_span_id == agent.span_id);
        alike(&format!("{whose} trace is not the agent's"), span.trace_id == agent.trace_id);
        alike(&format!("{whose} end is before its start"), span.end_time_unix_nano >= span.start_time_unix_nano);
    }
    Ok(comparison)
}

fn attributes(span: &Span) -> BTreeMap<&str, &AnyValue> {
    span.attributes.iter().filter_map(|pair| Some((pair.key.as_str(), pair.value.as_ref()?))).collect()
}

fn shown(value: &AnyValue) -> String {
    match &value.value {
        Some(Value::StringValue(text)) => format!("{text:?}"),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_sdk_sends_vigil_sends_too() {
        let comparisons = run().unwrap();
        let same: Vec<usize> = comparisons.iter().map(|comparison| comparison.same).collect();
        assert_eq!(same, [4, 11], "{comparisons:?}");
        assert!(comparisons.iter().all(|comparison| comparison.different.is_empty()), "{comparisons:?}");
    }

    #[test]
    fn a_difference_is_told() {
        let (ours, mut theirs) = (decode(&by_vigil().unwrap()).unwrap(), decode(&by_sdk().unwrap()).unwrap());
        for span in &mut theirs {
            for pair in &mut span.attributes {
                if pair.key == crate::workload::name::BYTES_IN {
                    pair.value = Some(AnyValue { value: Some(Value::IntValue(513)) });
                }
                if pair.key == crate::workload::name::CAP_NAME {
                    pair.key = "other".to_owned();
                }
            }
        }
        let comparison = compare(SPANS[0], &ours, &theirs).unwrap();
        assert_eq!(comparison.different, ["bytes_in is 512, not 513", "other is missing"]);
        assert_eq!(comparison.same, 2);
    }
}

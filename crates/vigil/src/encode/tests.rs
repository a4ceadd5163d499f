//! What is written is read back by the OpenTelemetry project's own generated types, field by field.

use super::json::{NotOtlp, to_json_line};
use super::*;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogsData;
use opentelemetry_proto::tonic::metrics::v1::{MetricsData, metric, number_data_point};
use opentelemetry_proto::tonic::trace::v1::{Span, TracesData};
use prost::Message as _;
use vigil_core::contract::{EventKind, Metric, SCHEMA_URL, SpanKind, attr};
use vigil_core::fact::{Attributes, EventRecord, Outcome, SpanRecord, UnixNanos, Value};
use vigil_core::id::{SpanContext, SpanId, TraceId};
use vigil_core::vocab::{ErrorType, Severity};

fn resource() -> Resource {
    Resource::new([("service.name", &Value::from("tested")), ("process.pid", &Value::from(7u64))])
}

fn context(name: &str) -> SpanContext {
    SpanContext { trace_id: TraceId::derived(&["run"]), span_id: SpanId::derived(&[name]) }
}

/// A span with one attribute of every type, a text of every kind of character among them.
fn chat() -> SpanRecord {
    let mut attributes = Attributes::new();
    attributes.set(attr::GEN_AI_PROVIDER_NAME, "gcp.gemini");
    attributes.set(attr::GEN_AI_REQUEST_MODEL, "model \"π\"\n\t\u{1}\\/\u{2028}🦀");
    attributes.set(attr::GEN_AI_USAGE_INPUT_TOKENS, i64::MAX);
    attributes.set(attr::GEN_AI_USAGE_OUTPUT_TOKENS, -1i64);
    attributes.set(attr::GEN_AI_REQUEST_TEMPERATURE, 0.1);
    attributes.set(attr::GEN_AI_REQUEST_TOP_P, f64::NEG_INFINITY);
    attributes.set(attr::GEN_AI_REQUEST_STREAM, false);
    attributes.set(attr::GEN_AI_RESPONSE_FINISH_REASONS, vec![std::borrow::Cow::Borrowed("stop"), "".into()]);
    attributes.set(attr::VIGIL_USAGE_MODELS_INPUT_TOKENS, vec![0i64, 300]);
    SpanRecord {
        context: context("chat"),
        parent: Some(SpanId::derived(&["agent"])),
        kind: SpanKind::Chat,
        target: "model".into(),
        start: UnixNanos(1_700_000_000_000_000_000),
        end: UnixNanos(1_700_000_001_000_000_000),
        outcome: Outcome::Ok,
        attributes,
        links: vec![context("elsewhere")],
    }
}

fn numbered(number: usize) -> SpanRecord {
    let mut span = chat();
    span.context = context(&number.to_string());
    span.attributes.set(attr::GEN_AI_RESPONSE_ID, "x".repeat(number * number % 700));
    span
}

fn event() -> EventRecord {
    let mut attributes = Attributes::new();
    attributes.set(attr::LIFE_MODE_FROM, "explore");
    attributes.set(attr::LIFE_MODE_TO, "execute");
    EventRecord {
        kind: EventKind::ModeTransition,
        span: Some(context("chat")),
        time: UnixNanos(5),
        severity: Severity::Warn,
        attributes,
    }
}

fn series(metric: Metric, value: PointValue) -> MetricSeries {
    let attributes = vec![(attr::GEN_AI_OPERATION_NAME, Value::from("chat"))];
    MetricSeries { metric, attributes, start: UnixNanos(1), time: UnixNanos(2), value }
}

fn histogram() -> MetricSeries {
    let mut buckets = vec![0; 15];
    buckets[3] = 2;
    buckets[14] = 1;
    let value = HistogramValue { count: 3, sum: 100.5, min: Some(0.05), max: Some(100.0), buckets };
    series(Metric::OperationDuration, PointValue::Histogram(value))
}

fn traces(spans: impl IntoIterator<Item = SpanRecord>, options: EncodeOptions) -> Batch {
    let mut builder = BatchBuilder::new(Signal::Traces, resource(), options);
    spans.into_iter().for_each(|span| builder.push_span(&span).unwrap());
    builder.take().unwrap()
}

fn spans_of(batch: &Batch) -> Vec<Span> {
    let data = TracesData::decode(batch.body().clone()).unwrap();
    assert_eq!((data.resource_spans.len(), data.resource_spans[0].scope_spans.len()), (1, 1));
    data.resource_spans[0].scope_spans[0].spans.clone()
}

fn value_of(attributes: &[KeyValue], key: &str) -> Option<any_value::Value> {
    let mut found = attributes.iter().filter(|attribute| attribute.key == key);
    let value = found.next()?.value.clone()?.value;
    assert_eq!(found.count(), 0, "{key} is there twice");
    value
}

fn text(value: &str) -> Option<any_value::Value> {
    Some(any_value::Value::StringValue(value.to_owned()))
}

#[test]
fn a_span_is_read_back_field_by_field() {
    let record = chat();
    let batch = traces([record.clone()], EncodeOptions::default());
    let data = TracesData::decode(batch.body().clone()).unwrap();
    let of_resource = &data.resource_spans[0];
    assert_eq!(of_resource.schema_url, SCHEMA_URL);
    let resource = of_resource.resource.as_ref().unwrap();
    assert_eq!(value_of(&resource.attributes, "service.name"), text("tested"));
    assert_eq!(value_of(&resource.attributes, "process.pid"), Some(any_value::Value::IntValue(7)));
    let of_scope = &of_resource.scope_spans[0];
    assert_eq!(of_scope.schema_url, SCHEMA_URL);
    let scope = of_scope.scope.as_ref().unwrap();
    assert_eq!((scope.name.as_str(), scope.version.as_str()), ("vigil", env!("CARGO_PKG_VERSION")));

    let span = &of_scope.spans[0];
    assert_eq!(span.trace_id, record.context.trace_id.0);
    assert_eq!(span.span_id, record.context.span_id.0);
    assert_eq!(span.parent_span_id, record.parent.unwrap().0);
    assert_eq!(span.name, record.name());
    assert_eq!(span.kind, 3);
    assert_eq!(span.start_time_unix_nano, record.start.0);
    assert_eq!(span.end_time_unix_nano, record.end.0);
    assert_eq!(span.flags, 1);
    assert_eq!(span.status, None);
    assert_eq!((span.links.len(), &span.links[0].span_id[..]), (1, &context("elsewhere").span_id.0[..]));
    assert_eq!(span.links[0].trace_id, record.context.trace_id.0);
    assert_eq!(span.attributes.len(), record.attributes.len());
    let value = |key| value_of(&span.attributes, key);
    assert_eq!(value("gen_ai.request.model"), text("model \"π\"\n\t\u{1}\\/\u{2028}🦀"));
    assert_eq!(value("gen_ai.usage.input_tokens"), Some(any_value::Value::IntValue(i64::MAX)));
    assert_eq!(value("gen_ai.usage.output_tokens"), Some(any_value::Value::IntValue(-1)));
    assert_eq!(value("gen_ai.request.temperature"), Some(any_value::Value::DoubleValue(0.1)));
    assert_eq!(value("gen_ai.request.stream"), Some(any_value::Value::BoolValue(false)));
    let list = |values: Vec<any_value::Value>| {
        let values = values.into_iter().map(|value| AnyValue { value: Some(value) }).collect();
        Some(any_value::Value::ArrayValue(opentelemetry_proto::tonic::common::v1::ArrayValue { values }))
    };
    assert_eq!(value("gen_ai.response.finish_reasons"), list(vec![text("stop").unwrap(), text("").unwrap()]));
    let numbers = vec![any_value::Value::IntValue(0), any_value::Value::IntValue(300)];
    assert_eq!(value("vigil.usage.models.input_tokens"), list(numbers));
}

#[test]
fn the_bytes_are_the_ones_the_reference_encoder_writes() {
    let batch = traces((0..40).map(numbered), EncodeOptions::default());
    let reference = TracesData::decode(batch.body().clone()).unwrap().encoded_len();
    assert_eq!(batch.body().len(), reference, "no byte more than needed");
}

#[test]
fn attributes_of_the_users_own_are_written_after_the_contracts() {
    let mut span = chat();
    span.attributes.set_custom("acme.tier", "gold");
    span.attributes.set_custom("acme.share", 0.5);
    let batch = traces([span], EncodeOptions::default());
    let written = &spans_of(&batch)[0].attributes;
    assert_eq!(value_of(written, "acme.tier"), text("gold"));
    assert_eq!(value_of(written, "acme.share"), Some(any_value::Value::DoubleValue(0.5)));
    assert_eq!(written.last().map(|attribute| attribute.key.as_str()), Some("acme.share"));
}

#[test]
fn an_attribute_of_any_length_reads_back() {
    for len in [0, 1, 70, 90, 100, 126, 127, 128, 129, 300, 20_000] {
        let mut span = chat();
        span.attributes.set(attr::GEN_AI_RESPONSE_ID, "x".repeat(len));
        span.attributes.set(attr::GEN_AI_USAGE_INPUT_TOKENS, i64::MIN + len as i64);
        let batch = traces([span], EncodeOptions::default());
        let written = &spans_of(&batch)[0].attributes;
        assert_eq!(value_of(written, "gen_ai.response.id"), text(&"x".repeat(len)), "{len}");
        let tokens = value_of(written, "gen_ai.usage.input_tokens");
        assert_eq!(tokens, Some(any_value::Value::IntValue(i64::MIN + len as i64)), "{len}");
    }
}

#[test]
fn outcomes_become_status_and_attributes() {
    let error = SpanRecord { outcome: Outcome::Error(ErrorType::RATE_LIMIT), ..chat() };
    let mut told = error.clone();
    told.attributes.set(attr::ERROR_TYPE, "429");
    let cancelled = SpanRecord { outcome: Outcome::Cancelled, parent: None, ..chat() };
    let spans = spans_of(&traces([error, told, cancelled], EncodeOptions::default()));
    assert_eq!(spans[0].status.as_ref().map(|status| (status.code, status.message.as_str())), Some((2, "")));
    assert_eq!(value_of(&spans[0].attributes, "error.type"), text("rate_limit"));
    assert_eq!(value_of(&spans[1].attributes, "error.type"), text("429"));
    assert_eq!(spans[2].status, None);
    assert!(spans[2].parent_span_id.is_empty());
    assert_eq!(value_of(&spans[2].attributes, "vigil.outcome"), text("cancelled"));
    assert_eq!(value_of(&spans[2].attributes, "error.type"), None);
}

#[test]
fn a_span_never_ends_before_it_started() {
    let span = SpanRecord { end: UnixNanos(0), ..chat() };
    let spans = spans_of(&traces([span], EncodeOptions::default()));
    assert_eq!(spans[0].end_time_unix_nano, spans[0].start_time_unix_nano);
}

#[test]
fn compat_adds_the_attribute_older_backends_read_and_nothing_else_does() {
    let compat = EncodeOptions { compat: true, ..EncodeOptions::default() };
    let of = |options| value_of(&spans_of(&traces([chat()], options))[0].attributes, "gen_ai.system");
    assert_eq!(of(compat), text("gemini"));
    assert_eq!(of(EncodeOptions::default()), None);
}

#[test]
fn limits_cut_texts_and_count_the_attributes_left_out() {
    let limits = AttributeLimits { count: Some(2), value_chars: Some(7) };
    let options = EncodeOptions { span_limits: limits, event_limits: limits, ..EncodeOptions::default() };
    let span = &spans_of(&traces([chat()], options))[0];
    assert_eq!(span.attributes.len(), 2);
    assert_eq!(span.dropped_attributes_count as usize, chat().attributes.len() - 2);
    assert_eq!(value_of(&span.attributes, "gen_ai.request.model"), text("model \""));
}

#[test]
fn an_event_is_a_log_record_with_a_name_and_no_body() {
    let mut builder = BatchBuilder::new(Signal::Logs, resource(), EncodeOptions::default());
    builder.push_event(&event()).unwrap();
    builder.push_event(&EventRecord { span: None, ..event() }).unwrap();
    let batch = builder.take().unwrap();
    assert_eq!((batch.signal(), batch.records()), (Signal::Logs, 2));
    let data = LogsData::decode(batch.body().clone()).unwrap();
    let records = &data.resource_logs[0].scope_logs[0].log_records;
    let record = &records[0];
    assert_eq!(record.event_name, "vigil.mode.transition");
    assert_eq!((record.severity_number, record.severity_text.as_str()), (13, ""));
    assert_eq!((record.time_unix_nano, record.observed_time_unix_nano), (5, 5));
    assert_eq!(record.body, None);
    assert_eq!(record.trace_id, context("chat").trace_id.0);
    assert_eq!(record.span_id, context("chat").span_id.0);
    assert_eq!(record.flags, 1);
    assert_eq!(value_of(&record.attributes, "life.mode.to"), text("execute"));
    assert!(records[1].trace_id.is_empty() && records[1].span_id.is_empty() && records[1].flags == 0);
}

#[test]
fn metrics_are_read_back_and_neighbours_share_a_message() {
    let all = [
        series(Metric::InferenceInputTokens, PointValue::Int(5)),
        series(Metric::InferenceInputTokens, PointValue::Int(-6)),
        series(Metric::BudgetCostRemaining, PointValue::Double(0.25)),
        histogram(),
    ];
    for (temporality, number) in [(Temporality::Cumulative, 2), (Temporality::Delta, 1)] {
        let mut builder = BatchBuilder::new(Signal::Metrics, resource(), EncodeOptions::default());
        builder.push_metrics(&all, temporality).unwrap();
        assert_eq!(builder.records(), 4);
        let batch = builder.take().unwrap();
        assert_eq!(batch.records(), 4);
        let request = ExportMetricsServiceRequest::decode(batch.body().clone()).unwrap();
        let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
        assert_eq!(metrics.len(), 3);
        let def = Metric::InferenceInputTokens.def();
        assert_eq!(
            (&*metrics[0].name, &*metrics[0].unit, &*metrics[0].description),
            (def.name, def.unit, def.doc.trim())
        );
        let Some(metric::Data::Sum(sum)) = &metrics[0].data else { panic!("{:?}", metrics[0]) };
        assert_eq!((sum.aggregation_temporality, sum.is_monotonic, sum.data_points.len()), (number, true, 2));
        let point = &sum.data_points[1];
        assert_eq!(point.value, Some(number_data_point::Value::AsInt(-6)));
        assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (1, 2));
        assert_eq!(value_of(&point.attributes, "gen_ai.operation.name"), text("chat"));
        let Some(metric::Data::Gauge(gauge)) = &metrics[1].data else { panic!("{:?}", metrics[1]) };
        assert_eq!(gauge.data_points[0].value, Some(number_data_point::Value::AsDouble(0.25)));
        let Some(metric::Data::Histogram(histogram)) = &metrics[2].data else { panic!("{:?}", metrics[2]) };
        assert_eq!(histogram.aggregation_temporality, number);
        let point = &histogram.data_points[0];
        assert_eq!((point.count, point.sum, point.min, point.max), (3, Some(100.5), Some(0.05), Some(100.0)));
        assert_eq!((point.bucket_counts.len(), point.bucket_counts[3], point.bucket_counts[14]), (15, 2, 1));
        assert_eq!((point.explicit_bounds[0], point.explicit_bounds[13]), (0.01, 81.92));
    }
}

#[test]
fn a_histogram_whose_buckets_do_not_match_keeps_count_and_sum() {
    let mut one = histogram();
    let PointValue::Histogram(value) = &mut one.value else { unreachable!() };
    value.buckets.pop();
    let mut builder = BatchBuilder::new(Signal::Metrics, resource(), EncodeOptions::default());
    builder.push_metrics(&[one], Temporality::Cumulative).unwrap();
    let data = MetricsData::decode(builder.take().unwrap().body().clone()).unwrap();
    let Some(metric::Data::Histogram(histogram)) = &data.resource_metrics[0].scope_metrics[0].metrics[0].data else {
        panic!("{data:?}")
    };
    let point = &histogram.data_points[0];
    assert_eq!((point.count, point.bucket_counts.len(), point.explicit_bounds.len()), (3, 0, 0));
}

#[test]
fn an_empty_builder_has_no_batch_and_a_used_one_starts_afresh() {
    let mut builder = BatchBuilder::new(Signal::Traces, resource(), EncodeOptions::default());
    assert!(builder.take().is_none());
    builder.push_span(&chat()).unwrap();
    assert!(builder.len_bytes() >= builder.take().unwrap().body().len());
    assert!(builder.is_empty() && builder.take().is_none());
    builder.push_span(&chat()).unwrap();
    assert_eq!(spans_of(&builder.take().unwrap()).len(), 1);
}

#[test]
fn a_record_beyond_all_measure_is_handed_back_and_the_others_stay() {
    let mut builder = BatchBuilder::new(Signal::Traces, resource(), EncodeOptions::default());
    builder.push_span(&chat()).unwrap();
    let mut huge = chat();
    huge.attributes.set(attr::GEN_AI_RESPONSE_ID, "x".repeat(MAX_RECORD_BYTES));
    let error = builder.push_span(&huge).unwrap_err();
    assert_eq!(error.records, 1);
    assert!(error.bytes > MAX_RECORD_BYTES);
    builder.push_span(&chat()).unwrap();
    assert_eq!(spans_of(&builder.take().unwrap()).len(), 2);
}

#[test]
fn halves_of_halves_have_every_span_once_and_in_order() {
    for count in [1, 2, 3, 7, 64, 101] {
        let whole = traces((0..count).map(numbered), EncodeOptions::default());
        let mut waiting = vec![whole.clone()];
        let mut spans = Vec::new();
        while let Some(batch) = waiting.pop() {
            let records = batch.records();
            match batch.split() {
                Ok((left, right)) => {
                    assert_eq!(left.records() + right.records(), records);
                    assert!(left.records() > 0 && right.records() > 0);
                    waiting.extend([right, left]);
                }
                Err(single) => {
                    assert_eq!(single.records(), 1);
                    spans.extend(spans_of(&single));
                }
            }
        }
        assert_eq!(spans, spans_of(&whole));
    }
}

#[test]
fn a_split_halves_the_bytes_rather_than_the_records() {
    let mut heavy = chat();
    heavy.attributes.set(attr::GEN_AI_RESPONSE_ID, "x".repeat(100_000));
    let light = std::iter::repeat_with(chat).take(20);
    let batch = traces(std::iter::once(heavy).chain(light), EncodeOptions::default());
    let (left, right) = batch.split().unwrap();
    assert_eq!((left.records(), right.records()), (1, 20));
}

#[test]
fn metrics_split_between_messages_and_count_points() {
    let many: Vec<_> = (0..1000).map(|number| series(Metric::InferenceInputTokens, PointValue::Int(number))).collect();
    let mut builder = BatchBuilder::new(Signal::Metrics, resource(), EncodeOptions::default());
    builder.push_metrics(&many, Temporality::Cumulative).unwrap();
    let (left, right) = builder.take().unwrap().split().unwrap();
    assert_eq!(left.records() + right.records(), 1000);
    let points = |batch: &Batch| -> usize {
        let data = MetricsData::decode(batch.body().clone()).unwrap();
        let metrics = &data.resource_metrics[0].scope_metrics[0].metrics;
        let points = metrics.iter().map(|metric| match &metric.data {
            Some(metric::Data::Sum(sum)) => sum.data_points.len(),
            _ => panic!("{metric:?}"),
        });
        points.sum()
    };
    assert_eq!((points(&left), points(&right)), (left.records() as usize, right.records() as usize));
}

// === JSON ===

fn line(batch: &Batch) -> String {
    let mut out = Vec::new();
    to_json_line(batch.signal(), batch.body(), &mut out).unwrap();
    assert_eq!(out.pop(), Some(b'\n'));
    assert!(!out.contains(&b'\n'));
    String::from_utf8(out).unwrap()
}

#[test]
fn json_reads_back_as_what_the_protobuf_holds() {
    let mut odd = numbered(3);
    odd.outcome = Outcome::Error(ErrorType::OTHER);
    let mut plain = chat();
    // The reference cannot read infinities back; the test below has them.
    for span in [&mut odd, &mut plain] {
        span.attributes.retain_mut(|key, _| key != attr::GEN_AI_REQUEST_TOP_P);
    }
    let batch = traces([plain, odd], EncodeOptions::default());
    let read: TracesData = serde_json::from_str(&line(&batch)).unwrap();
    assert_eq!(read, TracesData::decode(batch.body().clone()).unwrap());

    let mut builder = BatchBuilder::new(Signal::Logs, resource(), EncodeOptions::default());
    builder.push_event(&event()).unwrap();
    let batch = builder.take().unwrap();
    let read: LogsData = serde_json::from_str(&line(&batch)).unwrap();
    assert_eq!(read, LogsData::decode(batch.body().clone()).unwrap());

    let mut builder = BatchBuilder::new(Signal::Metrics, resource(), EncodeOptions::default());
    let all = [series(Metric::InferenceInputTokens, PointValue::Int(-5)), histogram()];
    builder.push_metrics(&all, Temporality::Delta).unwrap();
    let batch = builder.take().unwrap();
    let read: MetricsData = serde_json::from_str(&line(&batch)).unwrap();
    assert_eq!(read, MetricsData::decode(batch.body().clone()).unwrap());
}

#[test]
fn json_is_written_as_the_specification_says() {
    let json: serde_json::Value = serde_json::from_str(&line(&traces([chat()], EncodeOptions::default()))).unwrap();
    let span = &json["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!(span["traceId"], chat().context.trace_id.to_string());
    assert_eq!(span["spanId"], chat().context.span_id.to_string());
    assert_eq!(span["parentSpanId"], chat().parent.unwrap().to_string());
    assert_eq!(span["kind"], 3);
    assert_eq!(span["startTimeUnixNano"], "1700000000000000000");
    let value = |key: &str| {
        let attributes = span["attributes"].as_array().unwrap();
        attributes.iter().find(|attribute| attribute["key"] == key).unwrap()["value"].clone()
    };
    assert_eq!(value("gen_ai.usage.input_tokens")["intValue"], "9223372036854775807");
    assert_eq!(value("gen_ai.usage.output_tokens")["intValue"], "-1");
    assert_eq!(value("gen_ai.request.temperature")["doubleValue"], 0.1);
    assert_eq!(value("gen_ai.request.top_p")["doubleValue"], "-Infinity");
    assert_eq!(value("gen_ai.request.stream")["boolValue"], false);
    assert_eq!(value("gen_ai.response.finish_reasons")["arrayValue"]["values"][1]["stringValue"], "");
}

#[test]
fn json_has_what_the_reference_writes_apart_from_defaults() {
    let batch = traces([numbered(1), numbered(2)], EncodeOptions::default());
    let ours: serde_json::Value = serde_json::from_str(&line(&batch)).unwrap();
    let theirs = serde_json::to_value(TracesData::decode(batch.body().clone()).unwrap()).unwrap();
    contains(&theirs, &ours, "");
}

/// Everything in `ours` is in `theirs`, and what `theirs` has besides are defaults.
fn contains(theirs: &serde_json::Value, ours: &serde_json::Value, path: &str) {
    use serde_json::Value::{Array, Object};
    match (theirs, ours) {
        (Object(theirs), Object(ours)) => {
            for (key, value) in theirs {
                match ours.get(key) {
                    Some(own) => contains(value, own, &format!("{path}/{key}")),
                    None => {
                        let default = [serde_json::json!(0), serde_json::json!(""), serde_json::json!([])];
                        let is_default = default.contains(value) || value.is_null() || *value == serde_json::json!({});
                        assert!(is_default, "{path}/{key} = {value}");
                    }
                }
            }
            for key in ours.keys() {
                assert!(theirs.contains_key(key), "{path}/{key} is not theirs");
            }
        }
        (Array(theirs), Array(ours)) => {
            assert_eq!(theirs.len(), ours.len(), "{path}");
            theirs.iter().zip(ours).for_each(|(theirs, ours)| contains(theirs, ours, path));
        }
        // The reference does not write infinities as the specification says.
        (serde_json::Value::Null, ours) => assert_eq!(ours, "-Infinity", "{path}"),
        _ => assert_eq!(theirs, ours, "{path}"),
    }
}

#[test]
fn bytes_that_are_not_otlp_give_an_error_and_leave_the_output_alone() {
    let batch = traces([chat()], EncodeOptions::default());
    let body = batch.body();
    for end in 0..body.len() {
        let mut out = b"before".to_vec();
        if to_json_line(Signal::Traces, &body[..end], &mut out).is_err() {
            assert_eq!(out, b"before");
        }
    }
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    for _ in 0..20_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let mut damaged = body.to_vec();
        let at = state as usize % damaged.len();
        damaged[at] = (state >> 32) as u8;
        for signal in Signal::ALL {
            let mut out = Vec::new();
            if to_json_line(signal, &damaged, &mut out).is_ok() {
                serde_json::from_slice::<serde_json::Value>(&out).unwrap();
            }
        }
    }
    let mut deep = Vec::new();
    for _ in 0..200 {
        let mut outer = Vec::new();
        proto::message(&mut outer, 5, |out| proto::bytes(out, 1, &deep));
        deep = outer;
    }
    let mut body = Vec::new();
    let field = |out: &mut Vec<u8>, inner: &[u8]| proto::bytes(out, 2, inner);
    let mut key_value = Vec::new();
    field(&mut key_value, &deep);
    let mut resource = Vec::new();
    proto::bytes(&mut resource, 1, &key_value);
    let mut spans = Vec::new();
    proto::bytes(&mut spans, 1, &resource);
    proto::bytes(&mut body, 1, &spans);
    assert_eq!(to_json_line(Signal::Traces, &body, &mut Vec::new()), Err(NotOtlp));
}

//! Delivery over real sockets: what a collector can do to us, and what the receipt says then.

mod grpc;
mod local;
mod server;
mod shutdown;
mod spool;
mod wire;

use super::*;
use crate::encode::{Batch, BatchBuilder, EncodeOptions, Resource, Signal};
use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message as _;
use server::{HttpServer, OK, Reply, status};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use vigil_core::contract::{EventKind, SpanKind, attr};
use vigil_core::fact::{Attributes, EventRecord, Outcome, SpanRecord, UnixNanos};
use vigil_core::id::{SpanContext, SpanId, TraceId};
use vigil_core::vocab::Severity;

const LONG: Duration = Duration::from_secs(10);

fn span(name: &str, padding: usize) -> SpanRecord {
    let mut attributes = Attributes::new();
    attributes.set(attr::GEN_AI_RESPONSE_ID, "x".repeat(padding));
    SpanRecord {
        context: SpanContext { trace_id: TraceId::derived(&["run"]), span_id: SpanId::derived(&[name]) },
        parent: None,
        kind: SpanKind::Chat,
        target: name.to_owned().into(),
        start: UnixNanos(1),
        end: UnixNanos(2),
        outcome: Outcome::Ok,
        attributes,
        links: vec![],
    }
}

/// A batch of `count` spans with about `padding` bytes each.
fn spans(count: u32, padding: usize) -> Batch {
    let resource = Resource::new([]);
    let mut builder = BatchBuilder::new(Signal::Traces, resource, EncodeOptions::default());
    (0..count).for_each(|number| builder.push_span(&span(&number.to_string(), padding)).unwrap());
    builder.take().unwrap()
}

/// A batch of one event.
pub(super) fn event() -> Batch {
    let mut builder = BatchBuilder::new(Signal::Logs, Resource::new([]), EncodeOptions::default());
    let (kind, severity) = (EventKind::ModeTransition, Severity::Info);
    let event = EventRecord { kind, span: None, time: UnixNanos(1), severity, attributes: Attributes::new() };
    builder.push_event(&event).unwrap();
    builder.take().unwrap()
}

/// How many spans there are in requests, and how many different ones.
fn spans_in<'a>(bodies: impl IntoIterator<Item = &'a [u8]>) -> (usize, usize) {
    let mut ids: Vec<Vec<u8>> = Vec::new();
    for body in bodies {
        let data = TracesData::decode(body).unwrap();
        ids.extend(data.resource_spans[0].scope_spans[0].spans.iter().map(|span| span.span_id.clone()));
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    (count, ids.len())
}

/// What was told, as text.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn diagnostics(&self) -> Diagnostics {
        let told = self.clone();
        Arc::new(move |diagnostic| told.0.lock().unwrap().push(diagnostic.to_string()))
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

fn quiet() -> Diagnostics {
    Arc::new(|_| {})
}

fn http(url: &str) -> SignalConfig {
    SignalConfig::new(Protocol::HttpProtobuf, Endpoint::http_base(url, Signal::Traces).unwrap())
}

/// A destination that takes spans only.
fn traces_only(config: SignalConfig) -> DestinationConfig {
    DestinationConfig::new(
        "backend",
        Target::Otlp(Box::new(OtlpConfig { traces: Some(config), ..OtlpConfig::default() })),
    )
}

fn start(config: SignalConfig) -> (Delivery, Told) {
    let told = Told::default();
    (Delivery::start(vec![traces_only(config)], told.diagnostics()), told)
}

/// Stops and hands back the receipt of the spans of the only destination, having checked that it adds up.
fn finish(delivery: &Delivery, within: Duration) -> SignalReceipt {
    let receipts = delivery.shutdown(within);
    for receipt in &receipts {
        for signal in Signal::ALL {
            let of_signal = receipt.receipt.signal(signal);
            let accounted = of_signal.delivered + of_signal.spooled + of_signal.lost.total();
            assert_eq!(of_signal.recorded, accounted, "{receipt}");
        }
    }
    receipts[0].receipt.traces
}

fn counts(receipt: &SignalReceipt) -> (u64, u64, Vec<(LossReason, u64)>) {
    (receipt.recorded, receipt.delivered, receipt.lost.iter().collect())
}

#[test]
fn a_batch_arrives_as_it_was_encoded_with_the_headers_that_were_set() {
    let server = HttpServer::start(vec![], OK);
    let mut config = http(&server.url().replace("http://", "http://user:pass@"));
    config.headers.set("x-tenant", "blue").unwrap();
    let (delivery, told) = start(config);
    let batch = spans(3, 10);
    delivery.offer(batch.clone());
    assert!(delivery.flush(LONG));
    delivery.offer(spans(2, 10));
    let receipt = finish(&delivery, LONG);
    assert_eq!(counts(&receipt), (5, 5, vec![]));
    assert_eq!(receipt.retries, 0);
    let received = server.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].path, "/v1/traces");
    assert_eq!(received[0].body, batch.body()[..]);
    let header = |name| received[0].headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header("content-type"), Some("application/x-protobuf"));
    assert_eq!(header("user-agent"), Some(concat!("Vigil/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(header("x-tenant"), Some("blue"));
    assert_eq!(header("authorization"), Some("Basic dXNlcjpwYXNz"));
    assert_eq!(header("content-encoding"), None);
    assert_eq!(told.lines(), Vec::<String>::new());
}

#[test]
fn gzip_bodies_decode_to_what_was_encoded() {
    let server = HttpServer::start(vec![], OK);
    let config = SignalConfig { compression: Compression::Gzip, ..http(&server.url()) };
    let (delivery, _) = start(config);
    let batch = spans(50, 100);
    delivery.offer(batch.clone());
    assert_eq!(finish(&delivery, LONG).delivered, 50);
    let received = &server.received()[0];
    assert_eq!(received.headers["content-encoding"], "gzip");
    assert!(received.body.len() < batch.body().len() / 2);
    let mut decoded = Vec::new();
    std::io::copy(&mut flate2::read::GzDecoder::new(&received.body[..]), &mut decoded).unwrap();
    assert_eq!(decoded, batch.body()[..]);
}

#[test]
fn a_busy_collector_is_asked_again_until_it_takes_the_batch() {
    let server = HttpServer::start(vec![status(503), status(502), status(504)], OK);
    let (delivery, told) = start(http(&server.url()));
    delivery.offer(spans(3, 10));
    let receipt = finish(&delivery, LONG);
    assert_eq!((counts(&receipt), receipt.retries), ((3, 3, vec![]), 3));
    assert_eq!(server.received().len(), 4);
    let told = told.lines();
    assert_eq!(told[0], "traces cannot be delivered to backend, retrying: it answered HTTP 502");
    assert!(told[1].starts_with("backend takes telemetry again after "), "{told:?}");
    assert_eq!(told.len(), 2, "{told:?}");
}

#[test]
fn retry_after_is_waited_out_even_when_somebody_flushes() {
    let server = HttpServer::start(vec![Reply::Status(429, vec![("retry-after", "1")], vec![])], OK);
    let (delivery, told) = start(http(&server.url()));
    delivery.offer(spans(1, 10));
    assert!(!delivery.flush(Duration::from_millis(200)));
    assert!(delivery.flush(LONG));
    let received = server.received();
    assert_eq!(received.len(), 2);
    assert!(received[1].at - received[0].at >= Duration::from_secs(1));
    assert_eq!(finish(&delivery, LONG).retries, 1);
    assert_eq!(told.lines(), ["backend throttles (rate_limit, 1 answers)"]);
}

#[test]
fn what_is_refused_for_good_is_lost_once_and_the_next_batch_goes_on() {
    let server = HttpServer::start(vec![status(400), OK, status(401), status(500)], OK);
    let (delivery, told) = start(http(&server.url()));
    for count in [1, 2, 4, 8, 16] {
        delivery.offer(spans(count, 10));
        delivery.flush(LONG);
    }
    assert_eq!(server.received().len(), 5);
    let receipt = finish(&delivery, LONG);
    let lost = vec![(LossReason::Rejected, 9), (LossReason::Unauthorized, 4)];
    assert_eq!(counts(&receipt), (31, 18, lost));
    assert_eq!(receipt.retries, 0);
    assert_eq!(
        told.lines(),
        [
            "1 records of traces for backend are lost (rejected): it answered HTTP 400",
            "4 records of traces for backend are lost (unauthorized): it answered HTTP 401",
        ]
    );
}

#[test]
fn flush_is_true_only_when_everything_arrived() {
    let server = HttpServer::start(vec![status(400)], OK);
    let (delivery, _) = start(http(&server.url()));
    assert!(delivery.flush(LONG), "nothing to do");
    delivery.offer(spans(1, 10));
    assert!(!delivery.flush(LONG), "lost");
    delivery.offer(spans(1, 10));
    assert!(delivery.flush(LONG), "what was lost before does not count");
}

#[test]
fn a_request_that_is_too_large_is_split_until_it_fits() {
    let server = HttpServer::start(vec![], Reply::Limit(3000));
    let (delivery, told) = start(http(&server.url()));
    delivery.offer(spans(16, 500));
    assert_eq!(counts(&finish(&delivery, LONG)), (16, 16, vec![]));
    let taken: Vec<_> = server.received().into_iter().filter(|received| received.body.len() <= 3000).collect();
    assert_eq!(spans_in(taken.iter().map(|received| &received.body[..])), (16, 16));
    assert_eq!(told.lines(), Vec::<String>::new());
}

#[test]
fn a_single_record_that_is_too_large_is_lost_and_its_neighbours_are_not() {
    let server = HttpServer::start(vec![], Reply::Limit(3000));
    let (delivery, _) = start(http(&server.url()));
    let mut builder = BatchBuilder::new(Signal::Traces, Resource::new([]), EncodeOptions::default());
    for (name, padding) in [("a", 10), ("b", 5000), ("c", 10)] {
        builder.push_span(&span(name, padding)).unwrap();
    }
    delivery.offer(builder.take().unwrap());
    assert_eq!(counts(&finish(&delivery, LONG)), (3, 2, vec![(LossReason::TooLarge, 1)]));
}

#[test]
fn no_request_is_larger_than_the_setting_allows() {
    let server = HttpServer::start(vec![], OK);
    let (delivery, told) = start(SignalConfig { max_request_bytes: 2000, ..http(&server.url()) });
    delivery.offer(spans(16, 500));
    delivery.offer(spans(1, 5000));
    assert_eq!(counts(&finish(&delivery, LONG)), (17, 16, vec![(LossReason::TooLarge, 1)]));
    let received = server.received();
    assert!(received.iter().all(|received| received.body.len() <= 2000));
    assert_eq!(spans_in(received.iter().map(|received| &received.body[..])), (16, 16));
    assert_eq!(
        told.lines(),
        ["1 records of traces for backend are lost (too_large): \
          a record alone is larger than a request of 2000 bytes may be"]
    );
}

#[test]
fn partial_success_is_counted_and_not_repeated() {
    use crate::encode::proto;
    let mut answer = Vec::new();
    proto::message(&mut answer, 1, |out| {
        proto::uint(out, 1, 2);
        proto::bytes(out, 2, b"two are too old");
    });
    let json = br#"{"partialSuccess":{"rejectedSpans":"1"}}"#.to_vec();
    let script = vec![
        Reply::Status(200, vec![("content-type", "application/x-protobuf")], answer),
        Reply::Status(200, vec![("content-type", "application/json")], json),
        Reply::Status(200, vec![("content-type", "text/plain")], b"OK".to_vec()),
    ];
    let server = HttpServer::start(script, OK);
    let (delivery, _) = start(http(&server.url()));
    (0..3).for_each(|_| delivery.offer(spans(5, 10)));
    let receipt = finish(&delivery, LONG);
    assert_eq!((counts(&receipt), receipt.retries), ((15, 12, vec![(LossReason::Rejected, 3)]), 0));
    assert_eq!(server.received().len(), 3);
}

#[test]
fn a_web_page_is_no_collector_and_an_endless_answer_no_answer() {
    let page = Reply::Status(200, vec![("content-type", "text/html; charset=utf-8")], b"<html>".to_vec());
    let server = HttpServer::start(vec![page, Reply::Endless], OK);
    let (delivery, told) = start(http(&server.url()));
    (0..3).for_each(|_| delivery.offer(spans(1, 10)));
    assert_eq!(counts(&finish(&delivery, LONG)), (3, 1, vec![(LossReason::BadAnswer, 2)]));
    let line = "1 records of traces for backend are lost (bad_answer): \
                what answered does not speak OTLP; is the endpoint right?";
    assert_eq!(told.lines(), [line]);
}

#[test]
fn connections_that_break_are_made_again() {
    let script = vec![Reply::Garbage, Reply::CloseWithoutAnswer, Reply::CloseMidBody];
    let server = HttpServer::start(script, OK);
    let (delivery, told) = start(http(&server.url()));
    delivery.offer(spans(3, 10));
    let receipt = finish(&delivery, LONG);
    assert_eq!((counts(&receipt), receipt.retries), ((3, 3, vec![]), 3));
    assert!(told.lines()[0].ends_with("retrying: the connection was closed without an answer"), "{:?}", told.lines());
}

#[test]
fn a_port_that_speaks_something_else_is_named() {
    let server = HttpServer::start(vec![Reply::Garbage, Reply::Garbage], OK);
    let (delivery, told) = start(http(&server.url()));
    delivery.offer(spans(1, 10));
    assert_eq!(finish(&delivery, LONG).delivered, 1);
    let why = "what answered does not speak HTTP/1.1; are port and protocol right?";
    assert_eq!(told.lines()[0], format!("traces cannot be delivered to backend, retrying: {why}"));
}

#[test]
fn a_collector_that_comes_up_late_gets_everything() {
    let vacant = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (delivery, told) = start(http(&format!("http://{vacant}")));
    (0..5).for_each(|_| delivery.offer(spans(2, 10)));
    while told.lines().is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(told.lines(), ["traces cannot be delivered to backend, retrying: connection refused"]);
    let server = HttpServer::start_at(vacant, vec![], OK);
    assert!(delivery.flush(LONG));
    assert_eq!(counts(&finish(&delivery, LONG)), (10, 10, vec![]));
    assert_eq!(server.received().len(), 5);
    assert_eq!(told.lines().len(), 2);
}

#[test]
fn a_host_that_does_not_exist_and_a_server_without_tls_are_named() {
    let server = HttpServer::start(vec![], OK);
    let tls = server.url().replace("http:", "https:");
    for (url, why) in
        [("http://no-such-host.invalid:4318", "resolved"), (&*tls, "TLS handshake failed: unexpected end of file")]
    {
        let (delivery, told) = start(http(url));
        delivery.offer(spans(1, 10));
        let receipt = finish(&delivery, Duration::from_millis(1500));
        assert_eq!(counts(&receipt), (1, 0, vec![(LossReason::Deadline, 1)]));
        assert!(told.lines().iter().any(|line| line.contains(why)), "{:?}", told.lines());
    }
}

#[test]
fn a_slow_answer_is_given_up_and_asked_for_again() {
    let server = HttpServer::start(vec![Reply::Hang], OK);
    let (delivery, _) = start(SignalConfig { timeout: Duration::from_millis(100), ..http(&server.url()) });
    delivery.offer(spans(1, 10));
    let receipt = finish(&delivery, LONG);
    assert_eq!((counts(&receipt), receipt.retries), ((1, 1, vec![]), 1));
}

#[test]
fn a_full_queue_lets_the_oldest_go_and_counts_it() {
    let server = HttpServer::start(vec![], Reply::Hang);
    let mut config = traces_only(http(&server.url()));
    config.queue_bytes = 20_000;
    let told = Told::default();
    let delivery = Delivery::start(vec![config], told.diagnostics());
    let before = Instant::now();
    (0..1000).for_each(|_| delivery.offer(spans(2, 1000)));
    assert!(before.elapsed() < Duration::from_secs(5), "offering never waits");
    let receipt = finish(&delivery, Duration::from_millis(50));
    assert_eq!((receipt.recorded, receipt.delivered), (2000, 0));
    let (full, deadline) = (receipt.lost.get(LossReason::QueueFull), receipt.lost.get(LossReason::Deadline));
    assert!(full > 1900 && (2..=20).contains(&deadline), "{receipt}");
    assert_eq!(told.lines().len(), 2, "{:?}", told.lines());
}

#[test]
fn a_dead_destination_and_a_dead_signal_delay_nobody_else() {
    let dead = HttpServer::start(vec![], Reply::Hang);
    let alive = HttpServer::start(vec![], OK);
    let config = OtlpConfig { traces: Some(http(&alive.url())), logs: Some(http(&dead.url())), metrics: None };
    let memory = MemoryDestination::new();
    let delivery = Delivery::start(
        vec![
            traces_only(http(&dead.url())),
            DestinationConfig::new("half", Target::Otlp(Box::new(config))),
            DestinationConfig::new("memory", Target::Memory(memory.clone())),
        ],
        quiet(),
    );
    for _ in 0..10 {
        delivery.offer(event());
        delivery.offer(spans(1, 10));
    }
    let until = Instant::now() + LONG;
    while alive.received().len() < 10 || memory.batches().len() < 20 {
        assert!(Instant::now() < until, "{:?}", delivery.receipts());
        std::thread::sleep(Duration::from_millis(5));
    }
    let receipts = delivery.shutdown(Duration::from_millis(50));
    assert_eq!(counts(&receipts[0].receipt.traces), (10, 0, vec![(LossReason::Deadline, 10)]));
    assert_eq!(receipts[0].receipt.logs.recorded, 0, "not meant for it");
    assert_eq!(counts(&receipts[1].receipt.traces), (10, 10, vec![]));
    assert_eq!(counts(&receipts[1].receipt.logs), (10, 0, vec![(LossReason::Deadline, 10)]));
    assert!(receipts[2].receipt.is_complete());
}

#[test]
fn no_diagnostic_shows_a_header_a_body_or_a_key_in_a_url() {
    let script = vec![status(503), status(503), status(401), status(400), Reply::Garbage];
    let server = HttpServer::start(script, OK);
    let url = format!("{}?api_key=url-secret", server.url().replace("http://", "http://user:userinfo-secret@"));
    let mut config = http(&url);
    config.headers.set("authorization", "Bearer header-secret").unwrap();
    let shown = format!("{config:?}");
    let (delivery, told) = start(config);
    (0..4).for_each(|_| delivery.offer(spans(1, 10)));
    finish(&delivery, LONG);
    assert!(server.received()[0].headers["authorization"] == "Bearer header-secret");
    let all = format!("{} {shown} {delivery:?}", told.lines().join(" "));
    assert!(!all.contains("secret"), "{all}");
    assert!(told.lines().len() >= 3, "{all}");
}

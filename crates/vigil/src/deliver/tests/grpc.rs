//! gRPC over real sockets.

use super::server::{GrpcServer, code};
use super::*;
use crate::encode::json::base64;
use crate::encode::proto;

fn grpc(server: &GrpcServer) -> SignalConfig {
    let target = server.address.to_string();
    SignalConfig::new(Protocol::Grpc, Endpoint::grpc(&target, true, Signal::Traces).unwrap())
}

/// `grpc-status-details-bin` with a `RetryInfo`.
fn retry_info(nanos: u64) -> String {
    let mut status = Vec::new();
    proto::uint(&mut status, 1, 14);
    proto::message(&mut status, 3, |out| {
        proto::bytes(out, 1, b"type.googleapis.com/google.rpc.RetryInfo");
        proto::message(out, 2, |out| proto::message(out, 1, |out| proto::uint(out, 2, nanos)));
    });
    let mut text = Vec::new();
    base64(&status, &mut text);
    String::from_utf8(text).unwrap().trim_end_matches('=').to_owned()
}

#[test]
fn a_call_carries_the_batch_and_what_grpc_wants() {
    let server = GrpcServer::start(vec![], code(0));
    let mut config = grpc(&server);
    config.headers.set("x-tenant", "blue").unwrap();
    let (delivery, told) = start(config);
    let batch = spans(3, 10);
    delivery.offer(batch.clone());
    delivery.offer(spans(2, 10));
    assert_eq!(counts(&finish(&delivery, LONG)), (5, 5, vec![]));
    let received = &server.received()[0];
    assert_eq!(received.path, "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    assert_eq!(received.body[..5], [&[0][..], &(batch.body().len() as u32).to_be_bytes()].concat());
    assert_eq!(received.body[5..], *batch.body());
    let header = |name| received.headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header("content-type"), Some("application/grpc"));
    assert_eq!(header("te"), Some("trailers"));
    assert_eq!(header("user-agent"), Some(concat!("Vigil/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(header("grpc-timeout"), Some("10000m"));
    assert_eq!(header("x-tenant"), Some("blue"));
    assert_eq!(told.lines(), Vec::<String>::new());
}

#[test]
fn gzip_messages_decode_to_what_was_encoded() {
    let server = GrpcServer::start(vec![], code(0));
    let (delivery, _) = start(SignalConfig { compression: Compression::Gzip, ..grpc(&server) });
    let batch = spans(50, 100);
    delivery.offer(batch.clone());
    assert_eq!(finish(&delivery, LONG).delivered, 50);
    let received = &server.received()[0];
    assert_eq!(received.headers["grpc-encoding"], "gzip");
    assert_eq!(received.body[0], 1);
    let mut decoded = Vec::new();
    std::io::copy(&mut flate2::read::GzDecoder::new(&received.body[5..]), &mut decoded).unwrap();
    assert_eq!(decoded, batch.body()[..]);
}

#[test]
fn unavailable_with_retry_info_is_waited_out_and_without_it_is_backed_off() {
    let mut busy = code(14);
    busy.trailers = vec![("grpc-status-details-bin", retry_info(700_000_000))];
    let server = GrpcServer::start(vec![busy, code(14)], code(0));
    let (delivery, told) = start(grpc(&server));
    delivery.offer(spans(3, 10));
    let receipt = finish(&delivery, LONG);
    assert_eq!((counts(&receipt), receipt.retries), ((3, 3, vec![]), 2));
    let received = server.received();
    assert!(received[1].at - received[0].at >= Duration::from_millis(700));
    let lines = told.lines();
    assert_eq!(lines[0], "backend throttles (overloaded, 1 answers)", "the one that said when to come again");
    assert_eq!(lines[1], "traces cannot be delivered to backend, retrying: it answered gRPC UNAVAILABLE");
}

#[test]
fn resource_exhausted_splits_retries_or_drops_by_what_it_says() {
    let mut limited = code(0);
    limited.limit = 3000;
    let server = GrpcServer::start(vec![], limited);
    let (delivery, _) = start(grpc(&server));
    delivery.offer(spans(16, 500));
    delivery.offer(spans(1, 4000));
    assert_eq!(counts(&finish(&delivery, LONG)), (17, 16, vec![(LossReason::TooLarge, 1)]));
    let taken: Vec<_> = server.received().into_iter().filter(|received| received.body.len() <= 3000).collect();
    assert_eq!(spans_in(taken.iter().map(|received| &received.body[5..])), (16, 16));

    let mut throttled = code(8);
    throttled.trailers = vec![("grpc-status-details-bin", retry_info(1_000_000))];
    let server = GrpcServer::start(vec![throttled, code(8)], code(0));
    let (delivery, told) = start(grpc(&server));
    delivery.offer(spans(1, 10));
    let receipt = finish(&delivery, LONG);
    assert_eq!((counts(&receipt), receipt.retries), ((1, 0, vec![(LossReason::Rejected, 1)]), 1));
    assert_eq!(told.lines()[0], "backend throttles (rate_limit, 1 answers)", "the one that said when to come again");
    assert!(!told.lines()[1..].iter().any(|line| line.contains("throttles")), "{:?}", told.lines());
}

#[test]
fn refusals_and_partial_success_are_counted() {
    let mut partial = code(0);
    proto::message(&mut partial.message, 1, |out| proto::uint(out, 1, 2));
    let server = GrpcServer::start(vec![code(16), code(3), partial], code(0));
    let (delivery, _) = start(grpc(&server));
    for count in [1, 2, 4, 8] {
        delivery.offer(spans(count, 10));
    }
    let lost = vec![(LossReason::Rejected, 4), (LossReason::Unauthorized, 1)];
    assert_eq!(counts(&finish(&delivery, LONG)), (15, 10, lost));
    assert_eq!(server.received().len(), 4);
}

#[test]
fn a_server_that_speaks_no_http2_and_one_that_hangs_cost_the_deadline_and_no_more() {
    for reply in [Reply::Garbage, Reply::Hang] {
        let server = HttpServer::start(vec![], reply);
        let target = server.address.to_string();
        let endpoint = Endpoint::grpc(&target, true, Signal::Traces).unwrap();
        let (delivery, _) = start(SignalConfig::new(Protocol::Grpc, endpoint));
        delivery.offer(spans(1, 10));
        let before = Instant::now();
        let receipt = finish(&delivery, Duration::from_millis(300));
        assert!(before.elapsed() < Duration::from_millis(400));
        assert_eq!(counts(&receipt), (1, 0, vec![(LossReason::Deadline, 1)]));
    }
}

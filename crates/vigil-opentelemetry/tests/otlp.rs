//! The exporter most people have: OTLP over HTTP with a blocking client, against a real socket.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "helpers of tests, with threads")]

use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use vigil::deliver::LossReason;
use vigil_opentelemetry::Forward;

/// Answers every request with `status` and hands out its body.
fn collector(status: &'static str) -> (String, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            while let Some(body) = request(&mut stream) {
                let head =
                    format!("HTTP/1.1 {status}\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n");
                if sender.send(body).is_err() || stream.write_all(head.as_bytes()).is_err() {
                    return;
                }
            }
        }
    });
    (url, receiver)
}

fn request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().to_ascii_lowercase() {
            line if line.is_empty() => break,
            line => {
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().ok()?;
                }
            }
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

fn deliver(status: &'static str) -> (vigil::Receipt, Receiver<Vec<u8>>) {
    let (url, bodies) = collector(status);
    let exporter = SpanExporter::builder().with_http().with_endpoint(url).with_timeout(Duration::from_secs(5)).build();
    let telemetry = vigil::from_env("researcher").environment([]).quiet(true);
    let forward = Forward::to_exporter(exporter.unwrap()).into_destination("otlp");
    let telemetry = telemetry.destination(forward).start();
    let agent = telemetry.agent_span("session", "agent");
    agent.tool_span("search", "call").finish();
    agent.finish();
    (telemetry.shutdown(Duration::from_secs(10)), bodies)
}

#[test]
fn spans_go_through_the_sdks_own_otlp_exporter() {
    let (receipt, bodies) = deliver("200 OK");
    assert!(receipt.is_complete(), "{receipt}");
    assert_eq!(receipt.traces.delivered, 2);
    let request = ExportTraceServiceRequest::decode(&*bodies.recv().unwrap()).unwrap();
    let [resource] = &request.resource_spans[..] else { panic!("{request:?}") };
    let names = resource.resource.iter().flat_map(|resource| &resource.attributes);
    assert!(names.map(|attribute| &*attribute.key).any(|key| key == "service.instance.id"));
    assert_eq!(resource.scope_spans[0].scope.as_ref().unwrap().name, "vigil");
    let spans: Vec<_> = resource.scope_spans[0].spans.iter().map(|span| &*span.name).collect();
    assert_eq!(spans, ["execute_tool search", "invoke_agent agent"]);
}

#[test]
fn what_the_collector_refuses_is_in_the_receipt() {
    let (receipt, _bodies) = deliver("400 Bad Request");
    assert_eq!(receipt.traces.lost.get(LossReason::Rejected), 2, "{receipt}");
    assert_eq!(receipt.traces.delivered, 0);
}

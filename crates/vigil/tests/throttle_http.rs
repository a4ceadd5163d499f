//! HTTP clients that are watched, over real sockets: what comes through is what was sent, and throttling is told.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_methods, reason = "tests start threads and read clocks")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use vigil::contract::{EventKind, Metric, attr};
use vigil::testing::{Recorded, TestTelemetry};
use vigil::{InSpanExt, Provider};

/// A server that answers every request with these bytes, piece by piece with a pause between them, and hangs up.
fn serve(pieces: Vec<Vec<u8>>, pause: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let pieces = pieces.clone();
            std::thread::spawn(move || answer(&stream, &pieces, pause));
        }
    });
    format!("http://{address}")
}

fn answer(mut stream: &TcpStream, pieces: &[Vec<u8>], pause: Duration) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        line.clear();
    }
    for (number, piece) in pieces.iter().enumerate() {
        if number > 0 {
            std::thread::sleep(pause);
        }
        // A client that has read enough hangs up.
        if stream.write_all(piece).is_err() {
            return;
        }
    }
}

fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

const RATE_LIMITED: &[u8] =
    br#"{"type":"error","error":{"type":"rate_limit_error","message":"org-c4n4ry is limited"}}"#;
const OVERLOADED: &str =
    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";

fn throttles(recorded: &Recorded) -> Vec<String> {
    recorded.verify_contract().unwrap();
    let shown = |event: &vigil_core::fact::EventRecord| {
        assert!(!format!("{event:?}").contains("c4n4ry"), "{event:?}");
        let word = |key| event.attributes.str(key).unwrap_or("-").to_owned();
        format!("{} {}", word(attr::DOWNSTREAM_CLASSIFICATION), word(attr::DOWNSTREAM_OPERATION))
    };
    recorded.events.iter().filter(|event| event.kind == EventKind::DownstreamRateLimit).map(shown).collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs `request` inside of a chat of its own and answers with what was recorded.
fn inside_of_a_chat<F: Future>(request: impl FnOnce() -> F) -> (F::Output, Recorded, TestTelemetry) {
    let telemetry = vigil::testing::recorder();
    let chat = telemetry.chat_span(Provider::ANTHROPIC, "claude-sonnet-4-5");
    let context = chat.context();
    let output = runtime().block_on(request().in_span(&chat));
    chat.finish();
    let recorded = telemetry.recorded();
    for event in recorded.events.iter().filter(|event| event.kind == EventKind::DownstreamRateLimit) {
        assert_eq!(event.span, Some(context), "it is told on the span it happened in");
    }
    (output, recorded, telemetry)
}

fn headroom(recorded: &Recorded) -> usize {
    recorded.metrics.iter().filter(|series| series.metric == Metric::ThrottleRemainingRatio).count()
}

mod reqwest_client {
    use super::*;
    use vigil::throttle::ThrottleMiddleware;

    fn client() -> reqwest_middleware::ClientWithMiddleware {
        reqwest_middleware::ClientBuilder::new(reqwest::Client::new()).with(ThrottleMiddleware::new()).build()
    }

    #[test]
    fn a_refusal_is_told_and_comes_through_as_it_was() {
        let headers = "content-type: application/json\r\nretry-after: 7\r\nx-own: kept\r\n";
        let url = serve(vec![response("429 Too Many Requests", headers, RATE_LIMITED)], Duration::ZERO);
        let asked = format!("{url}/v1/messages?key=c4n4ry");
        let ((status, own, address, body), recorded, _) = inside_of_a_chat(|| async {
            let response = client().get(&asked).send().await.unwrap();
            let own = response.headers()["x-own"].to_str().unwrap().to_owned();
            (response.status().as_u16(), own, response.url().to_string(), response.bytes().await.unwrap())
        });
        assert_eq!((status, own.as_str(), address.as_str(), &body[..]), (429, "kept", asked.as_str(), RATE_LIMITED));
        assert_eq!(throttles(&recorded), ["rate_limit chat"]);
    }

    #[test]
    fn an_error_inside_a_stream_is_told_and_nothing_is_held_back() {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let first = "event: message_start\ndata: {\"type\":\"message_start\"}\n\n";
        let pause = Duration::from_millis(400);
        let pieces = vec![
            [head.as_bytes(), &chunk(first)].concat(),
            chunk(&OVERLOADED[..20]),
            [chunk(&OVERLOADED[20..]), b"0\r\n\r\n".to_vec()].concat(),
        ];
        let url = serve(pieces, pause);
        let ((waited, text), recorded, _) = inside_of_a_chat(|| async {
            let mut response = client().get(&url).send().await.unwrap();
            let began = Instant::now();
            let mut text = response.chunk().await.unwrap().unwrap().to_vec();
            let waited = began.elapsed();
            while let Some(piece) = response.chunk().await.unwrap() {
                text.extend_from_slice(&piece);
            }
            (waited, String::from_utf8(text).unwrap())
        });
        assert!(waited < pause, "the first piece came after {waited:?}");
        assert_eq!(text, format!("{first}{OVERLOADED}"));
        assert_eq!(throttles(&recorded), ["overloaded chat"]);
    }

    #[test]
    fn a_refusal_whose_body_nobody_reads_is_told_all_the_same() {
        let url = serve(vec![response("429 Too Many Requests", "retry-after: 1\r\n", RATE_LIMITED)], Duration::ZERO);
        let (status, recorded, _) =
            inside_of_a_chat(|| async { client().get(&url).send().await.unwrap().status().as_u16() });
        assert_eq!(status, 429);
        assert_eq!(throttles(&recorded), ["rate_limit chat"]);
    }

    #[test]
    fn successes_and_other_failures_tell_nothing_but_headroom() {
        let headers = "anthropic-ratelimit-requests-limit: 50\r\nanthropic-ratelimit-requests-remaining: 5\r\n";
        for (status, body) in [("200 OK", &b"rate limit exceeded"[..]), ("404 Not Found", b"no such model")] {
            let url = serve(vec![response(status, headers, body)], Duration::ZERO);
            let (read, recorded, _) =
                inside_of_a_chat(|| async { client().get(&url).send().await.unwrap().bytes().await.unwrap() });
            assert_eq!(&read[..], body);
            assert_eq!(throttles(&recorded), Vec::<String>::new(), "{status}");
            assert_eq!(headroom(&recorded), 1, "{status}");
        }
    }

    #[test]
    fn a_body_larger_than_what_is_looked_at_comes_through_whole() {
        let body: Vec<u8> = (0..500_000_u32).map(|byte| (byte % 251) as u8).collect();
        let url =
            serve(vec![response("503 Service Unavailable", "content-type: text/plain\r\n", &body)], Duration::ZERO);
        let (read, _, _) =
            inside_of_a_chat(|| async { client().get(&url).send().await.unwrap().bytes().await.unwrap() });
        assert!(read == body);
    }

    #[test]
    fn a_given_telemetry_is_told_outside_of_spans_too() {
        let url = serve(vec![response("429 Too Many Requests", "", RATE_LIMITED)], Duration::ZERO);
        let telemetry = vigil::testing::recorder();
        let middleware = ThrottleMiddleware::with((*telemetry).clone());
        let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new()).with(middleware).build();
        runtime().block_on(async { client.get(&url).send().await.unwrap().bytes().await.unwrap() });
        assert_eq!(throttles(&telemetry.recorded()), ["rate_limit http_request"]);
    }
}

mod tower_service_client {
    use super::*;
    use http_body_util::{BodyExt, Empty};
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;
    use tower_layer::Layer;
    use tower_service::Service;
    use vigil::throttle::ThrottleLayer;

    async fn get(url: &str) -> (u16, Vec<u8>) {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
        let mut client = ThrottleLayer::new().layer(client);
        std::future::poll_fn(|context| Service::<http::Request<Empty<bytes::Bytes>>>::poll_ready(&mut client, context))
            .await
            .unwrap();
        let request = http::Request::get(url).body(Empty::new()).unwrap();
        let response = client.call(request).await.unwrap();
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
    }

    #[test]
    fn a_refusal_is_told_and_comes_through_as_it_was() {
        let url = serve(vec![response("429 Too Many Requests", "retry-after: 7\r\n", RATE_LIMITED)], Duration::ZERO);
        let ((status, body), recorded, _) = inside_of_a_chat(|| get(&url));
        assert_eq!((status, &body[..]), (429, RATE_LIMITED));
        assert_eq!(throttles(&recorded), ["rate_limit chat"]);
    }

    #[test]
    fn an_error_inside_a_stream_is_told() {
        let body = format!("data: {{\"type\":\"message_start\"}}\n\n{OVERLOADED}");
        let url =
            serve(vec![response("200 OK", "content-type: text/event-stream\r\n", body.as_bytes())], Duration::ZERO);
        let ((status, read), recorded, _) = inside_of_a_chat(|| get(&url));
        assert_eq!((status, read), (200, body.into_bytes()));
        assert_eq!(throttles(&recorded), ["overloaded chat"]);
    }

    #[test]
    fn a_success_tells_nothing() {
        let url = serve(vec![response("200 OK", "content-type: text/plain\r\n", b"429")], Duration::ZERO);
        let ((status, _), recorded, _) = inside_of_a_chat(|| get(&url));
        assert_eq!((status, throttles(&recorded)), (200, Vec::new()));
    }
}

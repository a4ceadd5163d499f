//! What is spoken and through what: JSON, zstd, TLS with certificates of one's own, proxies, limits.

use super::*;
use crate::deliver::{Limits, Proxies, Tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedKey, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;

#[test]
fn a_json_body_says_what_the_protobuf_one_does() {
    let server = HttpServer::start(vec![], OK);
    let config = SignalConfig::new(Protocol::HttpJson, Endpoint::http_base(&server.url(), Signal::Traces).unwrap());
    let (delivery, _) = start(config);
    let batch = spans(3, 10);
    delivery.offer(batch.clone());
    assert_eq!(counts(&finish(&delivery, LONG)), (3, 3, vec![]));
    let received = &server.received()[0];
    assert_eq!(received.headers["content-type"], "application/json");
    let read: TracesData = serde_json::from_slice(&received.body).unwrap();
    assert_eq!(read, TracesData::decode(batch.body().clone()).unwrap());
}

#[test]
fn a_batch_that_is_too_large_only_as_json_is_split() {
    let server = HttpServer::start(vec![], OK);
    let endpoint = Endpoint::http_base(&server.url(), Signal::Traces).unwrap();
    let batch = spans(16, 10);
    let mut config = SignalConfig::new(Protocol::HttpJson, endpoint);
    config.max_request_bytes = batch.body().len() + 100;
    let (delivery, _) = start(config.clone());
    delivery.offer(batch);
    assert_eq!(counts(&finish(&delivery, LONG)), (16, 16, vec![]));
    let received = server.received();
    assert!(received.len() > 1 && received.iter().all(|one| one.body.len() <= config.max_request_bytes));
}

#[test]
fn zstd_bodies_decode_to_what_was_encoded() {
    let server = HttpServer::start(vec![], OK);
    let (delivery, _) = start(SignalConfig { compression: Compression::Zstd, ..http(&server.url()) });
    let batch = spans(50, 100);
    delivery.offer(batch.clone());
    assert_eq!(finish(&delivery, LONG).delivered, 50);
    let received = &server.received()[0];
    assert_eq!(received.headers["content-encoding"], "zstd");
    assert!(received.body.len() < batch.body().len() / 2);
    assert_eq!(zstd::decode_all(&received.body[..]).unwrap(), batch.body()[..]);
}

// === Limits ===

#[test]
fn texts_that_are_too_long_are_cut_and_counted_and_the_rest_is_as_it_was() {
    let server = HttpServer::start(vec![], OK);
    let mut config = http(&server.url());
    config.limits = Limits { text_bytes: Some(2048), ..Limits::default() };
    let (delivery, _) = start(config);
    let mut builder = BatchBuilder::new(Signal::Traces, Resource::new([]), EncodeOptions::default());
    let json = format!(r#"{{"role":"user","parts":["{}"]}}"#, "x".repeat(9000));
    for (name, text) in [("short", "kept".to_owned()), ("long", "ä".repeat(3000)), ("json", json)] {
        let mut span = span(name, 0);
        span.attributes.set(attr::GEN_AI_RESPONSE_ID, text);
        builder.push_span(&span).unwrap();
    }
    delivery.offer(builder.take().unwrap());
    let receipt = finish(&delivery, LONG);
    assert_eq!((counts(&receipt), receipt.cut_texts), ((3, 3, vec![]), 2));
    let read = TracesData::decode(&server.received()[0].body[..]).unwrap();
    let spans = &read.resource_spans[0].scope_spans[0].spans;
    let text = |at: usize| {
        let attribute = spans[at].attributes.iter().find(|one| one.key == "gen_ai.response.id").unwrap();
        match attribute.value.clone().unwrap().value.unwrap() {
            opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(text) => text,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(text(0), "kept");
    assert!(text(1).len() <= 2048 && text(1).starts_with('ä'));
    assert!(text(2).len() <= 2048);
    let value: serde_json::Value = serde_json::from_str(&text(2)).unwrap();
    assert_eq!(value["role"], "user", "what was JSON still is");
    assert!(spans.iter().all(|span| span.span_id.len() == 8 && span.end_time_unix_nano == 2));
}

#[test]
fn spans_beyond_what_a_trace_may_have_are_lost_and_counted() {
    let server = HttpServer::start(vec![], OK);
    let mut config = http(&server.url());
    config.limits = Limits { spans_per_trace: Some(10), ..Limits::default() };
    let (delivery, told) = start(config);
    [6, 6, 6].into_iter().for_each(|count| delivery.offer(spans(count, 10)));
    assert_eq!(counts(&finish(&delivery, LONG)), (18, 10, vec![(LossReason::TooMany, 8)]));
    assert_eq!(spans_in(server.received().iter().map(|received| &received.body[..])).0, 10);
    let line = "2 records of traces for backend are lost (too_many): a trace has more than the 10 spans it takes";
    assert_eq!(told.lines(), [line]);
}

// === TLS ===

struct Authority {
    certificate: rcgen::Certificate,
    key: KeyPair,
    folder: PathBuf,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let folder = std::env::temp_dir().join(format!("vigil-tls-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("ca.pem"), certificate.pem()).unwrap();
        Self { certificate, key, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn signs(&self, name: &str) -> CertifiedKey {
        let key_pair = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let cert = params.signed_by(&key_pair, &self.certificate, &self.key).unwrap();
        std::fs::write(self.file(&format!("{name}.pem")), cert.pem()).unwrap();
        std::fs::write(self.file(&format!("{name}.key")), key_pair.serialize_pem()).unwrap();
        CertifiedKey { cert, key_pair }
    }

    /// A server that answers 200 to whoever shows a certificate of ours, and says how many requests that were.
    fn server(&self) -> (SocketAddr, Arc<Mutex<usize>>) {
        let own = self.signs("localhost");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.certificate.pem().as_bytes()).unwrap()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
        let key = PrivateKeyDer::from_pem_slice(own.key_pair.serialize_pem().as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::new(Mutex::new(0));
        let count = Arc::clone(&taken);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = BufReader::new(StreamOwned::new(tls, connection));
                let Some(length) = read_head(&mut stream) else { continue };
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                *count.lock().unwrap() += 1;
                stream
                    .get_mut()
                    .write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
                    .unwrap();
            }
        });
        (address, taken)
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// Reads a request's head; the length of its body.
fn read_head(stream: &mut impl BufRead) -> Option<usize> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.to_ascii_lowercase().split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().unwrap(),
            None if line.trim().is_empty() => return Some(length),
            _ => {}
        }
    }
}

#[test]
fn c9_a_server_that_wants_our_certificate_gets_it_and_is_checked_against_the_given_authority() {
    let authority = Authority::new("mutual");
    authority.signs("client");
    let (address, taken) = authority.server();
    let url = format!("https://localhost:{}", address.port());
    let mut config = http(&url);
    config.tls.trust(&authority.file("ca.pem")).unwrap();
    config.tls.identify(&authority.file("client.pem"), &authority.file("client.key")).unwrap();
    let (delivery, told) = start(config.clone());
    delivery.offer(spans(2, 10));
    assert_eq!(counts(&finish(&delivery, LONG)), (2, 2, vec![]), "{:?}", told.lines());
    assert_eq!(*taken.lock().unwrap(), 1);

    // Without a certificate, and without the authority, nothing is delivered and what is wrong is said.
    let mut nobody = config.clone();
    nobody.tls = Tls::default();
    nobody.tls.trust(&authority.file("ca.pem")).unwrap();
    for (config, why) in
        [(nobody, ""), (http(&url), "the TLS handshake failed: invalid peer certificate: UnknownIssuer")]
    {
        let (delivery, told) = start(config);
        delivery.offer(spans(2, 10));
        let receipt = finish(&delivery, Duration::from_secs(1));
        assert_eq!(counts(&receipt), (2, 0, vec![(LossReason::Deadline, 2)]));
        assert!(told.lines()[0].contains(why), "{:?}", told.lines());
    }
    assert_eq!(*taken.lock().unwrap(), 1);
}

#[test]
fn certificates_that_cannot_be_used_are_named_by_file_and_reason() {
    let authority = Authority::new("unusable");
    authority.signs("client");
    authority.signs("other");
    let mut tls = Tls::default();
    let missing = tls.trust(&authority.file("missing.pem")).unwrap_err();
    assert!(missing.to_string().ends_with("missing.pem: entity not found"), "{missing}");
    let no_certificate = tls.trust(&authority.file("client.key")).unwrap_err();
    assert!(no_certificate.to_string().ends_with("no certificate in PEM form in it"), "{no_certificate}");
    let wrong_key = tls.identify(&authority.file("client.pem"), &authority.file("other.key")).unwrap_err();
    assert!(wrong_key.to_string().contains("other.key: not the key of the certificate"), "{wrong_key}");
    assert_eq!(tls, Tls::default(), "nothing half done");
    let shown = format!("{tls:?}");
    tls.identify(&authority.file("client.pem"), &authority.file("client.key")).unwrap();
    assert_ne!(format!("{tls:?}"), shown);
    assert!(!format!("{tls:?}").contains("KEY"));
}

// === Proxies ===

/// A proxy that makes tunnels to `to`, or none; and the heads it was sent.
fn tunnels(to: Option<SocketAddr>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://me:hidden@{}", listener.local_addr().unwrap());
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && connection.read_exact(&mut byte).is_ok() {
                head.push(byte[0]);
            }
            seen.lock().unwrap().push(String::from_utf8(head).unwrap());
            let Some(to) = to else {
                drop(connection.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"));
                continue;
            };
            let mut onward = TcpStream::connect(to).unwrap();
            connection.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
            let (mut there, mut back) = (connection.try_clone().unwrap(), onward.try_clone().unwrap());
            std::thread::spawn(move || drop(std::io::copy(&mut there, &mut onward)));
            std::thread::spawn(move || drop(std::io::copy(&mut back, &mut connection)));
        }
    });
    (url, heads)
}

fn proxies(url: &str) -> Proxies {
    Proxies { http: Some(url.to_owned()), https: Some(url.to_owned()), none_for: None }
}

#[test]
fn plain_http_is_handed_to_the_proxy_as_it_is() {
    let proxy = HttpServer::start(vec![], OK);
    let mut config = http("http://collector.invalid:4318");
    config.through(&proxies(&proxy.url().replace("http://", "http://me:hidden@"))).unwrap();
    let (delivery, told) = start(config);
    delivery.offer(spans(2, 10));
    assert_eq!(counts(&finish(&delivery, LONG)), (2, 2, vec![]), "{:?}", told.lines());
    let received = &proxy.received()[0];
    assert_eq!(received.path, "http://collector.invalid:4318/v1/traces");
    assert_eq!(received.headers["proxy-authorization"], "Basic bWU6aGlkZGVu");
}

#[test]
fn https_goes_through_a_tunnel_and_the_proxy_sees_nothing_of_it() {
    let authority = Authority::new("tunnel");
    authority.signs("client");
    let (address, taken) = authority.server();
    let (proxy, heads) = tunnels(Some(address));
    // A name that only the proxy knows; the certificate is checked against it all the same.
    let mut config = http("https://collector.invalid:4318");
    config.tls.trust(&authority.file("ca.pem")).unwrap();
    config.tls.identify(&authority.file("client.pem"), &authority.file("client.key")).unwrap();
    config.headers.set("authorization", "Bearer of-the-collector").unwrap();
    config.through(&proxies(&proxy)).unwrap();
    let (delivery, told) = start(config);
    delivery.offer(spans(2, 10));
    assert_eq!(finish(&delivery, Duration::from_secs(1)).delivered, 0);
    assert!(told.lines()[0].contains("certificate not valid for name"), "{:?}", told.lines());
    assert_eq!(*taken.lock().unwrap(), 0);
    let head = heads.lock().unwrap()[0].clone();
    assert!(head.starts_with("CONNECT collector.invalid:4318 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("Basic bWU6aGlkZGVu") && !head.contains("of-the-collector"), "{head}");
}

#[test]
fn grpc_goes_through_a_tunnel_without_tls_too() {
    let server = server::GrpcServer::start(vec![], server::code(0));
    let (proxy, heads) = tunnels(Some(server.address));
    let endpoint = Endpoint::grpc("http://collector.invalid:4317", true, Signal::Traces).unwrap();
    let mut config = SignalConfig::new(Protocol::Grpc, endpoint);
    config.through(&proxies(&proxy)).unwrap();
    let (delivery, told) = start(config);
    delivery.offer(spans(2, 10));
    assert_eq!(counts(&finish(&delivery, LONG)), (2, 2, vec![]), "{:?}", told.lines());
    assert!(heads.lock().unwrap()[0].starts_with("CONNECT collector.invalid:4317 "));
    assert_eq!(server.received().len(), 1);
}

#[test]
fn a_proxy_that_refuses_is_named() {
    let (proxy, _) = tunnels(None);
    let mut config = http("https://collector.invalid:4318");
    config.through(&proxies(&proxy)).unwrap();
    let (delivery, told) = start(config);
    delivery.offer(spans(2, 10));
    finish(&delivery, Duration::from_secs(1));
    let line = "traces cannot be delivered to backend, retrying: the proxy does not let us through";
    assert_eq!(told.lines()[0], line);
    assert!(!told.lines().concat().contains("hidden"));
}

// === The breaker ===

#[test]
fn field_note_25_a_dead_destination_is_asked_by_one_signal_and_told_of_once() {
    let vacant = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{vacant}");
    let signal = |signal| Some(SignalConfig::new(Protocol::HttpProtobuf, Endpoint::http_base(&url, signal).unwrap()));
    let otlp = OtlpConfig { traces: signal(Signal::Traces), logs: signal(Signal::Logs), metrics: None };
    let told = Told::default();
    let delivery =
        Delivery::start(vec![DestinationConfig::new("backend", Target::Otlp(Box::new(otlp)))], told.diagnostics());
    delivery.offer(spans(1, 10));
    delivery.offer(event());
    // Long enough for the breaker to open: five failures, of both signals together.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(told.lines().len(), 1, "{:?}", told.lines());
    let server = HttpServer::start_at(vacant, vec![], OK);
    let before = Instant::now();
    assert!(delivery.flush(LONG), "it tries again by itself");
    assert!(before.elapsed() < Duration::from_secs(1), "and at once when somebody waits");
    let receipts = delivery.shutdown(LONG);
    assert!(receipts[0].receipt.is_complete());
    assert_eq!(server.received().len(), 2);
    assert_eq!(told.lines().len(), 2, "{:?}", told.lines());
}

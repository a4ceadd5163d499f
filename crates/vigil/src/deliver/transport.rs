//! One attempt to hand a batch over, whatever the destination is.

use super::config::{Compression, DestinationConfig, HARD_MAX_REQUEST_BYTES, Protocol, SignalConfig, Target};
use super::diagnostic::Problem;
use super::file::FileSender;
use super::grpc::GrpcSender;
use super::http::HttpSender;
use super::memory::MemoryDestination;
use super::own::OwnSender;
use super::proxy::{Connector, TunnelRefused};
use super::receipt::LossReason;
use super::retry::Verdict;
use super::tls;
use crate::encode::{Batch, Signal};
use bytes::Bytes;
use flate2::Compression as Level;
use flate2::write::GzEncoder;
use http::header::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::error::Error;
use std::io::Write as _;
use std::time::Duration;
use vigil_core::throttle::Throttle;

/// The most bytes of an answer that are read, 4 MiB as OTLP says.
const MAX_ANSWER_BYTES: usize = 4 << 20;
/// How long a connection without requests is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// What we call ourselves.
pub(super) const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("Vigil/", env!("CARGO_PKG_VERSION")));

/// What one attempt came to.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) verdict: Verdict,
    /// What went wrong, for people.
    pub(super) problem: Option<Problem>,
    /// The destination throttles.
    pub(super) throttle: Option<Throttle>,
}

impl Attempt {
    pub(super) fn new(verdict: Verdict, problem: Problem) -> Self {
        Self { verdict, problem: Some(problem), throttle: None }
    }

    pub(super) const fn delivered(rejected: u64) -> Self {
        Self { verdict: Verdict::Delivered { rejected }, problem: None, throttle: None }
    }

    /// There was no answer: the batch may or may not have arrived and goes again.
    pub(super) fn unanswered(problem: Problem) -> Self {
        Self::new(Verdict::Retry { after: None }, problem)
    }
}

/// The way one signal goes to one destination.
pub(super) enum Transport {
    Http(HttpSender),
    Grpc(GrpcSender),
    File(FileSender),
    Memory(MemoryDestination),
    Own(OwnSender),
}

impl Transport {
    /// The way of `signal` to `destination`; `None` when it is not sent there.
    pub(super) fn new(destination: &DestinationConfig, signal: Signal) -> Result<Option<Self>, rustls::Error> {
        Ok(match &destination.target {
            Target::Otlp(otlp) => match otlp.signal(signal) {
                Some(config) if config.protocol == Protocol::Grpc => Some(Self::Grpc(GrpcSender::new(config)?)),
                Some(config) => Some(Self::Http(HttpSender::new(config)?)),
                None => None,
            },
            Target::Directory(directory) => Some(Self::File(FileSender::new(directory, signal))),
            Target::Memory(memory) => Some(Self::Memory(memory.clone())),
            Target::Own(own) => own.takes(signal).then(|| Self::Own(OwnSender::new(own))),
        })
    }

    /// The most bytes of a body before compression.
    pub(super) fn max_request_bytes(&self) -> usize {
        match self {
            Self::Http(http) => http.max_request_bytes(),
            Self::Grpc(grpc) => grpc.max_request_bytes(),
            Self::File(_) | Self::Memory(_) | Self::Own(_) => usize::MAX,
        }
    }

    /// What goes over the wire for `batch`: made once, however many attempts it takes. `None` when it is larger
    /// than a request may be.
    pub(super) fn request_body(&self, batch: &Batch) -> Option<Bytes> {
        if batch.body().len() > self.max_request_bytes() {
            return None;
        }
        match self {
            Self::Http(http) => http.request_body(batch),
            Self::Grpc(grpc) => Some(grpc.request_body(batch.body())),
            Self::File(_) | Self::Memory(_) | Self::Own(_) => Some(Bytes::new()),
        }
    }

    /// Makes one attempt. Ends after the destination's timeout at the latest.
    pub(super) async fn send(&mut self, batch: &Batch, body: &Bytes) -> Attempt {
        match self {
            Self::Http(http) => http.send(body.clone()).await,
            Self::Grpc(grpc) => grpc.send(body.clone()).await,
            Self::File(file) => file.send(batch).await,
            Self::Own(own) => own.send(batch).await,
            Self::Memory(memory) => match memory.keep(batch) {
                true => Attempt::delivered(0),
                false => Attempt { verdict: Verdict::Drop(LossReason::QueueFull), problem: None, throttle: None },
            },
        }
    }
}

// === What HTTP and gRPC have in common ===

pub(super) type HttpClient = Client<HttpsConnector<Connector>, Full<Bytes>>;

pub(super) fn client(config: &SignalConfig) -> Result<HttpClient, rustls::Error> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    // HTTP/2 with prior knowledge cannot be handed to a proxy, so gRPC always has a tunnel.
    let tunnel = config.endpoint.is_https() || config.protocol == Protocol::Grpc;
    let through = Connector::new(http, config.proxy.clone(), tunnel);
    let tls = tls::client_config(config.endpoint.is_https(), &config.tls)?;
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    let mut client = Client::builder(TokioExecutor::new());
    client.timer(TokioTimer::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_TIMEOUT);
    Ok(match config.protocol {
        Protocol::Grpc => client
            .http2_only(true)
            // A peer that vanished is noticed before the next batch has to wait for it.
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(10))
            .build(connector.enable_http2().wrap_connector(through)),
        Protocol::HttpProtobuf | Protocol::HttpJson => client.build(connector.enable_http1().wrap_connector(through)),
    })
}

/// The headers from the settings, and ours where they say nothing.
pub(super) fn headers(config: &SignalConfig, content_type: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::USER_AGENT, USER_AGENT);
    if let Some(authorization) = config.endpoint.authorization() {
        headers.insert(http::header::AUTHORIZATION, authorization.clone());
    }
    // In a tunnel the connector says it, to the proxy alone.
    if let Some(proxy) =
        config.proxy.as_ref().filter(|_| !config.endpoint.is_https() && config.protocol != Protocol::Grpc)
        && let Some(authorization) = proxy.authorization()
    {
        headers.insert(http::header::PROXY_AUTHORIZATION, authorization.clone());
    }
    for (name, value) in config.headers.iter() {
        headers.insert(name, value.clone());
    }
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers
}

/// The largest body before compression that `config` allows.
pub(super) fn max_request_bytes(config: &SignalConfig) -> usize {
    config.max_request_bytes.min(HARD_MAX_REQUEST_BYTES)
}

/// `body` as `compression` wants it.
pub(super) fn compressed(body: &Bytes, compression: Compression) -> Bytes {
    match compression {
        Compression::None => body.clone(),
        Compression::Gzip => {
            let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4 + 64), Level::fast());
            // Writing to memory cannot fail.
            drop(encoder.write_all(body));
            encoder.finish().map_or_else(|_| body.clone(), Bytes::from)
        }
        // Without memory for its tables; the server then says what it thinks of a plain body.
        Compression::Zstd => zstd::bulk::compress(body, 1).map_or_else(|_| body.clone(), Bytes::from),
    }
}

/// Why an answer could not be read.
pub(super) enum Unreadable {
    /// It has more than 4 MiB.
    TooLarge,
    /// It ended early.
    Closed,
}

/// The data and the trailers of an answer.
pub(super) async fn read_answer(mut body: Incoming) -> Result<(Vec<u8>, HeaderMap), Unreadable> {
    let mut data = Vec::new();
    let mut trailers = HeaderMap::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Unreadable::Closed)?;
        match frame.into_data() {
            Ok(bytes) if data.len() + bytes.len() > MAX_ANSWER_BYTES => return Err(Unreadable::TooLarge),
            Ok(bytes) => data.extend_from_slice(&bytes),
            Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
        }
    }
    Ok((data, trailers))
}

/// What to tell of a request that got no answer.
pub(super) fn problem_of(error: &hyper_util::client::legacy::Error) -> Problem {
    if !error.is_connect() {
        let hyper = error.source().and_then(|error| error.downcast_ref::<hyper::Error>());
        return if hyper.is_some_and(hyper::Error::is_parse) { Problem::NotHttp } else { Problem::Closed };
    }
    let mut why = "no connection".to_owned();
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<TunnelRefused>() {
            return Problem::Connect(refused.to_string());
        }
        if error.to_string().starts_with("dns error") {
            return Problem::Connect("the host name cannot be resolved".to_owned());
        }
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            match tls_failure(io) {
                Some(tls) => return Problem::Connect(format!("the TLS handshake failed: {tls}")),
                None => why = io.kind().to_string(),
            }
        }
        cause = error.source();
    }
    Problem::Connect(why)
}

/// Why TLS failed, if it did. The connector wraps what the handshake says into an `io::Error` of its own.
fn tls_failure(error: &std::io::Error) -> Option<String> {
    let inner = error.get_ref()?.downcast_ref::<std::io::Error>()?;
    let rustls = inner.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    Some(rustls.map_or_else(|| inner.kind().to_string(), ToString::to_string))
}

//! What a destination is told to be: plain data, made from settings by whoever reads them.

use super::backend::{Backend, Limits};
use super::endpoint::{Endpoint, Headers};
use super::memory::MemoryDestination;
use super::own::OwnDestination;
use super::proxy::{Proxies, Proxy, UnusableProxy};
use super::spool::DestinationId;
use super::tls::Tls;
use crate::encode::Signal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use vigil_core::id::SpanId;

/// The bytes of batches a destination may hold back, all signals together: 32 MiB.
pub const DEFAULT_QUEUE_BYTES: usize = 32 << 20;
/// How long one request may take, from connecting to the last byte of the answer: 10 seconds.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes a request may have before compression whatever the settings say: 64 MiB, OTLP's limit.
pub const HARD_MAX_REQUEST_BYTES: usize = 64 << 20;

/// How requests are spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Protocol {
    /// `POST` with a protobuf body over HTTP/1.1. The default.
    #[default]
    HttpProtobuf,
    /// `POST` with a JSON body over HTTP/1.1: larger, and readable by everything on the way.
    HttpJson,
    /// Unary gRPC over HTTP/2, with prior knowledge where there is no TLS.
    Grpc,
}

impl Protocol {
    /// The most bytes a request has before compression unless set otherwise. What receivers take by default:
    /// 4 MiB for gRPC, 20 MiB for HTTP. Larger batches are split.
    pub const fn default_max_request_bytes(self) -> usize {
        match self {
            Protocol::HttpProtobuf | Protocol::HttpJson => 20 << 20,
            Protocol::Grpc => 4 << 20,
        }
    }

    /// The word in `OTEL_EXPORTER_OTLP_PROTOCOL`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Protocol::HttpProtobuf => "http/protobuf",
            Protocol::HttpJson => "http/json",
            Protocol::Grpc => "grpc",
        }
    }
}

/// How request bodies are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all. The default.
    #[default]
    None,
    /// With gzip, at its fastest.
    Gzip,
    /// With zstd at level 1: smaller and faster than gzip, where the other side knows it.
    Zstd,
}

impl Compression {
    /// The word in headers; none for none.
    pub(super) const fn coding(self) -> Option<&'static str> {
        match self {
            Compression::None => None,
            Compression::Gzip => Some("gzip"),
            Compression::Zstd => Some("zstd"),
        }
    }
}

/// How one signal reaches an OTLP destination.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SignalConfig {
    /// How requests are spoken.
    pub protocol: Protocol,
    /// Where they go.
    pub endpoint: Endpoint,
    /// What they carry besides. Defaults to nothing.
    pub headers: Headers,
    /// How long one may take. Defaults to [`DEFAULT_TIMEOUT`].
    pub timeout: Duration,
    /// How bodies are compressed. Defaults to not at all.
    pub compression: Compression,
    /// The most bytes of a body before compression; larger batches are split, and a single larger record is
    /// lost as too large. Defaults to [`Protocol::default_max_request_bytes`].
    pub max_request_bytes: usize,
    /// Whom to trust and who to be. Defaults to the system's authorities and nobody.
    pub tls: Tls,
    /// Through what to go. Defaults to nothing.
    pub proxy: Option<Proxy>,
    /// What the destination takes of one record and one trace. Defaults to everything.
    pub limits: Limits,
}

impl SignalConfig {
    /// Everything at its default.
    pub fn new(protocol: Protocol, endpoint: Endpoint) -> Self {
        Self {
            protocol,
            endpoint,
            headers: Headers::new(),
            timeout: DEFAULT_TIMEOUT,
            compression: Compression::None,
            max_request_bytes: protocol.default_max_request_bytes(),
            tls: Tls::default(),
            proxy: None,
            limits: Limits::default(),
        }
    }

    /// Goes through the one of `proxies` that is for the endpoint, if there is one.
    ///
    /// # Errors
    /// There is one, and it cannot be used: everything stays as it was.
    pub fn through(&mut self, proxies: &Proxies) -> Result<(), UnusableProxy> {
        self.proxy = proxies.proxy_for(self.endpoint.uri())?;
        Ok(())
    }

    /// Keeps to what `backend` takes.
    pub fn keep_to(&mut self, backend: Backend) {
        self.limits = backend.limits();
        if let Some(bytes) = self.limits.request_bytes {
            self.max_request_bytes = self.max_request_bytes.min(bytes);
        }
    }
}

/// How an OTLP destination is reached, signal by signal; a signal without a setting is not sent there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OtlpConfig {
    /// Spans.
    pub traces: Option<SignalConfig>,
    /// Events.
    pub logs: Option<SignalConfig>,
    /// Data points.
    pub metrics: Option<SignalConfig>,
}

impl OtlpConfig {
    /// The setting for `signal`.
    pub fn signal(&self, signal: Signal) -> Option<&SignalConfig> {
        match signal {
            Signal::Traces => self.traces.as_ref(),
            Signal::Logs => self.logs.as_ref(),
            Signal::Metrics => self.metrics.as_ref(),
        }
    }
}

/// What kind of place a destination is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Target {
    /// A collector or a backend.
    Otlp(Box<OtlpConfig>),
    /// A directory for `traces.jsonl`, `logs.jsonl` and `metrics.jsonl`, made when first needed.
    Directory(PathBuf),
    /// Memory of this process, for tests.
    Memory(MemoryDestination),
    /// Whatever you make of batches.
    Own(Arc<dyn OwnDestination>),
}

/// One destination.
#[derive(Clone, Debug)]
pub struct DestinationConfig {
    /// What messages and receipts call it. Must not hold secrets.
    pub name: String,
    /// What it is.
    pub target: Target,
    /// The bytes of batches it may hold back, all signals together. Defaults to [`DEFAULT_QUEUE_BYTES`].
    pub queue_bytes: usize,
    /// The records of each signal it may hold back beside that, by [`Signal::index`]. Defaults to no limit.
    pub queue_records: [Option<u64>; 3],
}

impl DestinationConfig {
    /// A destination with the default queue.
    pub fn new(name: impl Into<String>, target: Target) -> Self {
        Self { name: name.into(), target, queue_bytes: DEFAULT_QUEUE_BYTES, queue_records: [None; 3] }
    }

    /// Who this is over restarts: where it is and which headers it gets, as 64 bits that say neither.
    pub(super) fn id(&self) -> DestinationId {
        let mut parts = Vec::new();
        match &self.target {
            Target::Otlp(otlp) => {
                for config in Signal::ALL.into_iter().filter_map(|signal| otlp.signal(signal)) {
                    parts.push(format!("{:?}", config.protocol).into_bytes());
                    parts.push(config.endpoint.uri().to_string().into_bytes());
                    parts.extend(config.endpoint.authorization().map(|value| value.as_bytes().to_vec()));
                    for (name, value) in config.headers.iter() {
                        parts.extend([name.as_str().as_bytes().to_vec(), value.as_bytes().to_vec()]);
                    }
                }
            }
            Target::Directory(_) | Target::Memory(_) | Target::Own(_) => parts.push(self.name.clone().into_bytes()),
        }
        let parts: Vec<_> = parts.iter().map(|part| String::from_utf8_lossy(part)).collect();
        let parts: Vec<_> = parts.iter().map(|part| &**part).collect();
        DestinationId(u64::from_be_bytes(SpanId::derived(&parts).0))
    }
}

//! A collector that fails in every way there is, and counts what it took.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What it does with a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Behaviour {
    Take,
    Hang,
    Unavailable,
    BadRequest,
    /// 429 with `Retry-After: 30`.
    Throttle,
    Reset,
    Garbage,
    /// An answer of a gigabyte.
    Gigabyte,
    CloseMidBody,
}

impl Behaviour {
    pub(crate) const BAD: [Self; 8] = [
        Self::Hang,
        Self::Unavailable,
        Self::BadRequest,
        Self::Throttle,
        Self::Reset,
        Self::Garbage,
        Self::Gigabyte,
        Self::CloseMidBody,
    ];
}

/// What it took.
#[derive(Default)]
pub(crate) struct Taken {
    /// How often each span came, by the number its agent gave it.
    pub(crate) spans: HashMap<u64, u32>,
    /// Spans that were closed because their process was gone.
    pub(crate) process_lost: u64,
    /// Requests whose first span began before the first span of the one before.
    pub(crate) out_of_order: u64,
    last_begin: u64,
}

impl Taken {
    /// Counts the spans of a request.
    pub(crate) fn take(&mut self, body: &[u8]) {
        let Ok(request) = ExportTraceServiceRequest::decode(body) else { return };
        let spans =
            request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans);
        let mut first = None;
        for span in spans {
            first.get_or_insert(span.start_time_unix_nano);
            let is_lost = |attribute: &KeyValue| {
                let lost = Value::StringValue(vigil::ErrorType::PROCESS_LOST.as_str().to_owned());
                attribute.key == vigil::contract::attr::ERROR_TYPE.name()
                    && attribute.value.as_ref().and_then(|value| value.value.as_ref()) == Some(&lost)
            };
            self.process_lost += u64::from(span.attributes.iter().any(is_lost));
            let number = span
                .attributes
                .iter()
                .find(|attribute| attribute.key == vigil::contract::attr::GEN_AI_TOOL_CALL_ID.name());
            if let Some(Value::StringValue(number)) = number.and_then(|one| one.value.as_ref()?.value.as_ref())
                && let Ok(number) = number.parse()
            {
                *self.spans.entry(number).or_insert(0) += 1;
            }
        }
        if let Some(first) = first {
            self.out_of_order += u64::from(first < self.last_begin);
            self.last_begin = first;
        }
    }
}

pub(crate) struct Collector {
    address: SocketAddr,
    taken: Arc<Mutex<Taken>>,
}

/// An address nobody listens at.
pub(crate) fn vacant() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

impl Collector {
    pub(crate) fn start(behaviour: Behaviour) -> io::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), behaviour)
    }

    pub(crate) fn start_at(address: SocketAddr, behaviour: Behaviour) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let taken = Arc::<Mutex<Taken>>::default();
        let shared = Arc::clone(&taken);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                // Whoever hangs up has nothing more to say.
                std::thread::spawn(move || serve(connection, behaviour, &shared).ok());
            }
        });
        Ok(Self { address, taken })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many different spans came, and how many came again.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let taken = self.taken();
        let all: u64 = taken.spans.values().map(|times| u64::from(*times)).sum();
        (taken.spans.len() as u64, all - taken.spans.len() as u64)
    }
}

fn serve(mut connection: TcpStream, behaviour: Behaviour, taken: &Mutex<Taken>) -> io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    loop {
        let (mut path, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            } else if line.trim().is_empty() {
                break;
            } else if path.is_empty() {
                path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        match behaviour {
            Behaviour::Take => {
                if path == "/v1/traces" {
                    taken.lock().unwrap_or_else(PoisonError::into_inner).take(&body);
                }
                connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
            }
            Behaviour::Hang => std::thread::sleep(Duration::from_secs(3600)),
            Behaviour::Unavailable => {
                connection.write_all(b"HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\n\r\n")?;
            }
            Behaviour::BadRequest => connection.write_all(b"HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n")?,
            Behaviour::Throttle => {
                connection.write_all(b"HTTP/1.1 429 Slow down\r\nretry-after: 30\r\ncontent-length: 0\r\n\r\n")?
            }
            Behaviour::Reset => return Ok(()),
            Behaviour::Garbage => {
                connection.write_all(b"\x00\x01garbage\r\n\r\nSSH-2.0")?;
                return Ok(());
            }
            Behaviour::Gigabyte => {
                connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")?;
                for _ in 0..16_000 {
                    connection.write_all(&[0; 65_536])?;
                }
                return Ok(());
            }
            Behaviour::CloseMidBody => {
                connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc")?;
                return Ok(());
            }
        }
    }
}

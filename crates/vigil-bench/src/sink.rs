//! An OTLP/HTTP receiver on the loopback that counts what it is given and says yes.
//!
//! It reads the protobuf only as deep as the records and counts them, so that the receiver takes little of the
//! machine away from those who are measured. A body may have 64 MiB; what is larger, or not protobuf, is
//! answered 400 and counted as refused. One thread a connection.

use crate::process;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// The largest body taken.
const BODY_MAX: usize = 64 << 20;
/// The most lines and bytes of a request's head.
const HEAD_MAX: usize = 16 << 10;

/// What arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) spans: u64,
    pub(crate) logs: u64,
    pub(crate) metrics: u64,
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    pub(crate) refused: u64,
}

#[derive(Default)]
struct State {
    counts: Counts,
    /// Bodies of requests with spans, where they are wanted.
    kept: Option<Vec<Vec<u8>>>,
}

/// A sink in this process.
pub(crate) struct Sink {
    state: Arc<Mutex<State>>,
    port: u16,
}

impl Sink {
    /// Listens on a free port. With `keep` the bodies of requests with spans are kept.
    pub(crate) fn start(keep: bool) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(Mutex::new(State { kept: keep.then(Vec::new), ..State::default() }));
        let shared = state.clone();
        std::thread::Builder::new().name("sink".into()).spawn(move || {
            for connection in listener.incoming().flatten() {
                let shared = shared.clone();
                let serving = std::thread::Builder::new().name("sink-connection".into()).spawn(move || {
                    // Whoever hangs up has nothing more to say; what arrived was counted.
                    serve_connection(connection, &shared).ok();
                });
                drop(serving);
            }
        })?;
        Ok(Self { state, port })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn counts(&self) -> Counts {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).counts
    }

    /// The bodies kept so far; forgets them.
    pub(crate) fn take(&self) -> Vec<Vec<u8>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.kept.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

/// As a child process: says the endpoint, then answers every line with the counts.
pub(crate) fn serve() -> Result<(), Box<dyn Error>> {
    let sink = Sink::start(false)?;
    process::say(&sink.endpoint())?;
    process::serve(|(): ()| Ok(sink.counts()))
}

fn serve_connection(connection: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(64 << 10, connection);
    let mut body = Vec::new();
    while let Some(head) = read_head(&mut reader)? {
        let result = match head.length {
            Some(length) if length <= BODY_MAX => {
                body.clear();
                body.resize(length, 0);
                reader.read_exact(&mut body)?;
                count_records(&body)
            }
            _ => None,
        };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = &mut state.counts;
        counts.requests += 1;
        counts.bytes += body.len() as u64;
        match (result, head.path.as_str()) {
            (Some(records), "/v1/traces") => counts.spans += records,
            (Some(records), "/v1/logs") => counts.logs += records,
            (Some(records), "/v1/metrics") => counts.metrics += records,
            _ => counts.refused += 1,
        }
        if head.path == "/v1/traces"
            && let Some(kept) = &mut state.kept
        {
            kept.push(body.clone());
        }
        drop(state);
        let status = if result.is_some() { "200 OK" } else { "400 Bad Request" };
        // An empty body is an empty, hence successful, OTLP answer.
        write!(
            reader.get_mut(),
            "HTTP/1.1 {status}\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"
        )?;
        if result.is_none() {
            break;
        }
    }
    Ok(())
}

struct Head {
    path: String,
    length: Option<usize>,
}

/// `None` when the peer is done.
fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut limited = reader.take(HEAD_MAX as u64);
    let mut line = String::new();
    if limited.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = None;
    loop {
        line.clear();
        if limited.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let Some((name, value)) = line.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok();
        }
    }
    Ok(Some(Head { path, length }))
}

/// The number of records in an OTLP request. Of traces, logs and metrics alike: the request holds resources in
/// field 1, those hold scopes in field 2, and those hold records in field 2. `None` when it is no protobuf.
fn count_records(request: &[u8]) -> Option<u64> {
    let mut records = 0;
    each_message(request, 1, |resource| {
        each_message(resource, 2, |scope| {
            each_message(scope, 2, |_| {
                records += 1;
                Some(())
            })
        })
    })?;
    Some(records)
}

/// Calls `with` for every message in `field`.
fn each_message(mut bytes: &[u8], field: u64, mut with: impl FnMut(&[u8]) -> Option<()>) -> Option<()> {
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let skip = match tag & 7 {
            0 => {
                varint(&mut bytes)?;
                0
            }
            1 => 8,
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                if tag >> 3 == field {
                    with(bytes.get(..length)?)?;
                }
                length
            }
            5 => 4,
            _ => return None,
        };
        bytes = bytes.get(skip..)?;
    }
    Some(())
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message;

    fn request() -> Vec<u8> {
        let span = Span { name: "a".repeat(300), ..Span::default() };
        let scope = |spans: usize| ScopeSpans { spans: vec![span.clone(); spans], ..ScopeSpans::default() };
        let resource = |scopes| ResourceSpans { scope_spans: scopes, ..ResourceSpans::default() };
        let resource_spans = vec![resource(vec![scope(2), scope(0)]), resource(vec![]), resource(vec![scope(3)])];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    #[test]
    fn records_are_counted_over_resources_and_scopes() {
        assert_eq!(count_records(&request()), Some(5));
        assert_eq!(count_records(&[]), Some(0));
    }

    #[test]
    fn a_body_that_is_cut_anywhere_is_refused_or_holds_less() {
        let request = request();
        for length in 0..request.len() {
            assert!(count_records(&request[..length]).is_none_or(|records| records < 5), "{length}");
        }
    }

    #[test]
    fn a_request_over_a_socket_is_counted_kept_and_answered() {
        let sink = Sink::start(true).unwrap();
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, sink.port)).unwrap();
        let body = request();
        for _ in 0..2 {
            write!(socket, "POST /v1/traces HTTP/1.1\r\ncontent-length: {}\r\n\r\n", body.len()).unwrap();
            socket.write_all(&body).unwrap();
            let head = read_head(&mut BufReader::new(&socket)).unwrap().unwrap();
            assert_eq!((head.path.as_str(), head.length), ("200", Some(0)));
        }
        assert_eq!((sink.counts().spans, sink.counts().requests, sink.counts().refused), (10, 2, 0));
        assert_eq!(sink.take(), [body.clone(), body]);
    }

    #[test]
    fn what_is_no_protobuf_is_refused() {
        let sink = Sink::start(false).unwrap();
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, sink.port)).unwrap();
        socket.write_all(b"POST /v1/traces HTTP/1.1\r\ncontent-length: 3\r\n\r\n\x0f\xff\xff").unwrap();
        let head = read_head(&mut BufReader::new(&socket)).unwrap().unwrap();
        assert_eq!(head.path, "400");
        assert_eq!((sink.counts().spans, sink.counts().refused), (0, 1));
    }
}

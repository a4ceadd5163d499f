//! A small scripted OTLP server over real sockets: HTTP/1.1 by hand, so that it can misbehave, and gRPC by
//! hyper.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Status(u16, Vec<(&'static str, &'static str)>, Vec<u8>),
    /// 413 to bodies above this many bytes, 200 to others.
    Limit(usize),
    Hang,
    Garbage,
    CloseWithoutAnswer,
    CloseMidBody,
    Endless,
}

pub(super) const OK: Reply = Reply::Status(200, Vec::new(), Vec::new());

pub(super) fn status(status: u16) -> Reply {
    Reply::Status(status, vec![], b"token=echoed-secret".to_vec())
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) at: Instant,
}

/// The script and what happened; shared by connections.
#[derive(Debug)]
struct State<R> {
    script: Mutex<VecDeque<R>>,
    last: R,
    received: Mutex<Vec<Received>>,
}

impl<R: Clone> State<R> {
    fn new(script: Vec<R>, last: R) -> Arc<Self> {
        Arc::new(Self { script: Mutex::new(script.into()), last, received: Mutex::default() })
    }

    fn next(&self, request: Received) -> R {
        self.received.lock().unwrap().push(request);
        self.script.lock().unwrap().pop_front().unwrap_or_else(|| self.last.clone())
    }
}

#[derive(Debug)]
pub(super) struct HttpServer {
    pub(super) address: SocketAddr,
    state: Arc<State<Reply>>,
    stopped: Arc<AtomicBool>,
}

impl HttpServer {
    /// Answers with `script`, then with `last` for ever.
    pub(super) fn start(script: Vec<Reply>, last: Reply) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), script, last)
    }

    pub(super) fn start_at(address: SocketAddr, script: Vec<Reply>, last: Reply) -> Self {
        let listener = bind(address);
        let address = listener.local_addr().unwrap();
        let state = State::new(script, last);
        let of_thread = Arc::clone(&state);
        let stopped = Arc::new(AtomicBool::new(false));
        let has_stopped = Arc::clone(&stopped);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if has_stopped.load(Ordering::Relaxed) {
                    return;
                }
                let state = Arc::clone(&of_thread);
                std::thread::spawn(move || while serve(&connection, &state).is_some() {});
            }
        });
        Self { address, state, stopped }
    }

    /// Listens no more, so that another may at the same address.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        while TcpListener::bind(self.address).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.state.received.lock().unwrap().clone()
    }
}

fn serve(mut connection: &TcpStream, state: &State<Reply>) -> Option<()> {
    let request = read_request(connection)?;
    let body_len = request.body.len();
    let (status, headers, body) = match state.next(request) {
        Reply::Status(status, headers, body) => (status, headers, body),
        Reply::Limit(limit) => (if body_len > limit { 413 } else { 200 }, vec![], vec![]),
        Reply::Hang => {
            std::thread::sleep(Duration::from_secs(60));
            return None;
        }
        Reply::Garbage => {
            connection.write_all(b"\x00\x01garbage\r\n\r\nSSH-2.0").ok()?;
            return None;
        }
        Reply::CloseWithoutAnswer => return None,
        Reply::CloseMidBody => {
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc").ok()?;
            return None;
        }
        Reply::Endless => {
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").ok()?;
            while connection.write_all(&[0; 65536]).is_ok() {}
            return None;
        }
    };
    let mut answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        answer += &format!("{name}: {value}\r\n");
    }
    connection.write_all(format!("{answer}\r\n").as_bytes()).ok()?;
    connection.write_all(&body).ok()
}

fn read_request(connection: &TcpStream) -> Option<Received> {
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = HeaderMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    let length: usize = headers.get("content-length")?.to_str().ok()?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Received { path, headers, body, at: Instant::now() })
}

// === gRPC ===

/// A verdict: the code, further trailers, and the message.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) code: u32,
    pub(super) trailers: Vec<(&'static str, String)>,
    pub(super) message: Vec<u8>,
    /// The largest request taken; a larger one is RESOURCE_EXHAUSTED.
    pub(super) limit: usize,
}

pub(super) fn code(code: u32) -> Verdict {
    Verdict { code, trailers: vec![], message: vec![], limit: usize::MAX }
}

#[derive(Debug)]
pub(super) struct GrpcServer {
    pub(super) address: SocketAddr,
    state: Arc<State<Verdict>>,
}

impl GrpcServer {
    pub(super) fn start(script: Vec<Verdict>, last: Verdict) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let state = State::new(script, last);
        let of_thread = Arc::clone(&state);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    let state = Arc::clone(&of_thread);
                    let service = service_fn(move |request| answer(request, Arc::clone(&state)));
                    tokio::spawn(
                        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                            .serve_connection(TokioIo::new(stream), service),
                    );
                }
            });
        });
        Self { address, state }
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.state.received.lock().unwrap().clone()
    }
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<State<Verdict>>,
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = Infallible>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    let size = body.len();
    let path = head.uri.path().to_owned();
    let mut verdict = state.next(Received { path, headers: head.headers, body, at: Instant::now() });
    if size > verdict.limit {
        verdict.code = 8;
        verdict.trailers = vec![("grpc-message", "grpc: received message larger than max (1 vs. 0)".to_owned())];
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(verdict.code));
    for (name, value) in verdict.trailers {
        trailers.insert(name, HeaderValue::from_str(&value).unwrap());
    }
    let mut data = Vec::new();
    let mut response = Response::builder().header("content-type", "application/grpc");
    if verdict.code == 0 {
        data.push(0);
        data.extend_from_slice(&(verdict.message.len() as u32).to_be_bytes());
        data.extend_from_slice(&verdict.message);
    } else {
        // Failures without a message come in the headers alone.
        response.headers_mut().unwrap().extend(trailers.clone());
    }
    let body = Full::new(Bytes::from(data)).with_trailers(async move { Some(Ok(trailers)) });
    Ok(response.body(body).unwrap())
}

/// Listens at `address`, which a connection of another test may have for the moment.
fn bind(address: SocketAddr) -> TcpListener {
    for _ in 0..100 {
        match TcpListener::bind(address) {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                std::thread::sleep(Duration::from_millis(50));
            }
            bound => return bound.unwrap(),
        }
    }
    panic!("{address} is in use");
}

//! Asking servers over HTTP/1.1, hop by hop.
//!
//! For every hop of a chain of redirects: method, host, port and path are held against `net_policy`; the host's name is
//! looked up, and of its addresses only those the policy allows are connected to, without a second lookup that could
//! say something else. Headers of the request are sent on to another origin only where they are harmless
//! ([`HARMLESS`]), and its body only as HTTP says (307, 308).
//!
//! The whole chain may take `net_policy.timeout_ms`; a body may have `max_request_bytes` and `max_response_bytes`. No
//! proxy is used, nothing is retried, connections are not kept, compressed answers are not asked for.

use super::engine::Engine;
use super::url::Url;
use crate::deliver::tls::{Tls, client_config};
use crate::gateway::error::{BoxError, RuntimeError};
use crate::gateway::gateway::AsyncHandler;
use crate::gateway::{Answer, Call, Handler, Payload, Walk};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::json;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use vigil_core::policy::{Clause, Denied, Policy, capability};
use vigil_core::vocab::ErrorType;

/// What is sent on to another origin.
const HARMLESS: [HeaderName; 4] = [header::ACCEPT, header::ACCEPT_LANGUAGE, header::CONTENT_TYPE, header::USER_AGENT];
/// What a request may not set itself: it is made of the URL and the body.
const OURS: [HeaderName; 5] =
    [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::UPGRADE];
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("Vigil/", env!("CARGO_PKG_VERSION")));

/// A request to a server.
#[derive(Clone, PartialEq, Eq)]
pub struct FetchRequest {
    /// The method, in capitals.
    pub method: String,
    /// The URL: `http` or `https`, without user and password.
    pub url: String,
    /// Headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for FetchRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers are secrets more often than not.
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        let body = self.body.len();
        f.debug_struct("FetchRequest")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("headers", &headers)
            .field("body_bytes", &body)
            .finish()
    }
}

impl FetchRequest {
    /// A request with this method.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self { method: method.into(), url: url.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// Asks for `url`.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// Sends `body` to `url`.
    pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::new("POST", url) }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

impl Payload for FetchRequest {
    fn walk(&self, walk: &mut Walk) {
        (&self.method, &self.url, &self.headers, &self.body).walk(walk);
    }
}

/// What a server answered. Any status is an answer, also one that says the request failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchResponse {
    /// The status.
    pub status: u16,
    /// Where the answer came from, after redirects.
    pub url: String,
    /// Its headers, in order; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl FetchResponse {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl Payload for FetchResponse {
    fn walk(&self, walk: &mut Walk) {
        (u64::from(self.status), &self.url, &self.headers, &self.body).walk(walk);
    }
}

impl Answer for FetchResponse {
    /// `length of the head u32 | head, as JSON | body`, little endian.
    fn to_record(&self) -> Vec<u8> {
        let head = json!({ "status": self.status, "url": self.url, "headers": self.headers }).to_string();
        let length = u32::try_from(head.len()).unwrap_or(u32::MAX);
        [&length.to_le_bytes(), head.as_bytes(), &self.body].concat()
    }

    fn from_record(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk()?;
        let (head, body) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        let head: serde_json::Value = serde_json::from_slice(head).ok()?;
        let pair = |pair: &serde_json::Value| Some((pair[0].as_str()?.to_owned(), pair[1].as_str()?.to_owned()));
        Some(Self {
            status: u16::try_from(head["status"].as_u64()?).ok()?,
            url: head["url"].as_str()?.to_owned(),
            headers: head["headers"].as_array()?.iter().map(pair).collect::<Option<_>>()?,
            body: body.to_vec(),
        })
    }
}

/// Looks up the addresses of a host.
type Resolver = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Asks servers. Takes a [`FetchRequest`]. Clones share a thread, which starts with the first request.
///
/// ```no_run
/// use vigil::gateway::{Fetch, FetchRequest, Gateway, Policy};
/// # let telemetry = vigil::testing::recorder();
/// # let agent = telemetry.agent_span("session", "agent");
///
/// let gateway = Gateway::new(Policy::parse(
///     r#"{ "rules": { "net.fetch": { "budget": 20 } }, "net_policy": { "allowed_domains": ["*.example.com"] } }"#,
/// )?);
/// let fetch = Fetch::new();
/// let page = gateway.run(&agent, &fetch, FetchRequest::get("https://www.example.com/"))?;
/// assert_eq!(page.status, 200);
/// // In async code: gateway.run_async(&agent, &fetch, request).await
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Fetch(Arc<Shared>);

struct Shared {
    engine: Engine,
    resolver: Arc<Resolver>,
    /// Made with the first request that is encrypted: the system's certificates are read for it.
    tls: OnceLock<Arc<ClientConfig>>,
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch").finish_non_exhaustive()
    }
}

impl Default for Fetch {
    fn default() -> Self {
        Self::new()
    }
}

impl Fetch {
    /// Asks servers at the addresses the operating system knows.
    pub fn new() -> Self {
        Self::with_resolver(|host, port| std::net::ToSocketAddrs::to_socket_addrs(&(host, port)).map(Iterator::collect))
    }

    /// Asks servers at the addresses `resolver` knows. What it answers is held against the policy like any other.
    pub fn with_resolver(resolver: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Self {
        let resolver = Arc::new(resolver);
        Self(Arc::new(Shared { engine: Engine::default(), resolver, tls: OnceLock::new() }))
    }

    fn chain(&self, call: &Call<'_>, request: FetchRequest) -> Result<Chain, BoxError> {
        let policy = call.shared_policy();
        if request.body.len() as u64 > policy.net.max_request_bytes {
            return Err(denied(Clause::RequestBytes));
        }
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| invalid("not a method"))?;
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, USER_AGENT);
        for (name, value) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid("not the name of a header"))?;
            let value = HeaderValue::from_str(value).map_err(|_| invalid("not the value of a header"))?;
            if OURS.contains(&name) {
                return Err(invalid("a header that is made of the URL and the body"));
            }
            headers.append(name, value);
        }
        let url = Url::parse(&request.url)?;
        Ok(Chain { fetch: self.clone(), policy, method, url, headers, body: request.body.into() })
    }
}

impl Handler<FetchRequest> for Fetch {
    type Answer = FetchResponse;

    fn capability(&self) -> &str {
        capability::NET_FETCH
    }

    fn handle(&self, call: &Call<'_>, request: FetchRequest) -> Result<FetchResponse, BoxError> {
        let chain = self.chain(call, request)?;
        let (sender, receiver) = channel();
        self.0.engine.start(async move {
            // Whoever waited is gone, then nobody needs it.
            sender.send(chain.follow_in_time().await).ok();
        })?;
        receiver.recv().map_err(|_| "the thread that fetches has ended")?
    }
}

impl AsyncHandler<FetchRequest> for Fetch {
    async fn handle_async(&self, call: &Call<'_>, request: FetchRequest) -> Result<FetchResponse, BoxError> {
        let chain = self.chain(call, request)?;
        let (mut sender, receiver) = oneshot::channel();
        self.0.engine.start(async move {
            tokio::select! {
                // Given up: the connection is closed with the future that holds it.
                () = sender.closed() => {}
                result = chain.follow_in_time() => drop(sender.send(result)),
            }
        })?;
        receiver.await.map_err(|_| "the thread that fetches has ended")?
    }
}

fn denied(clause: Clause) -> BoxError {
    Denied { capability: capability::NET_FETCH.to_owned(), clause }.into()
}

fn invalid(why: &'static str) -> BoxError {
    RuntimeError::new(ErrorType::INVALID_REQUEST, why).into()
}

fn broken(why: &'static str) -> BoxError {
    RuntimeError::new(ErrorType::CONNECTION, why).into()
}

/// A request with all its hops.
struct Chain {
    fetch: Fetch,
    policy: Arc<Policy>,
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
}

impl Chain {
    async fn follow_in_time(self) -> Result<FetchResponse, BoxError> {
        let time = Duration::from_millis(self.policy.net.timeout_ms);
        let late = |_| RuntimeError::new(ErrorType::TIMEOUT, "the server took too long");
        tokio::time::timeout(time, self.follow()).await.map_err(late)?
    }

    async fn follow(mut self) -> Result<FetchResponse, BoxError> {
        let mut redirects = 0;
        loop {
            let (status, headers, body) = self.hop().await?;
            let location = headers.get(header::LOCATION).filter(|_| is_redirect(status));
            let Some(location) = location.filter(|_| self.policy.net.allow_redirects) else {
                return self.answer(status, &headers, body).await;
            };
            redirects += 1;
            if redirects > self.policy.net.max_redirects {
                return Err(denied(Clause::Redirects));
            }
            let location = location.to_str().map_err(|_| invalid("the redirect leads nowhere"))?;
            self.redirect(status, self.url.join(location)?);
        }
    }

    /// One request and the head of its answer.
    async fn hop(&self) -> Result<(StatusCode, HeaderMap, Incoming), BoxError> {
        self.policy.check_request(self.url.target(self.method.as_str())).map_err(denied)?;
        let stream = self.connect().await?;
        if self.url.is_https {
            let name = ServerName::try_from(self.url.host_to_look_up().to_owned()).map_err(|_| broken("not a name"))?;
            let connector = TlsConnector::from(self.fetch.tls()?);
            let stream = connector.connect(name, stream).await.map_err(|_| broken("the TLS handshake failed"))?;
            self.exchange(stream).await
        } else {
            self.exchange(stream).await
        }
    }

    /// A connection to the first address that may be asked and answers.
    async fn connect(&self) -> Result<TcpStream, BoxError> {
        let (resolver, port) = (Arc::clone(&self.fetch.0.resolver), self.url.port);
        let host = self.url.host_to_look_up().to_owned();
        let lookup = tokio::task::spawn_blocking(move || resolver(&host, port));
        let found = lookup.await.map_err(|_| broken("the lookup failed"))?;
        let found = found.map_err(|_| broken("the host cannot be found"))?;
        if found.is_empty() {
            return Err(broken("the host has no address"));
        }
        let mut refusal = None;
        let mut failure = None;
        for address in found {
            match self.policy.check_address(address.ip()) {
                // To the address that was looked at, not to the name, which may lead elsewhere by now.
                Ok(()) => match TcpStream::connect(address).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => failure = Some(error),
                },
                Err(clause) => refusal = Some(clause),
            }
        }
        Err(match (failure, refusal) {
            (Some(error), _) => RuntimeError::new(ErrorType::CONNECTION, error.kind().to_string()).into(),
            (None, Some(clause)) => denied(clause),
            (None, None) => broken("the host has no address"),
        })
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<(StatusCode, HeaderMap, Incoming), BoxError> {
        let no_http = |_| RuntimeError::new(ErrorType::INVALID_RESPONSE, "the server does not speak HTTP");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(no_http)?;
        // Ends with the answer's body, or when that is dropped.
        tokio::runtime::Handle::current().spawn(connection);
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.url.path_and_query.parse().map_err(|_| invalid("not a path"))?;
        *request.headers_mut() = self.headers.clone();
        let host = HeaderValue::from_str(&self.url.authority()).map_err(|_| invalid("not a host"))?;
        request.headers_mut().insert(header::HOST, host);
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        let answer = sender
            .send_request(request)
            .await
            .map_err(|error| if error.is_parse() { no_http(error).into() } else { broken("the connection broke") })?;
        let (head, body) = answer.into_parts();
        Ok((head.status, head.headers, body))
    }

    async fn answer(
        self,
        status: StatusCode,
        headers: &HeaderMap,
        mut body: Incoming,
    ) -> Result<FetchResponse, BoxError> {
        let most = self.policy.net.max_response_bytes;
        let too_large = || {
            let error_type = ErrorType::from_static("response_too_large");
            RuntimeError::new(error_type, format!("the answer is longer than {most} bytes"))
        };
        if self.method != Method::HEAD && hyper::body::Body::size_hint(&body).lower() > most {
            return Err(too_large().into());
        }
        let mut kept = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| broken("the answer ends too early"))?;
            if let Ok(data) = frame.into_data() {
                if (kept.len() + data.len()) as u64 > most {
                    return Err(too_large().into());
                }
                kept.extend_from_slice(&data);
            }
        }
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
        Ok(FetchResponse { status: status.as_u16(), url: self.url.to_string(), headers: headers.collect(), body: kept })
    }

    /// Turns to where a redirect leads.
    fn redirect(&mut self, status: StatusCode, to: Url) {
        let becomes_get = match status {
            StatusCode::SEE_OTHER => self.method != Method::HEAD,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            self.method = Method::GET;
            self.body = Bytes::new();
            self.headers.remove(header::CONTENT_TYPE);
        }
        if !self.url.has_same_origin(&to) {
            let kept = HARMLESS.into_iter().flat_map(|name| {
                let values: Vec<_> = self.headers.get_all(&name).iter().cloned().collect();
                values.into_iter().map(move |value| (name.clone(), value))
            });
            self.headers = kept.collect();
        }
        self.url = to;
    }
}

const fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

impl Fetch {
    fn tls(&self) -> Result<Arc<ClientConfig>, BoxError> {
        if let Some(config) = self.0.tls.get() {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(client_config(true, &Tls::default())?);
        Ok(Arc::clone(self.0.tls.get_or_init(|| config)))
    }
}

//! The way to a destination through a proxy: an `https` or gRPC one through a tunnel (`CONNECT`), plain HTTP by
//! handing the request itself to the proxy.
//!
//! Proxies are spoken to over HTTP without TLS, with user and password where their URL has them. Loopback
//! destinations are always reached directly: whoever set a proxy for the network did not mean a collector next door.

use http::Uri;
use http::header::HeaderValue;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::TcpStream;
use tower_service::Service;

/// The proxies to use, and for whom none.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Proxies {
    /// For `http` destinations: `http://[user:password@]host:port`. Defaults to none.
    pub http: Option<String>,
    /// For `https` destinations. Defaults to none.
    pub https: Option<String>,
    /// Hosts reached without: names with their subdomains, addresses, networks, or `*`; separated by commas.
    pub none_for: Option<String>,
}

/// A proxy to go through. Its user and password are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    uri: Uri,
    authorization: Option<HeaderValue>,
}

/// The proxy is not one that can be used: its URL is not one of HTTP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnusableProxy;

impl fmt::Display for UnusableProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the proxy is not of the form http://host:port")
    }
}

impl std::error::Error for UnusableProxy {}

impl Proxies {
    /// The proxy for `destination`, if it needs one.
    ///
    /// # Errors
    /// There is one, and it cannot be used.
    pub(super) fn proxy_for(&self, destination: &Uri) -> Result<Option<Proxy>, UnusableProxy> {
        if destination.host().is_none_or(is_loopback) {
            return Ok(None);
        }
        let given = match destination.scheme_str() {
            Some("https") => self.https.as_deref(),
            _ => self.http.as_deref(),
        };
        let Some(given) = given else { return Ok(None) };
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let matcher = Matcher::builder().all(given.to_owned()).no(text(&self.none_for)).build();
        // A proxy that makes no sense matches nothing; so does a destination that needs none.
        let open = Matcher::builder().all("http://proxy.invalid").no(text(&self.none_for)).build();
        match (matcher.intercept(destination), open.intercept(destination)) {
            (Some(found), _) if found.uri().scheme_str() == Some("http") => {
                Ok(Some(Proxy { uri: found.uri().clone(), authorization: found.basic_auth().cloned() }))
            }
            (_, None) => Ok(None),
            _ => Err(UnusableProxy),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

impl Proxy {
    /// What a request that is handed to the proxy itself carries.
    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }
}

/// Shows scheme, host and port.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        write!(f, "Proxy({})", authority.rsplit('@').next().unwrap_or_default())
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies")
            .field("http", &self.http.is_some())
            .field("https", &self.https.is_some())
            .field("none_for", &self.none_for)
            .finish()
    }
}

/// The proxy was reached and makes no tunnel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TunnelRefused;

impl fmt::Display for TunnelRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the proxy does not let us through")
    }
}

impl std::error::Error for TunnelRefused {}

/// Makes connections, through a proxy where there is one.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    http: HttpConnector,
    proxy: Option<Proxy>,
    /// Through a tunnel, rather than by handing requests to the proxy.
    tunnel: bool,
}

impl Connector {
    pub(super) fn new(http: HttpConnector, proxy: Option<Proxy>, tunnel: bool) -> Self {
        Self { http, proxy, tunnel }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.http.poll_ready(context).map_err(BoxError::from)
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let mut http = self.http.clone();
        match self.proxy.clone() {
            None => Box::pin(async move { Ok(Stream { inner: http.call(destination).await?, is_proxy: false }) }),
            Some(proxy) if self.tunnel => {
                let mut tunnel = Tunnel::new(proxy.uri, http);
                if let Some(authorization) = proxy.authorization {
                    tunnel = tunnel.with_auth(authorization);
                }
                Box::pin(async move {
                    let inner = tunnel.call(destination).await.map_err(|error| -> BoxError {
                        match std::error::Error::source(&error) {
                            // The proxy was not reached at all.
                            Some(_) => error.into(),
                            None => TunnelRefused.into(),
                        }
                    })?;
                    Ok(Stream { inner, is_proxy: false })
                })
            }
            Some(proxy) => Box::pin(async move { Ok(Stream { inner: http.call(proxy.uri).await?, is_proxy: true }) }),
        }
    }
}

pin_project! {
    /// A connection that knows whether a proxy reads the requests on it.
    #[derive(Debug)]
    pub(super) struct Stream {
        #[pin]
        inner: TokioIo<TcpStream>,
        is_proxy: bool,
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.inner.connected().proxy(self.is_proxy)
    }
}

impl Read for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write_vectored(context, slices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(none_for: &str) -> Proxies {
        Proxies {
            http: Some("http://user:secret@proxy:3128".to_owned()),
            https: Some("proxy:3129".to_owned()),
            none_for: Some(none_for.to_owned()),
        }
    }

    #[test]
    fn a_destination_gets_the_proxy_of_its_scheme_unless_it_is_named_or_next_door() {
        let proxies = proxies("internal.example, 10.0.0.0/8");
        let port = |url: &'static str| {
            let proxy = proxies.proxy_for(&Uri::from_static(url)).unwrap();
            proxy.map(|proxy| proxy.uri.port_u16().unwrap())
        };
        assert_eq!(port("http://collector:4318/"), Some(3128));
        assert_eq!(port("https://collector/"), Some(3129));
        for direct in [
            "http://localhost:4318/",
            "http://127.0.0.9/",
            "http://[::1]:4318/",
            "https://a.internal.example/",
            "http://10.1.2.3:4318/",
        ] {
            assert_eq!(port(direct), None, "{direct}");
        }
        assert_eq!(Proxies::default().proxy_for(&Uri::from_static("http://collector/")), Ok(None));
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_an_error_and_no_secret_is_shown() {
        let socks = Proxies { http: Some("socks5://proxy:1080".to_owned()), ..Proxies::default() };
        assert_eq!(socks.proxy_for(&Uri::from_static("http://collector/")), Err(UnusableProxy));
        let proxies = proxies("");
        let proxy = proxies.proxy_for(&Uri::from_static("http://collector/")).unwrap().unwrap();
        assert_eq!(proxy.authorization().unwrap(), "Basic dXNlcjpzZWNyZXQ=");
        let shown = format!("{proxy:?} {proxies:?}");
        assert!(shown.contains("proxy:3128") && !shown.contains("secret"), "{shown}");
    }
}

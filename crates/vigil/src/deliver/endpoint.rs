//! Where requests go and which headers they carry, checked when they are set.

use crate::encode::Signal;
use crate::encode::json::base64;
use http::header::{HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use std::fmt;

/// The text is not an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndpointError {
    /// It is not a URL with a host.
    NotAUrl,
    /// The scheme is neither `http` nor `https`.
    Scheme,
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EndpointError::NotAUrl => "not a URL with a host, such as http://localhost:4318",
            EndpointError::Scheme => "the scheme must be http or https",
        })
    }
}

impl std::error::Error for EndpointError {}

/// A URL to send one signal to. Credentials in the URL (`https://user:secret@host`) become an `Authorization`
/// header and are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    uri: Uri,
    authorization: Option<HeaderValue>,
}

impl Endpoint {
    /// A signal's own URL for HTTP, used as it is.
    ///
    /// # Errors
    /// Fails if the text is not an `http` or `https` URL with a host.
    pub fn http(url: &str) -> Result<Self, EndpointError> {
        Self::parse(url, |path| path.to_owned())
    }

    /// The URL for `signal` under a base URL for all signals: `v1/traces` and so on are appended.
    ///
    /// # Errors
    /// Fails if the text is not an `http` or `https` URL with a host.
    pub fn http_base(url: &str, signal: Signal) -> Result<Self, EndpointError> {
        Self::parse(url, |path| match path.split_once('?') {
            Some((path, query)) => format!("{}/v1/{signal}?{query}", path.trim_end_matches('/')),
            None => format!("{}/v1/{signal}", path.trim_end_matches('/')),
        })
    }

    /// The URL of `signal`'s gRPC service on a server. Without a scheme (`localhost:4317`) it is `https`, or `http`
    /// when `insecure`; a scheme decides over `insecure`. A path is ignored, as gRPC has its own.
    ///
    /// # Errors
    /// Fails if the text is not a host with an optional scheme and port.
    pub fn grpc(target: &str, insecure: bool, signal: Signal) -> Result<Self, EndpointError> {
        let service = match signal {
            Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        };
        let path = |_: &str| service.to_owned();
        match target.contains("://") {
            true => Self::parse(target, path),
            false => Self::parse(&format!("{}://{target}", if insecure { "http" } else { "https" }), path),
        }
    }

    fn parse(url: &str, path: impl FnOnce(&str) -> String) -> Result<Self, EndpointError> {
        let uri: Uri = url.trim().parse().map_err(|_| EndpointError::NotAUrl)?;
        let scheme = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS => scheme.clone(),
            Some(_) => return Err(EndpointError::Scheme),
            None => return Err(EndpointError::NotAUrl),
        };
        let authority = uri.authority().ok_or(EndpointError::NotAUrl)?;
        let (credentials, host) = match authority.as_str().rsplit_once('@') {
            Some((credentials, host)) => (Some(credentials), host),
            None => (None, authority.as_str()),
        };
        let authority: Authority = host.parse().map_err(|_| EndpointError::NotAUrl)?;
        if authority.host().is_empty() {
            return Err(EndpointError::NotAUrl);
        }
        let path: PathAndQuery =
            path(uri.path_and_query().map_or("/", PathAndQuery::as_str)).parse().map_err(|_| EndpointError::NotAUrl)?;
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query(path)
            .build()
            .map_err(|_| EndpointError::NotAUrl)?;
        Ok(Self { uri, authorization: credentials.and_then(basic) })
    }

    /// The URL without credentials.
    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The `Authorization` header the URL's credentials became.
    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// The host's name or address.
    pub fn host(&self) -> &str {
        self.uri.host().unwrap_or_default()
    }

    /// The port, the scheme's own where the URL has none.
    pub fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    /// Whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.uri.scheme() == Some(&Scheme::HTTPS)
    }
}

/// Shows scheme, host and port: a path or a query may hold a key.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or("http");
        write!(f, "{scheme}://{}", self.uri.authority().map_or("", Authority::as_str))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

fn basic(credentials: &str) -> Option<HeaderValue> {
    let mut value = b"Basic ".to_vec();
    base64(&percent_decoded(credentials.as_bytes()), &mut value);
    let mut value = HeaderValue::from_bytes(&value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

pub(super) fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|byte| (*byte as char).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high << 4 | low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    decoded
}

/// The name or the value is not fit for a header. Says which header, never its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeaderError {
    /// The name as it was set.
    pub name: String,
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a valid header: {:?}", self.name)
    }
}

impl std::error::Error for HeaderError {}

/// Headers every request of a signal carries. Their values are secrets: no formatting shows them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Headers(Vec<(HeaderName, HeaderValue)>);

impl Headers {
    /// No headers.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Sets a header, replacing an earlier value.
    ///
    /// # Errors
    /// Fails if the name or the value has characters no header may have.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), HeaderError> {
        let error = |_| HeaderError { name: name.to_owned() };
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| error(()))?;
        let mut value = HeaderValue::from_str(value).map_err(|_| error(()))?;
        value.set_sensitive(true);
        self.0.retain(|(other, _)| *other != header);
        self.0.push((header, value));
        Ok(())
    }

    /// The names that are set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(HeaderName, HeaderValue)> {
        self.0.iter()
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, _)| (name, "***"))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(endpoint: Result<Endpoint, EndpointError>) -> String {
        endpoint.map_or_else(|error| error.to_string(), |endpoint| endpoint.uri().to_string())
    }

    #[test]
    fn a_base_gets_the_signal_path_and_an_own_url_stays_as_it_is() {
        use Signal::{Logs, Metrics, Traces};
        assert_eq!(uri(Endpoint::http_base("http://h:4318", Traces)), "http://h:4318/v1/traces");
        assert_eq!(uri(Endpoint::http_base("http://h:4318/", Logs)), "http://h:4318/v1/logs");
        assert_eq!(uri(Endpoint::http_base("https://h/api/otel/", Metrics)), "https://h/api/otel/v1/metrics");
        assert_eq!(uri(Endpoint::http_base("https://h/a?k=1", Traces)), "https://h/a/v1/traces?k=1");
        assert_eq!(uri(Endpoint::http("http://h:4318")), "http://h:4318/");
        assert_eq!(uri(Endpoint::http("http://h/in?key=1")), "http://h/in?key=1");
    }

    #[test]
    fn a_grpc_target_needs_no_scheme() {
        let service = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
        for (target, insecure, base) in [
            ("localhost:4317", true, "http://localhost:4317"),
            ("localhost:4317", false, "https://localhost:4317"),
            ("http://h:1/ignored", false, "http://h:1"),
            ("https://h:1", true, "https://h:1"),
        ] {
            assert_eq!(uri(Endpoint::grpc(target, insecure, Signal::Traces)), format!("{base}{service}"));
        }
    }

    #[test]
    fn what_is_not_an_endpoint_is_refused() {
        for bad in ["", "localhost", "/v1/traces", "http://", "http:///v1", "http://a b/", "http://user@"] {
            assert_eq!(Endpoint::http(bad), Err(EndpointError::NotAUrl), "{bad}");
        }
        assert_eq!(Endpoint::http("ftp://h/"), Err(EndpointError::Scheme));
    }

    #[test]
    fn credentials_become_a_header_and_are_shown_nowhere() {
        let endpoint = Endpoint::http("https://pk:s%40cret@h:1/p?token=secret").unwrap();
        assert_eq!(endpoint.uri(), "https://h:1/p?token=secret");
        assert_eq!(endpoint.authorization().unwrap(), "Basic cGs6c0BjcmV0");
        assert_eq!(format!("{endpoint} {endpoint:?}"), "https://h:1 Endpoint(https://h:1)");
        let mut headers = Headers::new();
        headers.set("x-api-key", "secret").unwrap();
        headers.set("X-Api-Key", "secret2").unwrap();
        assert_eq!(format!("{headers:?}"), r#"{"x-api-key": "***"}"#);
        let error = headers.set("bad name", "secret").unwrap_err();
        assert!(!error.to_string().contains("secret"));
        assert!(headers.set("ok", "line\nfeed").is_err());
    }
}

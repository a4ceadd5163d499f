//! What known backends cut or refuse, so that it is cut here, by its structure, and counted.
//!
//! The numbers are those the backends' documentation and issue trackers told of in November 2026; a deployment of one's
//! own may be set otherwise, which is why `VIGIL_BACKEND=none` switches this off. A collector has no limits of this
//! kind, so nothing is assumed of a host nobody knows.

use std::fmt;

/// A backend whose limits are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Backend {
    /// Dash0: 2000 spans a trace, 2048 bytes a text.
    Dash0,
    /// Jaeger with Badger: 65,000 bytes a text.
    Jaeger,
    /// LangSmith: 25,000 spans a trace, 20 MB a request.
    LangSmith,
    /// Grafana Tempo and Grafana Cloud: 2048 bytes a text, 5 MB a trace (which requests of 4 MB at most do not tell).
    Tempo,
    /// None of them: no limits but those of requests.
    None,
}

/// What a destination takes of one record or trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    /// The most bytes of a text attribute; longer ones are cut, JSON by its structure, and counted.
    /// Defaults to no limit.
    pub text_bytes: Option<usize>,
    /// The most spans of a trace; further ones are lost as `too_many` and counted. Defaults to no limit.
    pub spans_per_trace: Option<u32>,
    /// The most bytes of a request. Defaults to what the protocol has.
    pub request_bytes: Option<usize>,
}

impl Backend {
    /// All of them.
    pub const ALL: &'static [Backend] =
        &[Backend::Dash0, Backend::Jaeger, Backend::LangSmith, Backend::Tempo, Backend::None];

    /// The word in `VIGIL_BACKEND`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Backend::Dash0 => "dash0",
            Backend::Jaeger => "jaeger",
            Backend::LangSmith => "langsmith",
            Backend::Tempo => "tempo",
            Backend::None => "none",
        }
    }

    /// The backend whose own addresses end like this one; none for a host nobody knows.
    pub fn of_host(host: &str) -> Self {
        let host = host.to_ascii_lowercase();
        let is_of = |domain: &str| host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        match () {
            () if is_of("dash0.com") => Backend::Dash0,
            () if is_of("smith.langchain.com") => Backend::LangSmith,
            () if is_of("grafana.net") => Backend::Tempo,
            () => Backend::None,
        }
    }

    /// What it takes.
    pub const fn limits(self) -> Limits {
        let (text_bytes, spans_per_trace, request_bytes) = match self {
            Backend::Dash0 => (Some(2048), Some(2000), None),
            Backend::Jaeger => (Some(65_000), None, None),
            Backend::LangSmith => (None, Some(25_000), Some(20_000_000)),
            Backend::Tempo => (Some(2048), None, Some(4 << 20)),
            Backend::None => (None, None, None),
        };
        Limits { text_bytes, spans_per_trace, request_bytes }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_known_by_its_own_domain_alone() {
        assert_eq!(Backend::of_host("otlp-gateway-prod-eu-west-2.grafana.net"), Backend::Tempo);
        assert_eq!(Backend::of_host("API.smith.langchain.com"), Backend::LangSmith);
        for other in ["grafana.net.example.com", "notgrafana.net", "localhost", "10.0.0.1"] {
            assert_eq!(Backend::of_host(other), Backend::None, "{other}");
        }
    }
}

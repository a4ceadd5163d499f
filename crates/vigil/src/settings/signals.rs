//! How each signal is sent: its own variables first, then the general ones.

use super::parse::{Parser, check_url};
use super::resolve::Overrides;
use super::variables::name;
use crate::deliver::{Backend, Compression, Protocol, Proxies};
use std::path::PathBuf;
use std::time::Duration;

/// How one signal is delivered; without an endpoint it is not.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct SignalSettings {
    pub(crate) endpoint: Option<String>,
    pub(crate) protocol: Protocol,
    /// What an endpoint without a scheme means; `None` when nobody said.
    pub(crate) insecure: Option<bool>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) timeout: Duration,
    pub(crate) compression: Compression,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) client_certificate: Option<PathBuf>,
    pub(crate) client_key: Option<PathBuf>,
}

/// The variables of one signal.
pub(super) struct Names {
    path: &'static str,
    pub(super) exporter: &'static str,
    endpoint: &'static str,
    protocol: &'static str,
    headers: &'static str,
    timeout: &'static str,
    export_timeout: &'static str,
    compression: &'static str,
    insecure: &'static str,
    certificate: &'static str,
    client_certificate: &'static str,
    client_key: &'static str,
}

/// By signal index.
pub(super) const NAMES: [Names; 3] = [
    Names {
        path: "v1/traces",
        exporter: name::TRACES_EXPORTER,
        endpoint: name::TRACES_ENDPOINT,
        protocol: name::TRACES_PROTOCOL,
        headers: name::TRACES_HEADERS,
        timeout: name::TRACES_TIMEOUT,
        export_timeout: name::EXPORT_TIMEOUT,
        compression: name::TRACES_COMPRESSION,
        insecure: name::TRACES_INSECURE,
        certificate: name::TRACES_CERTIFICATE,
        client_certificate: name::TRACES_CLIENT_CERTIFICATE,
        client_key: name::TRACES_CLIENT_KEY,
    },
    Names {
        path: "v1/logs",
        exporter: name::LOGS_EXPORTER,
        endpoint: name::LOGS_ENDPOINT,
        protocol: name::LOGS_PROTOCOL,
        headers: name::LOGS_HEADERS,
        timeout: name::LOGS_TIMEOUT,
        export_timeout: name::LOG_EXPORT_TIMEOUT,
        compression: name::LOGS_COMPRESSION,
        insecure: name::LOGS_INSECURE,
        certificate: name::LOGS_CERTIFICATE,
        client_certificate: name::LOGS_CLIENT_CERTIFICATE,
        client_key: name::LOGS_CLIENT_KEY,
    },
    Names {
        path: "v1/metrics",
        exporter: name::METRICS_EXPORTER,
        endpoint: name::METRICS_ENDPOINT,
        protocol: name::METRICS_PROTOCOL,
        headers: name::METRICS_HEADERS,
        timeout: name::METRICS_TIMEOUT,
        export_timeout: name::METRIC_EXPORT_TIMEOUT,
        compression: name::METRICS_COMPRESSION,
        insecure: name::METRICS_INSECURE,
        certificate: name::METRICS_CERTIFICATE,
        client_certificate: name::METRICS_CLIENT_CERTIFICATE,
        client_key: name::METRICS_CLIENT_KEY,
    },
];

const PROTOCOLS: &[(&str, Protocol)] =
    &[("http/protobuf", Protocol::HttpProtobuf), ("http/json", Protocol::HttpJson), ("grpc", Protocol::Grpc)];
const COMPRESSIONS: &[(&str, Compression)] =
    &[("gzip", Compression::Gzip), ("zstd", Compression::Zstd), ("none", Compression::None)];
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// What `OTEL_*_EXPORTER` asks for.
#[derive(Clone, Copy, Default)]
pub(super) struct Exporters {
    pub(super) given: bool,
    pub(super) otlp: bool,
    pub(super) console: bool,
}

pub(super) fn exporters(p: &mut Parser<'_>, variable: &'static str) -> Exporters {
    let Some(value) = p.text(variable) else { return Exporters { otlp: true, ..Exporters::default() } };
    let mut exporters = Exporters { given: true, ..Exporters::default() };
    for word in value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match word.to_ascii_lowercase().as_str() {
            "otlp" => exporters.otlp = true,
            "console" => exporters.console = true,
            "none" => {}
            _ => {
                p.warn(variable, &value, format!("{word:?} is not one of otlp, console, none; it is left out"));
                // As if it had not been said: an unknown word must not switch the signal off.
                exporters.given &= exporters.otlp || exporters.console || value.contains(',');
                exporters.otlp |= !exporters.given;
            }
        }
    }
    exporters
}

/// Decides how the signal of `index` is sent. `otlp` is what the enable switch says, if anything.
pub(super) fn signal(
    p: &mut Parser<'_>,
    index: usize,
    exporters: Exporters,
    otlp: Option<bool>,
    overrides: &Overrides,
) -> SignalSettings {
    let names = &NAMES[index];
    let protocol = overrides
        .protocol
        .or_else(|| p.choice(names.protocol, PROTOCOLS, "the general protocol"))
        .or_else(|| p.choice(name::PROTOCOL, PROTOCOLS, "http/protobuf"))
        .unwrap_or_default();
    let asked_for = exporters.given && exporters.otlp || otlp == Some(true);
    let endpoint = endpoint(p, names, protocol, asked_for, overrides);
    let mut all_headers = p.pairs(names.headers).or_else(|| p.pairs(name::HEADERS)).unwrap_or_default();
    all_headers.extend(overrides.headers.iter().cloned());
    let timeout = p
        .some_millis(names.timeout, "the general timeout")
        .or_else(|| p.some_millis(name::TIMEOUT, "10000"))
        .unwrap_or(TIMEOUT_DEFAULT);
    let export_timeout = p.some_millis(names.export_timeout, "the request's timeout");
    let path = |p: &Parser<'_>, own, general| p.text(own).or_else(|| p.text(general)).map(PathBuf::from);
    SignalSettings {
        endpoint: endpoint.filter(|_| exporters.otlp && otlp != Some(false)),
        protocol,
        insecure: p.boolean(names.insecure).or_else(|| p.boolean(name::INSECURE)),
        headers: all_headers,
        timeout: export_timeout.map_or(timeout, |export| export.min(timeout)),
        compression: p
            .choice(names.compression, COMPRESSIONS, "the general compression")
            .or_else(|| p.choice(name::COMPRESSION, COMPRESSIONS, "none"))
            .unwrap_or_default(),
        certificate: path(p, names.certificate, name::CERTIFICATE),
        client_certificate: path(p, names.client_certificate, name::CLIENT_CERTIFICATE),
        client_key: path(p, names.client_key, name::CLIENT_KEY),
    }
}

fn endpoint(
    p: &mut Parser<'_>,
    names: &Names,
    protocol: Protocol,
    asked_for: bool,
    overrides: &Overrides,
) -> Option<String> {
    let is_grpc = protocol == Protocol::Grpc;
    let mut base = match &overrides.endpoint {
        Some(url) => match check_url(url.trim(), is_grpc) {
            Ok(()) => Some(url.trim().to_owned()),
            Err(why) => {
                p.warn("endpoint", url, format!("{why}; nothing is sent there"));
                None
            }
        },
        None => None,
    };
    let own = if base.is_none() { p.url(names.endpoint, is_grpc) } else { None };
    if base.is_none() && own.is_none() {
        base = p.url(name::ENDPOINT, is_grpc);
    }
    if base.is_none() && own.is_none() && asked_for && p.text(name::ENDPOINT).is_none() {
        // Asked for by name: the specification's default endpoint holds. Never without being asked.
        base = Some(if is_grpc { "http://localhost:4317" } else { "http://localhost:4318" }.to_owned());
    }
    own.or_else(|| {
        base.map(|base| match is_grpc {
            true => base,
            false => format!("{}/{}", base.trim_end_matches('/'), names.path),
        })
    })
}

/// The proxies, by the names everybody uses: in lower case first. `HTTP_PROXY` of a program that answers web
/// requests may come from a request's header (`REQUEST_METHOD` says so) and is then not believed.
pub(super) fn proxies(p: &Parser<'_>) -> Proxies {
    let either = |name: &str| p.environment.get(&name.to_ascii_lowercase()).or_else(|| p.environment.get(name));
    let is_web_request = p.environment.get("REQUEST_METHOD").is_some();
    let http = match is_web_request {
        true => p.environment.get(&name::HTTP_PROXY.to_ascii_lowercase()),
        false => either(name::HTTP_PROXY),
    };
    let all = either(name::ALL_PROXY);
    Proxies {
        http: http.or_else(|| all.clone()),
        https: either(name::HTTPS_PROXY).or(all),
        none_for: either(name::NO_PROXY),
    }
}

/// Whose limits are kept: the named backend's, or `None` to go by the host's name.
pub(super) fn backend(p: &mut Parser<'_>) -> Option<Backend> {
    let words: Vec<_> = Backend::ALL.iter().map(|backend| (backend.as_str(), *backend)).collect();
    p.choice(name::VIGIL_BACKEND, &words, "what the host's name says")
}

//! Whether the backend can be reached and takes a span, an event and a data point, and what it will cut.

use super::finding::Finding;
use super::probe::{self, Answer};
use crate::output::duration;
use crate::system;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;
use vigil::deliver::{DestinationConfig, LossReason, OtlpConfig, Problem, Protocol, SignalConfig, Target};
use vigil::encode::Signal;

const TOPIC: &str = "backend";
/// Clocks may differ by this much before it is worth a word.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

pub(super) fn examine(destination: &DestinationConfig, send: bool, within: Duration) -> Vec<Finding> {
    let Target::Otlp(otlp) = &destination.target else { return Vec::new() };
    let mut findings = Vec::new();
    let mut known: Vec<(String, bool)> = Vec::new();
    for (signal, config) in Signal::ALL.into_iter().filter_map(|signal| Some((signal, otlp.signal(signal)?))) {
        let address = config.endpoint.to_string();
        let reached = match known.iter().find(|(other, _)| *other == address) {
            Some((_, reached)) => *reached,
            None => {
                let (finding, reached) = reach(config, within);
                findings.push(finding);
                findings.extend(advice(config));
                known.push((address, reached));
                reached
            }
        };
        if send && reached {
            findings.push(try_signal(signal, config, within));
        }
    }
    findings
}

/// Whether the name resolves and somebody listens.
fn reach(config: &SignalConfig, within: Duration) -> (Finding, bool) {
    let endpoint = &config.endpoint;
    if let Some(proxy) = &config.proxy {
        return (Finding::good(TOPIC, format!("{endpoint} is reached through a proxy ({proxy:?})")), true);
    }
    let (host, port) = (endpoint.host().trim_start_matches('[').trim_end_matches(']'), endpoint.port());
    let addresses: Vec<_> = match (host, port).to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(_) => {
            let finding = Finding::wrong(TOPIC, format!("{endpoint}: the host name {host} cannot be resolved"));
            return (finding.mend("check its spelling, the DNS, and whether it needs a VPN"), false);
        }
    };
    let began = system::instant();
    let mut why = "no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, within) {
            Ok(_) => {
                let what = format!("{endpoint} is reached at {address} in {}", duration(began.elapsed()));
                return (Finding::good(TOPIC, what), true);
            }
            Err(error) => why = format!("{address}: {}", error.kind()),
        }
    }
    let finding = Finding::wrong(TOPIC, format!("{endpoint}: nobody answers ({why})"));
    (finding.mend("is the backend running, and is the port right? 4318 is usual for HTTP and 4317 for gRPC"), false)
}

/// What can be said of an endpoint without asking it.
fn advice(config: &SignalConfig) -> Vec<Finding> {
    let endpoint = &config.endpoint;
    let mut findings = Vec::new();
    let is_grpc = config.protocol == Protocol::Grpc;
    if let (4317, false) | (4318, true) = (endpoint.port(), is_grpc) {
        let (speaks, usual) = if is_grpc { ("grpc", "http/protobuf") } else { (config.protocol.as_str(), "grpc") };
        let what = format!("{endpoint} is spoken to in {speaks}, but its port is the usual one for {usual}");
        findings.push(Finding::advice(TOPIC, what).mend(format!("OTEL_EXPORTER_OTLP_PROTOCOL={usual}, if so")));
    }
    if !endpoint.is_https() && config.headers.names().next().is_some() && !is_local(endpoint.host()) {
        let what = format!("headers go to {endpoint} without encryption");
        findings.push(Finding::advice(TOPIC, what).because("whoever is on the way can read keys").mend("use https"));
    }
    let limits = config.limits;
    let cuts = [
        limits.text_bytes.map(|bytes| format!("texts are cut at {bytes} bytes")),
        limits.spans_per_trace.map(|spans| format!("a trace has at most {spans} spans")),
        limits.request_bytes.map(|bytes| format!("requests have at most {bytes} bytes")),
    ];
    let cuts: Vec<_> = cuts.into_iter().flatten().collect();
    if !cuts.is_empty() {
        let what = format!("known of {endpoint}: {}", cuts.join(", "));
        let why = "what is more is cut or left out before it is sent, and counted in the receipt";
        findings.push(Finding::advice(TOPIC, what).because(why).mend("VIGIL_BACKEND=none if yours takes more"));
    }
    if !is_grpc && config.proxy.is_none() {
        findings.extend(clock(&endpoint.to_string()));
    }
    findings
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.starts_with("127.") || host == "[::1]"
}

/// How far our clock is from the backend's, where it tells its time.
fn clock(url: &str) -> Option<Finding> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(3)))
        .http_status_as_error(false)
        .build()
        .into();
    let answer = agent.get(url).call().ok()?;
    let date = httpdate::parse_http_date(answer.headers().get("date")?.to_str().ok()?).ok()?;
    let (here, there) = (system::now().0, system::unix_nanos(date).0);
    // Its time has no fractions of a second.
    let difference = Duration::from_nanos(here.abs_diff(there)).saturating_sub(Duration::from_secs(1));
    if difference <= CLOCK_TOLERANCE {
        return Some(Finding::good("clock", "ours and the backend's agree"));
    }
    let what = format!("ours and the backend's differ by {}", duration(difference));
    let why = "spans appear at the wrong time, and some backends refuse what is too old or from the future";
    Some(Finding::wrong("clock", what).because(why).mend("set the machine's clock: timedatectl set-ntp true"))
}

/// Sends one record of `signal` and says what became of it.
fn try_signal(signal: Signal, config: &SignalConfig, within: Duration) -> Finding {
    let mut otlp = OtlpConfig::default();
    let slot = match signal {
        Signal::Traces => &mut otlp.traces,
        Signal::Logs => &mut otlp.logs,
        Signal::Metrics => &mut otlp.metrics,
    };
    *slot = Some(config.clone());
    let began = system::instant();
    let answer = probe::send(DestinationConfig::new("backend", Target::Otlp(Box::new(otlp))), signal, within);
    let (endpoint, protocol) = (&config.endpoint, config.protocol.as_str());
    match answer {
        Answer::Taken => {
            let took = duration(began.elapsed());
            Finding::good(TOPIC, format!("{endpoint} takes {signal} over {protocol} ({took})"))
        }
        Answer::Refused { reason, problem } => {
            let why = problem.as_ref().map_or_else(|| reason.to_string(), ToString::to_string);
            let finding = Finding::wrong(TOPIC, format!("{endpoint} does not take {signal} over {protocol}: {why}"));
            match mend(signal, reason, problem.as_ref()) {
                Some(mend) => finding.mend(mend),
                None => finding,
            }
        }
    }
}

fn mend(signal: Signal, reason: LossReason, problem: Option<&Problem>) -> Option<String> {
    let upper = signal.as_str().to_ascii_uppercase();
    Some(match problem {
        Some(Problem::Status(404 | 405) | Problem::Grpc(12)) => {
            format!("it has no {signal} there: check the path, or switch them off with OTEL_{upper}_EXPORTER=none")
        }
        Some(Problem::Status(401 | 403) | Problem::Grpc(7 | 16)) => {
            "check the key in OTEL_EXPORTER_OTLP_HEADERS: its name, its value, and whether it may write".to_owned()
        }
        Some(Problem::NotHttp) => "the port seems to be gRPC's: OTEL_EXPORTER_OTLP_PROTOCOL=grpc".to_owned(),
        Some(Problem::Connect(why)) if why.contains("TLS") => {
            "for an authority of your own set OTEL_EXPORTER_OTLP_CERTIFICATE; for a server without TLS use http://"
                .to_owned()
        }
        Some(Problem::Status(415)) => "it does not know the protocol or the compression: try the defaults".to_owned(),
        Some(Problem::Status(429)) => "it is throttling; what is spooled is delivered when it stops".to_owned(),
        Some(Problem::Status(500..)) => "the backend has a problem of its own: look into its log".to_owned(),
        Some(Problem::NotOtlp) => "what answers is no OTLP endpoint: check host, port and path".to_owned(),
        _ if reason == LossReason::Deadline => "it takes too long: --within 30 waits longer".to_owned(),
        _ => return None,
    })
}

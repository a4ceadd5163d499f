//! The telemetry value: made once, shared by handles, shut down with a receipt.

use crate::assemble::assembler::{Assembler, Command, Mailbox};
use crate::assemble::outputs::Outputs;
use crate::assemble::recover;
use crate::budget::Budget;
use crate::clock::{Clock, monotonic};
use crate::deliver::{
    Backend, Delivery, DestinationConfig, Diagnostic, Diagnostics, Endpoint, Headers, OtlpConfig, Protocol,
    SignalConfig, SpoolConfig, Target, Tls, spool_parties,
};
use crate::encode::{Resource, Signal};
use crate::ending::{self, Answer, Cause, Settlement};
use crate::host::Host;
use crate::ids::IdSource;
use crate::log::{CallLines, Log, Writer};
use crate::receipt::Receipt;
use crate::record::file::RecordFileAt;
use crate::record::lanes::LANE_BYTES_DEFAULT;
use crate::record::{Recorder, Terms};
use crate::settings::{Environment, Level, LogFormat, Overrides, Settings, SignalSettings, mask_userinfo};
use crate::span::kinds::{Root, constructors};
use crate::span::{Ambient, Parent, RemoteParent};
use crate::testing::Captured;
use crate::vitals::{Shown, Tracker, Vitals};
use arc_swap::{ArcSwap, Guard};
use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use vigil_core::fact::{Fact, Value};
use vigil_core::id::{SpanContext, TraceId};
use vigil_core::throttle::{Throttle, Told};
use vigil_core::vocab::{DownstreamOperation, Originator, ThrottleOutcome};

/// What a dropped telemetry value waits for delivery unless it is told otherwise: 5 seconds.
pub const SHUTDOWN_DEADLINE_DEFAULT: Duration = Duration::from_secs(5);

/// Instead of a deadline too far away for the clock: a year.
const FAR_AWAY: Duration = Duration::from_secs(365 * 24 * 3600);

/// Telemetry of the program `service_name`, set up by the environment; see [`VARIABLES`](crate::VARIABLES).
/// `OTEL_SERVICE_NAME` wins over the name given here.
///
/// ```
/// let telemetry = vigil::from_env("researcher").start();
/// let agent = telemetry.agent_span("session-42", "researcher");
/// agent.finish();
/// let receipt = telemetry.shutdown(std::time::Duration::from_secs(5));
/// assert!(receipt.is_complete());
/// ```
pub fn from_env(service_name: impl Into<String>) -> Builder {
    Builder {
        service_name: service_name.into(),
        environment: Environment::Process,
        overrides: Overrides::default(),
        originator: Originator::Sdk,
        directories: Vec::new(),
        log_writer: None,
        clock: None,
        ids: IdSource::Random,
        captured: None,
        destinations: Vec::new(),
        buffer_bytes: LANE_BYTES_DEFAULT,
        quiet: false,
        replay: None,
        receipt_to: None,
    }
}

/// What is recorded of work that is not done but replayed from a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReplayTelemetry {
    /// Nothing.
    Off,
    /// Spans, events and logs with `vigil.replay = true`; no metrics, and no cost: both were counted when the work
    /// was done.
    Marked,
}

/// What telemetry with these settings would do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// Telemetry is switched off altogether.
    pub disabled: bool,
    /// Where records would be delivered to.
    pub destinations: Vec<DestinationConfig>,
    /// Where they would be kept meanwhile.
    pub spool: Option<SpoolConfig>,
    /// There would be a structured log on stderr.
    pub log: bool,
    /// What is wrong with the settings.
    pub warnings: Vec<String>,
}

/// Settings in the making. What is set here wins over the environment.
#[must_use = "nothing is recorded until start() is called"]
pub struct Builder {
    service_name: String,
    environment: Environment,
    overrides: Overrides,
    originator: Originator,
    directories: Vec<PathBuf>,
    log_writer: Option<Writer>,
    clock: Option<Clock>,
    ids: IdSource,
    captured: Option<Captured>,
    destinations: Vec<DestinationConfig>,
    buffer_bytes: usize,
    quiet: bool,
    replay: Option<ReplayTelemetry>,
    receipt_to: Option<ReceiptTo>,
}

/// Who is told the receipt.
type ReceiptTo = Box<dyn FnOnce(&Receipt) + Send>;

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("service_name", &self.service_name).finish_non_exhaustive()
    }
}

impl Builder {
    /// Reads variables from `variables` instead of the process's environment.
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.environment = Environment::Given(variables.into_iter().collect::<HashMap<_, _>>());
        self
    }

    /// The base URL of the OTLP endpoint, as `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.overrides.endpoint = Some(url.into());
        self
    }

    /// How the endpoint is spoken to, as `OTEL_EXPORTER_OTLP_PROTOCOL`. Defaults to HTTP with protobuf.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.overrides.protocol = Some(protocol);
        self
    }

    /// A header for every request. Its value is never shown.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.overrides.headers.push((name.into(), value.into()));
        self
    }

    /// A resource attribute.
    pub fn resource_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.overrides.resource.push((name.into(), value.into()));
        self
    }

    /// Writes `traces.jsonl`, `logs.jsonl` and `metrics.jsonl` (OTLP/JSON, a request a line) into a folder,
    /// beside or instead of an endpoint.
    pub fn otlp_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directories.push(directory.into());
        self
    }

    /// The structured log. Defaults to pretty without an endpoint, else to off.
    pub fn log_format(mut self, format: LogFormat) -> Self {
        self.overrides.log = Some(format);
        self
    }

    /// Appends a line of JSON for every model call to a file, as `VIGIL_JSONL_PATH`.
    pub fn call_lines(mut self, path: impl Into<PathBuf>) -> Self {
        self.overrides.calls = Some(path.into());
        self
    }

    /// Where the structured log goes. Defaults to stderr.
    pub fn log_writer(mut self, writer: impl Write + Send + 'static) -> Self {
        self.log_writer = Some(Box::new(writer));
        self
    }

    /// Whether prompts, answers, arguments and results are recorded on spans. Defaults to no.
    pub fn capture_content(mut self, capture: bool) -> Self {
        self.overrides.capture_content = Some(capture);
        self
    }

    /// The share of traces to export, 0.0 to 1.0. Metrics and events are made of all. Defaults to 1.0.
    pub fn sampling_ratio(mut self, ratio: f64) -> Self {
        self.overrides.sampling_ratio = Some(ratio);
        self
    }

    /// Also writes the deprecated names today's backends still read. Defaults to no.
    pub fn compat(mut self, compat: bool) -> Self {
        self.overrides.compat = Some(compat);
        self
    }

    /// Also writes what LangSmith filters runs and groups threads by, as `VIGIL_LANGSMITH_ENRICHMENT`. Defaults to no.
    pub fn langsmith_enrichment(mut self, enrich: bool) -> Self {
        self.overrides.langsmith = Some(enrich);
        self
    }

    /// How long finished work waits for company before it is sent. Defaults to 1 second.
    pub fn schedule_delay(mut self, delay: Duration) -> Self {
        self.overrides.schedule_delay = Some(delay);
        self
    }

    /// The time between two collections of metrics. Defaults to 60 seconds.
    pub fn metric_interval(mut self, interval: Duration) -> Self {
        self.overrides.metric_interval = Some(interval);
        self
    }

    /// Whether anything is sent over OTLP, as `VIGIL_OTLP`: where no endpoint is set to `localhost`, and nowhere when
    /// this is false though one is. Defaults to where there is an endpoint.
    pub fn otlp(mut self, otlp: bool) -> Self {
        self.overrides.otlp = Some(otlp);
        self
    }

    /// Whether what is to be sent is kept in a folder until it is taken, as `VIGIL_SPOOL`, so that it outlives the
    /// process. The end then waits for no network: [`deliver_and_shutdown`](Telemetry::deliver_and_shutdown) does. What is
    /// left is delivered by the next process with the same destination, or by `vigil spool drain`. Defaults to no.
    pub fn spool(mut self, spool: bool) -> Self {
        self.overrides.spool = Some(spool);
        self
    }

    /// Whether there is a spool where neither code nor environment says; for programs that want one by default.
    pub fn spool_by_default(mut self, spool: bool) -> Self {
        self.overrides.spool_default = spool;
        self
    }

    /// The folder of the spool, as `VIGIL_SPOOL_DIR`; switches it on. Defaults to `vigil/spool` in the user's folder
    /// for state.
    pub fn spool_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.overrides.spool_directory = Some(directory.into());
        self
    }

    /// The bytes the spool may take, at least 1 MiB. Defaults to 1 GiB.
    pub fn spool_max_bytes(mut self, bytes: u64) -> Self {
        self.overrides.spool_bytes = Some(bytes);
        self
    }

    /// What a dropped telemetry value and [`vigil::exit`](crate::exit()) wait for delivery. Defaults to
    /// [`SHUTDOWN_DEADLINE_DEFAULT`].
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.overrides.shutdown_timeout = Some(timeout);
        self
    }

    /// Whether SIGTERM, SIGINT and SIGHUP end telemetry, within the [shutdown timeout](Self::shutdown_timeout), before
    /// the process dies of them; as `VIGIL_HANDLE_SIGNALS`. Its parent sees the same as without. One that has a handler
    /// when telemetry starts, or is ignored, is left alone. For programs that do not handle these signals themselves.
    /// Defaults to no.
    pub fn handle_signals(mut self, handle: bool) -> Self {
        self.overrides.handle_signals = Some(handle);
        self
    }

    /// Whether a panic is told as such, as `VIGIL_HANDLE_PANICS`: spans that it unwinds end as failed with `error.type`
    /// = `panic` instead of as cancelled, and when it ends the process, what was recorded is delivered or spooled first
    /// and what is open is closed likewise, also where the program is built to abort on a panic. The hook that was there
    /// runs after ours. The message is free text, recorded only where [content](Self::capture_content) is. Defaults to
    /// no.
    pub fn handle_panics(mut self, handle: bool) -> Self {
        self.overrides.handle_panics = Some(handle);
        self
    }

    /// Who is told the receipt when telemetry ends, whatever ends it: a shutdown, the last clone dropped,
    /// [`vigil::exit`](crate::exit()), a signal or a panic that is handled. Called once, on the thread that ends it; not
    /// where telemetry is off, nor in a fork.
    pub fn receipt_to(mut self, told: impl FnOnce(&Receipt) + Send + 'static) -> Self {
        self.receipt_to = Some(Box::new(told));
        self
    }

    /// Whether telemetry is on at all, whatever `OTEL_SDK_DISABLED` says.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.overrides.disabled = Some(!enabled);
        self
    }

    /// Who says what is recorded. Defaults to the SDK.
    pub fn originator(mut self, originator: Originator) -> Self {
        self.originator = originator;
        self
    }

    /// Whether Vigil keeps its own words (wrong settings, a destination that cannot be reached) to itself instead
    /// of telling them once on stderr. Wrong settings stay readable in [`Telemetry::warnings`], losses in the
    /// [`Receipt`]. Defaults to no.
    pub fn quiet(mut self, quiet: bool) -> Self {
        self.quiet = quiet;
        self
    }

    /// Says that the work is replayed, not done, and what is to be recorded of it.
    pub fn replay(mut self, replay: ReplayTelemetry) -> Self {
        self.replay = Some(replay);
        self
    }

    /// A destination of your own making.
    pub fn destination(mut self, destination: DestinationConfig) -> Self {
        self.destinations.push(destination);
        self
    }

    /// What one thread may record before the assembler comes by; beyond it records are lost and counted.
    /// Defaults to 128 MiB.
    pub fn buffer_bytes(mut self, bytes: usize) -> Self {
        self.buffer_bytes = bytes;
        self
    }

    pub(crate) fn capture(mut self, captured: Captured, clock: Clock, seed: u64) -> Self {
        self.captured = Some(captured);
        self.clock = Some(clock);
        self.ids = IdSource::seeded(seed);
        self
    }

    /// What would be done, without doing it: for programs that look after delivery, as `vigil doctor` does.
    pub fn plan(mut self) -> Plan {
        let settings = self.settings();
        let notices = std::cell::RefCell::new(Vec::new());
        let destinations = self.destinations(&settings, &|text| notices.borrow_mut().push(text.to_owned()));
        let mut warnings: Vec<_> = settings.warnings.iter().map(ToString::to_string).collect();
        warnings.extend(notices.into_inner());
        let log = settings.log != LogFormat::Off;
        Plan { disabled: settings.disabled, destinations, spool: settings.spool, log, warnings }
    }

    fn settings(&mut self) -> Settings {
        self.overrides.has_destination =
            !self.directories.is_empty() || !self.destinations.is_empty() || self.captured.is_some();
        Settings::resolve(&self.service_name, &self.environment, &self.overrides)
    }

    /// Starts recording. Cannot fail: what makes no sense is told once on stderr, and the rest goes on.
    pub fn start(mut self) -> Telemetry {
        let settings = self.settings();
        let level = if self.quiet || self.captured.is_some() { Level::None } else { settings.level };
        let notice = move |least: Level, text: &str| {
            if level >= least {
                notice(text);
            }
        };
        settings.warnings.iter().for_each(|warning| notice(Level::Warn, &format!("{warning}")));
        let warnings = settings.warnings.iter().map(ToString::to_string).collect();
        let destinations = self.destinations(&settings, &|text| notice(Level::Warn, text));
        let log = settings.log != LogFormat::Off;
        let off = settings.disabled || self.replay == Some(ReplayTelemetry::Off);
        let calls = settings.calls.as_deref().filter(|_| !off).and_then(|path| {
            // The path may be anybody's business, the reason is not.
            let failed = |error: std::io::Error| {
                notice(Level::Error, &format!("model calls are not written to the file: {error}"))
            };
            CallLines::open(path, Box::new(move |text| notice(Level::Error, text))).map_err(failed).ok()
        });
        if off || (destinations.is_empty() && !log && self.captured.is_none() && calls.is_none()) {
            return Telemetry::off(settings.parent, warnings);
        }
        let names = destinations.iter().map(|one| one.name.clone()).collect();
        let resource_values = resource(&settings);
        let resource = Resource::new(resource_values.iter().map(|(name, value)| (name.as_str(), value)));
        // What is delivered over a network alone goes through it.
        let parties = spool_parties(&destinations);
        let spool = settings.spool.clone().filter(|_| !parties.is_empty());
        let clock = self.clock.unwrap_or_else(Clock::system);
        let file = spool.as_ref().map(|spool| {
            let replay = self.replay.is_some();
            let terms = recover::Terms::new(&settings, &resource, parties, self.originator, replay);
            Arc::new(RecordFileAt::new(spool.directory.clone(), terms.to_bytes(), &clock))
        });
        let recorder = Recorder::new(Terms {
            clock,
            ids: self.ids,
            content: settings.content.any(),
            replay: self.replay.is_some(),
            sampler: settings.sampler,
            carrier: settings.carrier.clone(),
            lane_bytes: self.buffer_bytes,
            file,
        });
        let tell = move |diagnostic: Diagnostic| {
            // Said by `Failing` to people, where it lasts.
            if let Diagnostic::Throttled { throttle, count, .. } = diagnostic {
                return recorder.fact(throttled_export(&throttle, count, recorder));
            }
            let least = match &diagnostic {
                diagnostic if diagnostic.is_loss() => Level::Error,
                diagnostic if diagnostic.is_recovery() => Level::Info,
                _ => Level::Warn,
            };
            notice(least, &format!("{diagnostic}"));
        };
        let spool_directory = spool.as_ref().map(|spool| spool.directory.clone());
        let tell: Diagnostics = Arc::new(tell);
        let delivery = (!destinations.is_empty()).then(|| Delivery::start_with(destinations, spool, Arc::clone(&tell)));
        let color = settings.log_color && self.log_writer.is_none() && std::io::stderr().is_terminal();
        let log = Log::new(settings.log, color, self.log_writer.unwrap_or_else(|| Box::new(std::io::stderr())));
        let outputs = Outputs::new(&settings, &resource, delivery, log, calls, self.captured);
        let mailbox = Mailbox::default();
        let shown = Arc::<ArcSwap<Shown>>::default();
        let vitals = Tracker::new(Arc::clone(&shown));
        let assembler = Assembler::new(recorder, mailbox.clone(), &settings, self.originator, outputs, vitals, tell);
        let thread = match crate::shell::spawn("assembler", move || assembler.run()) {
            Ok(handle) => handle.thread().clone(),
            Err(error) => {
                notice(Level::Error, &format!("telemetry is off: its thread could not be started: {error}"));
                return Telemetry::off(settings.parent, warnings);
            }
        };
        recorder.attach(thread);
        let inner = Arc::new(Inner {
            recorder: Some(recorder),
            mailbox,
            parent: settings.parent,
            destinations: names,
            warnings,
            spool: spool_directory,
            shutdown_timeout: settings.shutdown_timeout,
            handles_signals: settings.handle_signals,
            handles_panics: settings.handle_panics,
            process: std::process::id(),
            settlement: Arc::default(),
            receipt_to: Mutex::new(self.receipt_to),
            shown,
        });
        ending::watch(&inner, &|text| notice(Level::Warn, text));
        Telemetry { inner }
    }

    fn destinations(&mut self, settings: &Settings, notice: &dyn Fn(&str)) -> Vec<DestinationConfig> {
        let mut destinations = std::mem::take(&mut self.destinations);
        let mut otlp = OtlpConfig::default();
        let mut names: Vec<String> = Vec::new();
        for signal in Signal::ALL {
            let wanted = &settings.signals[signal.index()];
            let Some(config) = signal_config(signal, wanted, settings, notice) else { continue };
            let protocol = wanted.protocol.as_str();
            let url = mask_userinfo(wanted.endpoint.as_deref().unwrap_or_default());
            let base = url.strip_suffix(&format!("/v1/{signal}")).unwrap_or(&url);
            let name = format!("{base} ({protocol})");
            if !names.contains(&name) {
                names.push(name);
            }
            match signal {
                Signal::Traces => otlp.traces = Some(config),
                Signal::Logs => otlp.logs = Some(config),
                Signal::Metrics => otlp.metrics = Some(config),
            }
        }
        if !names.is_empty() {
            let mut destination = DestinationConfig::new(names.join(", "), Target::Otlp(Box::new(otlp)));
            destination.queue_records = settings.queue_records;
            destinations.push(destination);
        }
        for directory in &self.directories {
            let name = directory.display().to_string();
            destinations.push(DestinationConfig::new(name, Target::Directory(directory.clone())));
        }
        destinations
    }
}

/// A destination that throttles us, as the event that any throttled service is.
fn throttled_export(throttle: &Throttle, count: u64, recorder: &Recorder) -> Fact {
    let told = Told {
        outcome: Some(ThrottleOutcome::Retried),
        operation: Some(DownstreamOperation::TelemetryExport),
        count,
        ..Told::default()
    };
    Fact::Event(throttle.event(told, None, recorder.clock.now()))
}

fn signal_config(
    signal: Signal,
    wanted: &SignalSettings,
    settings: &Settings,
    notice: &dyn Fn(&str),
) -> Option<SignalConfig> {
    let url = wanted.endpoint.as_deref()?;
    let endpoint = match wanted.protocol {
        Protocol::Grpc => Endpoint::grpc(url, wanted.insecure.unwrap_or(false), signal),
        _ => Endpoint::http(url),
    };
    let endpoint = match endpoint {
        Ok(endpoint) => endpoint,
        Err(error) => {
            notice(&format!("{signal} are not sent: {error}"));
            return None;
        }
    };
    let mut headers = Headers::new();
    for (name, value) in &wanted.headers {
        if let Err(error) = headers.set(name, value) {
            notice(&format!("a header for {signal} is left out: {error}"));
        }
    }
    let mut config = SignalConfig::new(wanted.protocol, endpoint);
    config.headers = headers;
    config.timeout = wanted.timeout;
    config.compression = wanted.compression;
    config.tls = tls(signal, wanted, notice);
    if let Err(error) = config.through(&settings.proxies) {
        notice(&format!("{signal} are sent without a proxy: {error}"));
    }
    config.keep_to(settings.backend.unwrap_or_else(|| Backend::of_host(config.endpoint.host())));
    Some(config)
}

/// Whom to trust and who to be. A file that cannot be used is told of; without it the server will most likely be
/// refused, or refuse us, and that is told too.
fn tls(signal: Signal, wanted: &SignalSettings, notice: &dyn Fn(&str)) -> Tls {
    let mut tls = Tls::default();
    if let Some(file) = &wanted.certificate
        && let Err(error) = tls.trust(file)
    {
        notice(&format!("{signal} are sent trusting the system's authorities: {error}"));
    }
    match (&wanted.client_certificate, &wanted.client_key) {
        (Some(chain), Some(key)) => {
            if let Err(error) = tls.identify(chain, key) {
                notice(&format!("{signal} are sent without a client certificate: {error}"));
            }
        }
        (None, None) => {}
        _ => notice(&format!("{signal} are sent without a client certificate: it needs a key, and the key it")),
    }
    tls
}

fn resource(settings: &Settings) -> Vec<(String, Value)> {
    let own: [(&str, Value); 8] = [
        ("service.name", settings.service_name.clone().into()),
        // Without it two runs of one program would be one series in Prometheus, and the second one's counts lost.
        ("service.instance.id", instance_id(IdSource::Random.trace_id()).into()),
        ("telemetry.sdk.name", "vigil".into()),
        ("telemetry.sdk.language", "rust".into()),
        ("telemetry.sdk.version", env!("CARGO_PKG_VERSION").into()),
        ("process.pid", i64::from(std::process::id()).into()),
        ("os.type", std::env::consts::OS.into()),
        ("host.arch", std::env::consts::ARCH.into()),
    ];
    let given = |name: &str| settings.resource.iter().any(|(given, _)| given == name);
    let mut all: Vec<_> =
        own.into_iter().filter(|(name, _)| !given(name)).map(|(name, value)| (name.to_owned(), value)).collect();
    all.extend(settings.resource.iter().map(|(name, value)| (name.clone(), value.clone().into())));
    all
}

/// Random bits in the form of a UUID of version 4, which the conventions ask for.
fn instance_id(random: TraceId) -> String {
    let mut bytes = random.0;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = TraceId(bytes).to_string();
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits.get(part).unwrap_or_default());
    parts.join("-")
}

/// A line of Vigil's own on stderr. Never stdout, and a closed stderr is not an error.
pub(crate) fn notice(text: &str) {
    std::io::stderr().write_all(format!("vigil: {text}\n").as_bytes()).ok();
}

/// The recorder of one program, and what becomes of its records.
///
/// Cheap to clone. When the last clone is dropped, what was recorded is delivered within
/// [`SHUTDOWN_DEADLINE_DEFAULT`]; call [`shutdown`](Self::shutdown) to choose the deadline and get the receipt.
/// Nothing is delivered by a process that ends in `std::process::exit` without either: use
/// [`vigil::exit`](crate::exit()).
#[derive(Clone, Debug)]
pub struct Telemetry {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    recorder: Option<&'static Recorder>,
    mailbox: Mailbox,
    parent: Option<RemoteParent>,
    destinations: Vec<String>,
    warnings: Vec<String>,
    spool: Option<PathBuf>,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) handles_signals: bool,
    pub(crate) handles_panics: bool,
    /// Which process the threads belong to.
    process: u32,
    settlement: Arc<Settlement>,
    receipt_to: Mutex<Option<ReceiptTo>>,
    /// What the assembler saw, and the budget that is watched.
    shown: Arc<ArcSwap<Shown>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Telemetry")
            .field("on", &self.recorder.is_some())
            .field("destinations", &self.destinations)
            .finish_non_exhaustive()
    }
}

/// What the receipt may take after the deadline, which delivery keeps by itself: 90 ms.
const GRACE: Duration = Duration::from_millis(90);

impl Inner {
    pub(crate) fn recorder(&self) -> Option<&'static Recorder> {
        self.recorder
    }

    fn shutdown(&self, deadline: Duration, wait: bool) -> Receipt {
        let by_panic = self.handles_panics && std::thread::panicking();
        let cause = if by_panic { Cause::Panic } else { Cause::Asked };
        let until = monotonic() + deadline.min(FAR_AWAY);
        let first = self.begin_end(until, wait, cause);
        self.await_end(until, first)
    }

    /// A fork has none of the threads: nobody would answer.
    fn is_forked(&self) -> bool {
        self.process != std::process::id()
    }

    /// Has telemetry end by `until`, and answers whether that was not under way already.
    pub(crate) fn begin_end(&self, until: Instant, wait: bool, cause: Cause) -> bool {
        let Some(recorder) = self.recorder.filter(|_| !self.is_forked()) else { return false };
        if !self.settlement.begin() {
            return false;
        }
        let answer = Answer(Arc::clone(&self.settlement));
        self.mailbox.send(Command::Shutdown { deadline: until, wait, cause, answer });
        recorder.wake();
        true
    }

    /// Waits for the end until then. `first` is whether it was begun by the caller, who has the last word.
    pub(crate) fn await_end(&self, until: Instant, first: bool) -> Receipt {
        let Some(recorder) = self.recorder else { return Receipt::default() };
        let none = Receipt { timed_out: true, ..Receipt::default() };
        if self.is_forked() {
            return none;
        }
        let receipt = self.settlement.wait((until + GRACE).saturating_duration_since(monotonic()));
        if !first {
            return receipt.unwrap_or(none);
        }
        recorder.close();
        let receipt = receipt.unwrap_or(none);
        // What was not assembled in time is left for the next process where it can be.
        if !(receipt.timed_out && recorder.keeps()) {
            recorder.abandon();
        }
        let receipt = self.settlement.settle(receipt);
        if let Some(told) = self.receipt_to.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A panic of theirs is not to become one of ours, least of all while another is unwinding.
            drop(catch_unwind(AssertUnwindSafe(|| told(&receipt))));
        }
        receipt
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(self.shutdown(self.shutdown_timeout, false));
    }
}

constructors!(Telemetry, self => &self.root(), " below the span that is current on this thread, else as a root");

impl Telemetry {
    fn off(parent: Option<RemoteParent>, warnings: Vec<String>) -> Self {
        Self {
            inner: Arc::new(Inner {
                recorder: None,
                mailbox: Mailbox::default(),
                parent,
                destinations: Vec::new(),
                warnings,
                spool: None,
                shutdown_timeout: SHUTDOWN_DEADLINE_DEFAULT,
                handles_signals: false,
                handles_panics: false,
                process: std::process::id(),
                settlement: Arc::default(),
                receipt_to: Mutex::default(),
                shown: Arc::default(),
            }),
        }
    }

    fn root(&self) -> Root {
        let recorder = self.inner.recorder;
        let ambient = recorder.and_then(Ambient::of);
        let parent = ambient.map_or_else(|| self.root_parent(), |ambient| ambient.as_parent());
        Root { recorder, parent }
    }

    /// What a span hangs from that has nothing above it in this process.
    pub(crate) fn root_parent(&self) -> Parent {
        match self.inner.parent {
            Some(given) => Parent { context: Some(given.context), sampled: Some(given.sampled), remote: true },
            None => Parent::default(),
        }
    }

    /// The way of spans made with another tracing API into these traces; see [`Host`].
    pub fn host(&self) -> Host {
        Host::new(self.inner.recorder, self.root_parent())
    }

    pub(crate) fn recorder(&self) -> Option<&'static Recorder> {
        self.inner.recorder
    }

    /// What is known about the running agent, for itself to act on. Takes less than 100 ns and no lock in the
    /// recording path.
    pub fn vitals(&self) -> Vitals {
        let (shown, recorder) = (&self.inner.shown, self.inner.recorder);
        // Where nobody records, nothing new comes, which is what makes kept ones counted.
        let shown = if recorder.is_some() { shown.load() } else { Guard::from_inner(shown.load_full()) };
        Vitals::new(shown, recorder)
    }

    /// Lets [`vitals`](Self::vitals) tell what is left of `budget`, in the place of another.
    pub fn watch_budget(&self, budget: &Budget) {
        self.inner.shown.rcu(|shown| shown.watching(budget));
    }

    /// Whether anything recorded goes anywhere.
    pub fn is_on(&self) -> bool {
        self.inner.recorder.is_some()
    }

    /// This telemetry with roots below `parent`, a span in another process or service. Shares everything else.
    pub fn with_remote_parent(&self, parent: RemoteParent) -> RemoteTelemetry<'_> {
        RemoteTelemetry { telemetry: self, parent }
    }

    /// The parent this process was given in `TRACEPARENT`, if any. Roots are its children.
    pub fn parent_from_env(&self) -> Option<SpanContext> {
        self.inner.parent.map(|parent| parent.context)
    }

    /// The `traceparent` that hands `context`, a span recorded as a fact, to a child process: with the sampler's
    /// decision for its trace.
    pub fn traceparent_of(&self, context: SpanContext) -> String {
        let inherited = self.inner.parent.filter(|parent| parent.context.trace_id == context.trace_id);
        let inherited = inherited.map(|parent| parent.sampled);
        let sampler = self.inner.recorder.map(|recorder| recorder.sampler);
        let sampled = sampler.is_some_and(|sampler| sampler.keep(context.trace_id, inherited));
        crate::span::traceparent(context, sampled)
    }

    /// Whether free text may be recorded.
    pub fn content_allowed(&self) -> bool {
        self.inner.recorder.is_some_and(|recorder| recorder.content)
    }

    /// Where telemetry goes, in words for people and without secrets. Empty when it goes nowhere but the log.
    pub fn destinations(&self) -> &[String] {
        &self.inner.destinations
    }

    /// The folder where what is to be sent outlives this process, if there is one.
    pub fn spool(&self) -> Option<&std::path::Path> {
        self.inner.spool.as_deref()
    }

    /// What was wrong with the settings; each was also told once on stderr.
    pub fn warnings(&self) -> &[String] {
        &self.inner.warnings
    }

    /// Records what an adapter learned. Never blocks; what does not fit is counted as lost.
    pub fn record_fact(&self, fact: Fact) {
        if let Some(recorder) = self.inner.recorder {
            recorder.fact(fact);
        }
    }

    /// Waits until everything recorded before this call was assembled, at most `deadline`, and answers whether it
    /// was. For programs that record from disk and can go slower; delivery is not waited for.
    pub fn wait_assembled(&self, deadline: Duration) -> bool {
        let Some(recorder) = self.inner.recorder.filter(|_| !self.inner.is_forked()) else {
            return true;
        };
        let (reply, answer) = channel();
        self.inner.mailbox.send(Command::Assemble { reply });
        recorder.wake();
        answer.recv_timeout(deadline.min(FAR_AWAY)).is_ok()
    }

    /// Sends everything recorded before this call and waits until it was delivered, at most `deadline`.
    /// Answers whether it was. Rarely needed: finished work is sent within a second by itself.
    pub fn flush(&self, deadline: Duration) -> bool {
        let Some(recorder) = self.inner.recorder else { return true };
        if self.inner.is_forked() {
            return false;
        }
        // After the shutdown nobody is left to answer, and nothing is left to send.
        if let Some(receipt) = self.inner.settlement.receipt() {
            return receipt.is_complete();
        }
        let deadline = deadline.min(FAR_AWAY);
        let (reply, answer) = channel();
        self.inner.mailbox.send(Command::Flush { deadline: monotonic() + deadline, reply });
        recorder.wake();
        answer.recv_timeout(deadline + GRACE).unwrap_or(false)
    }

    /// Ends telemetry: closes what is open (as cancelled), delivers, and answers with the account. One deadline
    /// holds for every signal and destination, within 100 ms; with a spool nothing is waited for that is in it. Handles
    /// that still live record nothing from then on. A second call answers with the same receipt, or, while the first is
    /// under way and its own deadline is over, with none.
    pub fn shutdown(&self, deadline: Duration) -> Receipt {
        self.inner.shutdown(deadline, false)
    }

    /// [`shutdown`](Self::shutdown) that waits for delivery up to the deadline also where there is a spool: for
    /// machines that go away with the program, and for people who want to see it arrive.
    pub fn deliver_and_shutdown(&self, deadline: Duration) -> Receipt {
        self.inner.shutdown(deadline, true)
    }

    /// Makes this the telemetry of the process, for the free functions. Answers with the value when there is
    /// one already: nothing is replaced behind anyone's back.
    ///
    /// # Errors
    /// Some telemetry is installed already.
    pub fn install(self) -> Result<(), Telemetry> {
        INSTALLED.set(self)
    }
}

static INSTALLED: OnceLock<Telemetry> = OnceLock::new();

/// The telemetry that was [installed](Telemetry::install) for the process, if any.
pub fn installed() -> Option<&'static Telemetry> {
    INSTALLED.get()
}

/// Delivers what the installed telemetry recorded, waiting at most as long as its
/// [shutdown timeout](Builder::shutdown_timeout), and ends the process. Use it wherever you would use `std::process::exit`, which ends it with everything still unsent.
#[expect(clippy::exit, reason = "ending the process is what it is for")]
pub fn exit(code: i32) -> ! {
    if let Some(telemetry) = installed() {
        drop(telemetry.shutdown(telemetry.inner.shutdown_timeout));
    }
    std::process::exit(code)
}

/// Telemetry whose roots continue a trace from elsewhere; made by [`Telemetry::with_remote_parent`].
#[derive(Clone, Copy, Debug)]
pub struct RemoteTelemetry<'a> {
    telemetry: &'a Telemetry,
    parent: RemoteParent,
}

constructors!(RemoteTelemetry<'_>, self => &self.root(), " below the remote parent");

impl RemoteTelemetry<'_> {
    fn root(&self) -> Root {
        // It may be a span of this process after all.
        let parent = Parent { context: Some(self.parent.context), sampled: Some(self.parent.sampled), remote: false };
        Root { recorder: self.telemetry.inner.recorder, parent }
    }
}

/// Free functions on the installed telemetry. Without any they record nothing.
pub(crate) mod global {
    use super::{Telemetry, installed};
    use std::sync::OnceLock;

    fn telemetry() -> &'static Telemetry {
        static OFF: OnceLock<Telemetry> = OnceLock::new();
        installed().unwrap_or_else(|| OFF.get_or_init(|| Telemetry::off(None, Vec::new())))
    }

    /// Starts a run of the agent `name` on the installed telemetry; see [`Telemetry::agent_span`].
    pub fn agent_span(session: &str, name: &str) -> crate::AgentSpan {
        telemetry().agent_span(session, name)
    }

    /// Starts a phase on the installed telemetry; see [`Telemetry::phase_span`].
    pub fn phase_span(phase: crate::Phase) -> crate::PhaseSpan {
        telemetry().phase_span(phase)
    }

    /// Starts a model call on the installed telemetry; see [`Telemetry::chat_span`].
    pub fn chat_span(provider: impl Into<crate::Provider>, model: &str) -> crate::ChatSpan {
        telemetry().chat_span(provider, model)
    }

    /// Starts a tool call on the installed telemetry; see [`Telemetry::tool_span`].
    pub fn tool_span(name: &str, call_id: &str) -> crate::ToolSpan {
        telemetry().tool_span(name, call_id)
    }

    /// Starts a capability call on the installed telemetry; see [`Telemetry::capability_span`].
    pub fn capability_span(name: &str) -> crate::CapabilitySpan {
        telemetry().capability_span(name)
    }
}

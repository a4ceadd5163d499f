//! The program things happen to: it records tool calls at a pace, ends, and says what became of them.

use crate::process;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use vigil::{LogFormat, Telemetry};

/// What it is to do.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) endpoint: Option<String>,
    pub(crate) spool: Option<PathBuf>,
    pub(crate) spans: u64,
    /// 0 for as fast as it goes.
    pub(crate) per_second: u64,
    /// What it waits for delivery before it ends.
    pub(crate) flush_ms: u64,
    pub(crate) deadline_ms: u64,
    /// Says the number of every span whose end has returned, and leaves an agent's span and a tool's open.
    pub(crate) tell: bool,
}

impl Job {
    pub(crate) fn new(endpoint: &str, spool: Option<&Path>) -> Self {
        Self {
            endpoint: Some(endpoint.to_owned()),
            spool: spool.map(Path::to_owned),
            spans: 100,
            per_second: 0,
            flush_ms: 0,
            deadline_ms: 1000,
            tell: false,
        }
    }
}

/// What became of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) recorded: u64,
    pub(crate) delivered: u64,
    pub(crate) spooled: u64,
    pub(crate) lost: u64,
    pub(crate) timed_out: bool,
    /// What one of a hundred calls took or more.
    pub(crate) p99_ns: u64,
    pub(crate) shutdown_ms: f64,
    pub(crate) peak_kb: u64,
}

impl Account {
    /// Whether the receipt adds up.
    pub(crate) fn is_exact(&self) -> bool {
        !self.timed_out && self.recorded == self.delivered + self.spooled + self.lost
    }
}

/// The agent, running.
pub(crate) struct Agent(Child);

impl Agent {
    pub(crate) fn start(job: &Job) -> Result<Self, Box<dyn Error>> {
        Self::run(Command::new(std::env::current_exe()?), job)
    }

    /// Starts it by another program, which takes a command as its last arguments.
    pub(crate) fn start_under(mut program: Command, job: &Job) -> Result<Self, Box<dyn Error>> {
        program.arg(std::env::current_exe()?);
        Self::run(program, job)
    }

    fn run(mut command: Command, job: &Job) -> Result<Self, Box<dyn Error>> {
        command.args(["faults-agent", &serde_json::to_string(job)?]).stdin(Stdio::null()).stdout(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            let name_bytes = name.as_encoded_bytes();
            if name_bytes.starts_with(b"OTEL_") || name_bytes.starts_with(b"VIGIL_") {
                command.env_remove(name);
            }
        }
        Ok(Self(command.spawn()?))
    }

    /// Waits for the end and the account.
    pub(crate) fn end(mut self) -> Result<Account, Box<dyn Error>> {
        let mut said = String::new();
        self.0.stdout.take().ok_or("no stdout")?.read_to_string(&mut said)?;
        let status = self.0.wait()?;
        if !status.success() {
            return Err(format!("the agent ended with {status}").into());
        }
        Ok(serde_json::from_str(said.lines().last().unwrap_or_default())?)
    }

    /// Kills it and answers with what it said.
    pub(crate) fn kill(mut self, after: Duration) -> Result<String, Box<dyn Error>> {
        let mut stdout = self.0.stdout.take().ok_or("no stdout")?;
        let reader = std::thread::spawn(move || {
            let mut said = String::new();
            stdout.read_to_string(&mut said).map(|_| said)
        });
        std::thread::sleep(after);
        self.0.kill()?;
        self.0.wait()?;
        Ok(reader.join().map_err(|_| "the reader panicked")??)
    }
}

/// As a child process: does the job and says the account.
pub(crate) fn serve(job: &str) -> Result<(), Box<dyn Error>> {
    let job: Job = serde_json::from_str(job)?;
    let mut builder = vigil::from_env("faults").environment([]).quiet(true).log_format(LogFormat::Off);
    if let Some(endpoint) = &job.endpoint {
        builder = builder.endpoint(endpoint);
    }
    if let Some(spool) = &job.spool {
        builder = builder.spool_dir(spool);
    }
    let telemetry = builder.start();
    let open = job.tell.then(|| {
        let agent = telemetry.agent_span("session", "faults");
        let tool = agent.tool_span("search", "open");
        (agent, tool)
    });
    let mut times = Vec::with_capacity(usize::try_from(job.spans.min(1 << 20))?);
    let began = Instant::now();
    for number in 0..job.spans {
        if job.per_second > 0 {
            let due = began + Duration::from_secs_f64(number as f64 / job.per_second as f64);
            let left = due.saturating_duration_since(Instant::now());
            // In groups, as sleeping is not exact to the microsecond.
            if left > Duration::from_millis(5) {
                std::thread::sleep(left);
            }
        }
        let before = Instant::now();
        record(&telemetry, number);
        if times.len() < times.capacity() {
            times.push(before.elapsed().as_nanos() as u64);
        }
        if job.tell {
            process::say(&(number,))?;
        }
    }
    drop(open);
    if job.flush_ms > 0 {
        telemetry.flush(Duration::from_millis(job.flush_ms));
    }
    let before = Instant::now();
    let receipt = telemetry.shutdown(Duration::from_millis(job.deadline_ms));
    times.sort_unstable();
    process::say(&Account {
        recorded: receipt.traces.recorded,
        delivered: receipt.traces.delivered,
        spooled: receipt.traces.spooled,
        lost: receipt.traces.lost.total(),
        timed_out: receipt.timed_out,
        p99_ns: times.get(times.len() * 99 / 100).copied().unwrap_or_default(),
        shutdown_ms: before.elapsed().as_secs_f64() * 1e3,
        peak_kb: peak_kb(),
    })
}

fn record(telemetry: &Telemetry, number: u64) {
    // The call's id is found again in what arrives.
    let mut tool = telemetry.tool_span("search", &number.to_string());
    tool.record_tool_status(vigil::ToolStatus::Ok);
    tool.finish();
}

/// The most memory this process had.
fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse().ok());
    peak.unwrap_or_default()
}

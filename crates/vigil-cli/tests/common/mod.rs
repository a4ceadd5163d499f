//! Running the program in tests: every run has a deadline, a scratch home, and an environment of its own.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_methods, reason = "tests measure time and start threads")]

pub(crate) mod collector;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What any run here may take; far more than it needs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A folder that is removed at the end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("vigil-cli-test-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(fs::canonicalize(path).unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes an executable script.
    pub(crate) fn script(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The program with an environment that holds nothing of ours.
pub(crate) fn vigil(home: &Path) -> Command {
    let mut command = program();
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", home);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The program, with the usual signals as they usually are: a runner in the background or under nohup ignores some,
/// and what is ignored stays ignored.
fn program() -> Command {
    const PROGRAM: &str = env!("CARGO_BIN_EXE_vigil");
    const HUP_INT_QUIT_TERM: u64 = 1 | 1 << 1 | 1 << 2 | 1 << 14;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    if ignored.unwrap_or(0) & HUP_INT_QUIT_TERM == 0 {
        return Command::new(PROGRAM);
    }
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP,INT,QUIT,TERM", PROGRAM]);
    command
}

/// `vigil run [options] -- sh -c script`.
pub(crate) fn run_sh(home: &Path, options: &[&str], script: &str) -> Command {
    let mut command = vigil(home);
    command.arg("run").args(options).args(["--", "sh", "-c", script]);
    command
}

/// Runs to the end, within [`DEADLINE`].
pub(crate) fn finish(mut command: Command) -> Output {
    collect(command.spawn().unwrap())
}

/// Reads everything and waits, within [`DEADLINE`].
pub(crate) fn collect(mut child: Child) -> Output {
    let began = Instant::now();
    let reader = |pipe: Option<Box<dyn Read + Send>>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                pipe.read_to_end(&mut bytes).unwrap();
            }
            bytes
        })
    };
    let stdout = reader(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let stderr = reader(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let status = wait(&mut child, began);
    Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// Waits for the end, within [`DEADLINE`] from `began`.
pub(crate) fn wait(child: &mut Child, began: Instant) -> std::process::ExitStatus {
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if began.elapsed() > DEADLINE {
            child.kill().unwrap();
            panic!("it did not end within {DEADLINE:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until `path` exists and holds something.
pub(crate) fn wait_for(path: &Path) {
    let began = Instant::now();
    while fs::metadata(path).map_or(0, |about| about.len()) == 0 {
        assert!(began.elapsed() < DEADLINE, "{} did not appear", path.display());
        thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A recording from the adapters' corpus: `name` as `<version>/<scenario>`.
pub(crate) fn recording(scenario: &str) -> PathBuf {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vigil-adapters/tests/corpus/claude");
    let found = fs::read_dir(&corpus).unwrap().flatten().map(|version| version.path().join(scenario));
    found.into_iter().find(|path| path.is_dir()).unwrap_or_else(|| panic!("no recording {scenario}"))
}

/// Every span in `traces.jsonl`.
pub(crate) fn spans(folder: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(folder.join("traces.jsonl")).unwrap();
    let list = |value: &serde_json::Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .flat_map(|request| list(&request, "resourceSpans"))
        .flat_map(|resource| list(&resource, "scopeSpans"))
        .flat_map(|scope| list(&scope, "spans"))
        .collect()
}

/// Every log record in `logs.jsonl` that is this event; none where there is no such file.
pub(crate) fn events(folder: &Path, name: &str) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(folder.join("logs.jsonl")).unwrap_or_default();
    let list = |value: &serde_json::Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .flat_map(|request| list(&request, "resourceLogs"))
        .flat_map(|resource| list(&resource, "scopeLogs"))
        .flat_map(|scope| list(&scope, "logRecords"))
        .filter(|record| record["eventName"] == name)
        .collect()
}

/// The value of a span's attribute, as text.
pub(crate) fn attribute(span: &serde_json::Value, name: &str) -> Option<String> {
    let attribute = span["attributes"].as_array()?.iter().find(|attribute| attribute["key"] == name)?;
    let value = attribute["value"].as_object()?.values().next()?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// Names and ids of spans, sorted.
pub(crate) fn identities(spans: &[serde_json::Value]) -> Vec<String> {
    let mut all: Vec<_> = spans
        .iter()
        .map(|span| format!("{} {} {} {}", span["name"], span["traceId"], span["spanId"], span["parentSpanId"]))
        .collect();
    all.sort();
    all
}

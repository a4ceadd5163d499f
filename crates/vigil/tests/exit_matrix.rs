//! Every way a program ends, everywhere it may be at that moment, with every sort of collector: what is delivered,
//! spooled and lost, how long it takes, and what the parent sees. A line a cell:
//!
//! ```text
//! cargo test -p vigil-sdk --test exit_matrix -- [WORDS OF A CELL'S NAME]
//! ```
//!
//! Each cell is a process of its own with its own main function, and a collector of its own. It records a tool call
//! that ends and an agent that is still at work when the end comes. The receipt it is told must be exact, and what it
//! says was delivered and spooled is looked for where it should be.
#![expect(clippy::disallowed_methods, reason = "tests measure time, start threads and tasks, read the environment")]
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::exit, reason = "a program that tests")]

mod support;

#[cfg(not(unix))]
fn main() {
    println!("not tried: the endings need signals and forks");
}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    match std::env::var("VIGIL_TEST_CELL") {
        Ok(cell) => {
            child::main(&cell);
            std::process::ExitCode::SUCCESS
        }
        Err(_) => parent::main(),
    }
}

/// What a telemetry value may take to end in every cell.
#[cfg(unix)]
const DEADLINE: std::time::Duration = std::time::Duration::from_millis(400);

/// What the child tells of its end: the receipt's figures for spans, and how long it took.
#[cfg(unix)]
#[derive(Debug, Default, PartialEq)]
struct Told {
    recorded: u64,
    delivered: u64,
    spooled: u64,
    lost: u64,
    timed_out: bool,
    took_ms: u64,
}

/// The program that ends.
#[cfg(unix)]
mod child {
    use super::DEADLINE;
    use super::support::block_on;
    use std::io::Write;
    use std::process::exit;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};
    use tokio::runtime::{Builder, Runtime};
    use vigil::{Receipt, Telemetry};

    pub(super) fn main(cell: &str) {
        let (ending, place) = cell.split_once('/').unwrap();
        match ending {
            "runtime gone" => runtime_gone(place),
            "fork" => fork(place),
            "host handler" => host_handler(),
            "hook that exits" => hook_that_exits(),
            "during a flush" => during_a_flush(),
            "caught panic" => caught_panic(),
            _ => everywhere(ending, place),
        }
    }

    fn start() -> Telemetry {
        let builder = vigil::from_env("exit").handle_signals(true).handle_panics(true).shutdown_timeout(DEADLINE);
        builder.receipt_to(tell).start()
    }

    /// When the end began.
    static BEGUN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();

    fn begin() {
        BEGUN.get_or_init(Instant::now);
    }

    fn tell(receipt: &Receipt) {
        let took = BEGUN.get().map_or(0, |begun| begun.elapsed().as_millis());
        let traces = &receipt.traces;
        let line = format!(
            "{} {} {} {} {} {took}\n",
            traces.recorded,
            traces.delivered,
            traces.spooled,
            traces.lost.total(),
            receipt.timed_out
        );
        std::fs::write(std::env::var_os("VIGIL_TEST_TOLD").unwrap(), line).unwrap();
    }

    /// A tool call that ends, below an agent that does not: its handle goes where no destructor comes.
    fn work(telemetry: &Telemetry) {
        let agent = telemetry.agent_span("session", "at work");
        agent.tool_span("search", "call").finish();
        std::mem::forget(agent);
    }

    /// Says that the work is done, and waits for what comes from outside.
    fn ready() {
        println!("ready");
        std::io::stdout().flush().unwrap();
    }

    fn end(ending: &str, telemetry: Telemetry) {
        match ending {
            "shutdown" => {
                begin();
                telemetry.shutdown(DEADLINE);
            }
            "drop" => {
                begin();
                drop(telemetry);
            }
            "exit" => {
                telemetry.install().unwrap();
                begin();
                vigil::exit(3);
            }
            "panic" => {
                telemetry.install().unwrap();
                let _open = vigil::phase_span(vigil::Phase::Execute);
                begin();
                panic!("as planned");
            }
            "signal" => {
                telemetry.install().unwrap();
                ready();
                std::thread::sleep(Duration::from_secs(60));
            }
            other => panic!("{other}"),
        }
    }

    /// The end in every place code may be.
    fn everywhere(ending: &str, place: &str) {
        let telemetry = start();
        work(&telemetry);
        let ending = ending.to_owned();
        match place {
            "no runtime" => end(&ending, telemetry),
            "own executor" => block_on(async { end(&ending, telemetry) }),
            "current_thread" => current_thread().block_on(async { end(&ending, telemetry) }),
            "one worker" => one_worker().block_on(async { end(&ending, telemetry) }),
            "task on current_thread" => {
                current_thread()
                    .block_on(async { tokio::spawn(async move { end(&ending, telemetry) }).await.unwrap() });
            }
            "task on one worker" => {
                one_worker().block_on(async { tokio::spawn(async move { end(&ending, telemetry) }).await.unwrap() });
            }
            other => panic!("{other}"),
        }
    }

    /// Telemetry made, and used, in a runtime that is gone before it ends.
    fn runtime_gone(place: &str) {
        let runtime = if place == "current_thread" { current_thread() } else { one_worker() };
        let telemetry = runtime.block_on(async {
            let telemetry = start();
            work(&telemetry);
            telemetry
        });
        drop(runtime);
        begin();
        telemetry.shutdown(DEADLINE);
    }

    #[expect(unsafe_code, reason = "the standard library has no fork; the child does what a careful one may do")]
    fn fork(place: &str) {
        let telemetry = start();
        work(&telemetry);
        // SAFETY: the child uses no lock another thread may have held: telemetry, which is what is tested, and exits.
        let child = unsafe { libc::fork() };
        if child == 0 {
            match place {
                "the child shuts down" => {
                    telemetry.agent_span("session", "in the child").finish();
                    let before = Instant::now();
                    let receipt = telemetry.shutdown(Duration::from_secs(60));
                    drop(telemetry);
                    exit(if receipt.timed_out && before.elapsed() < Duration::from_millis(100) { 0 } else { 9 });
                }
                "the child is signalled" => std::thread::sleep(Duration::from_secs(60)),
                _ => {
                    telemetry.install().unwrap();
                    std::panic::set_hook(Box::new(|_| {}));
                    panic!("as planned");
                }
            }
        }
        let pid = rustix::process::Pid::from_raw(child).unwrap();
        if place == "the child is signalled" {
            std::thread::sleep(Duration::from_millis(50));
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        }
        let (_, status) = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).unwrap().unwrap();
        let as_it_should = match place {
            "the child shuts down" => status.exit_status() == Some(0),
            "the child is signalled" => status.terminating_signal() == Some(libc::SIGTERM),
            _ => status.exit_status() == Some(101),
        };
        assert!(as_it_should, "{status:?}");
        begin();
        telemetry.shutdown(DEADLINE);
    }

    /// The program has a handler of its own, and decides.
    fn host_handler() {
        let flag = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(libc::SIGTERM, Arc::clone(&flag)).unwrap();
        let telemetry = start();
        work(&telemetry);
        ready();
        while !flag.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(100));
        // Nobody has ended it.
        telemetry.tool_span("tidy up", "call").finish();
        begin();
        telemetry.shutdown(DEADLINE);
        exit(7);
    }

    /// Many programs exit in their panic hook.
    fn hook_that_exits() {
        std::panic::set_hook(Box::new(|_| exit(9)));
        let telemetry = start();
        work(&telemetry);
        telemetry.install().unwrap();
        begin();
        std::thread::spawn(|| panic!("as planned")).join().ok();
        unreachable!();
    }

    /// A flush of a minute is under way when the signal comes.
    fn during_a_flush() {
        let telemetry = start();
        work(&telemetry);
        let flushing = telemetry.clone();
        std::thread::spawn(move || flushing.flush(Duration::from_secs(60)));
        std::thread::sleep(Duration::from_millis(100));
        ready();
        std::thread::sleep(Duration::from_secs(60));
    }

    /// A panic on another thread, which the program survives: what it unwinds has failed, the rest goes on.
    fn caught_panic() {
        let telemetry = start();
        let agent = telemetry.agent_span("session", "at work");
        let tool = agent.tool_span("search", "call");
        std::thread::spawn(move || {
            let _tool = tool;
            panic!("as planned");
        })
        .join()
        .unwrap_err();
        std::mem::forget(agent);
        begin();
        telemetry.shutdown(DEADLINE);
    }

    fn current_thread() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    fn one_worker() -> Runtime {
        Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    }
}

/// The matrix.
#[cfg(unix)]
mod parent {
    use super::support::{Answer, Server};
    use super::{DEADLINE, Told};
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::trace::v1::Span;
    use prost::Message;
    use rustix::process::{Pid, Signal, kill_process};
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::path::PathBuf;
    use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};
    use vigil::encode::Signal as Records;

    /// What the deadline may be exceeded by.
    const GRACE: Duration = Duration::from_millis(100);
    /// Whoever shares the machine may take that much from a cell once, or twice, but not thrice.
    const ATTEMPTS: usize = 3;
    /// A program that hangs is ended.
    const CELL_WITHIN: Duration = Duration::from_secs(20);
    const AT_A_TIME: usize = 4;

    const PLACES: [&str; 6] =
        ["no runtime", "own executor", "current_thread", "one worker", "task on current_thread", "task on one worker"];

    /// What is at the other end, and whether there is a spool.
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Collector {
        Takes,
        Hangs,
        Refuses,
        HangsSpooled,
        RefusesSpooled,
    }

    const COLLECTORS: [(Collector, &str); 5] = [
        (Collector::Takes, "a collector that takes"),
        (Collector::Hangs, "one that hangs"),
        (Collector::Refuses, "none there"),
        (Collector::HangsSpooled, "one that hangs, a spool"),
        (Collector::RefusesSpooled, "none there, a spool"),
    ];

    /// What the parent sees.
    #[derive(Clone, Copy, Debug)]
    enum Status {
        Code(i32),
        Signal(i32),
    }

    struct Cell {
        /// What the child is told.
        child: String,
        /// Sent to it when it is ready.
        signals: &'static [Signal],
        /// A wrapper it is started by.
        wrapper: &'static [&'static str],
        collector: Collector,
        status: Status,
        /// How the agent that is at work ends: its `error.type`, or as cancelled.
        agent: Option<&'static str>,
        /// The same for the tool call, of which `None` is well.
        tool: Option<&'static str>,
        /// Spans in all.
        spans: u64,
        name: String,
    }

    fn cells() -> Vec<Cell> {
        let mut cells = Vec::new();
        for (collector, with) in COLLECTORS {
            let mut add = |what: &str, child: String, signals, status| {
                cells.push(Cell {
                    name: format!("{what}, {with}"),
                    child,
                    signals,
                    wrapper: &[],
                    collector,
                    status,
                    agent: None,
                    tool: None,
                    spans: 2,
                });
            };
            for place in PLACES {
                let mut end = |what: &str, ending: &str, signals, status| {
                    add(&format!("{what}, {place}"), format!("{ending}/{place}"), signals, status);
                };
                end("shutdown", "shutdown", &[], Status::Code(0));
                end("drop", "drop", &[], Status::Code(0));
                end("vigil::exit", "exit", &[], Status::Code(3));
                end("panic", "panic", &[], Status::Code(101));
                end("SIGTERM", "signal", &[Signal::TERM], Status::Signal(libc::SIGTERM));
                end("SIGINT", "signal", &[Signal::INT], Status::Signal(libc::SIGINT));
            }
            add("SIGHUP", "signal/no runtime".to_owned(), &[Signal::HUP], Status::Signal(libc::SIGHUP));
            let both = &[Signal::TERM, Signal::HUP];
            add("SIGTERM and SIGHUP", "signal/no runtime".to_owned(), both, Status::Signal(libc::SIGTERM));
            for place in ["current_thread", "one worker"] {
                let what = format!("the runtime is gone first, {place}");
                add(&what, format!("runtime gone/{place}"), &[], Status::Code(0));
            }
            for place in ["the child shuts down", "the child is signalled", "the child panics"] {
                add(&format!("after a fork, {place}"), format!("fork/{place}"), &[], Status::Code(0));
            }
            add("SIGTERM with a handler of the host", "host handler/".to_owned(), &[Signal::TERM], Status::Code(7));
            add("a panic hook that exits", "hook that exits/".to_owned(), &[], Status::Code(9));
            let signalled = Status::Signal(libc::SIGTERM);
            add("SIGTERM during a flush of a minute", "during a flush/".to_owned(), &[Signal::TERM], signalled);
            add("a panic that is caught", "caught panic/".to_owned(), &[], Status::Code(0));
        }
        for cell in &mut cells {
            // The phase that the panic unwinds.
            cell.spans += u64::from(cell.child.starts_with("panic/"));
            // What the host's handler still does.
            cell.spans += u64::from(cell.child.starts_with("host handler"));
            if cell.child.starts_with("panic/") || cell.child.starts_with("hook that exits") {
                cell.agent = Some("panic");
            }
            if cell.child.starts_with("caught panic") {
                cell.tool = Some("panic");
            }
        }
        // What is ignored stays so: the second signal is what ends it.
        cells.push(Cell {
            name: "SIGHUP that is ignored, then SIGTERM, a collector that takes".to_owned(),
            child: "signal/no runtime".to_owned(),
            signals: &[Signal::HUP, Signal::TERM],
            wrapper: &["sh", "-c", "trap '' HUP; exec \"$0\""],
            collector: Collector::Takes,
            status: Status::Signal(libc::SIGTERM),
            agent: None,
            tool: None,
            spans: 2,
        });
        cells
    }

    pub(super) fn main() -> ExitCode {
        let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
        let cells: Vec<_> =
            cells().into_iter().filter(|cell| words.iter().all(|word| cell.name.contains(word))).collect();
        let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..AT_A_TIME {
                scope.spawn(|| {
                    while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                        match attempt(cell) {
                            Ok(said) => println!("{:<70} {said}", cell.name),
                            Err(why) => {
                                println!("{:<70} FAILED: {why}", cell.name);
                                failed.lock().unwrap().push(cell.name.clone());
                            }
                        }
                    }
                });
            }
        });
        let failed = failed.into_inner().unwrap();
        println!("{} cells, {} failed", cells.len(), failed.len());
        if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    /// Runs a cell, again when it was right but late.
    fn attempt(cell: &Cell) -> Result<String, String> {
        let mut last = Err("never run".to_owned());
        for _ in 0..ATTEMPTS {
            last = run(cell);
            if !last.as_ref().is_err_and(|why| why.starts_with("late")) {
                break;
            }
        }
        last
    }

    /// A folder that is gone afterwards.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new() -> Self {
            static NUMBER: AtomicUsize = AtomicUsize::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("vigil-exit-{}-{number}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).ok();
        }
    }

    fn run(cell: &Cell) -> Result<String, String> {
        let scratch = Scratch::new();
        let server = match cell.collector {
            Collector::Takes => Some(Server::start(Answer::Ok)),
            Collector::Hangs | Collector::HangsSpooled => Some(Server::start(Answer::Hang)),
            Collector::Refuses | Collector::RefusesSpooled => None,
        };
        let url = server.as_ref().map_or_else(|| "http://127.0.0.1:9".to_owned(), Server::url);
        let spooled = matches!(cell.collector, Collector::HangsSpooled | Collector::RefusesSpooled);
        let (spool, told) = (scratch.0.join("spool"), scratch.0.join("told"));

        let program = std::env::current_exe().unwrap();
        let mut command = match cell.wrapper {
            [] => Command::new(program),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        for (name, _) in std::env::vars_os() {
            let name_bytes = name.as_encoded_bytes();
            if name_bytes.starts_with(b"OTEL_") || name_bytes.starts_with(b"VIGIL_") {
                command.env_remove(name);
            }
        }
        command.env("VIGIL_TEST_CELL", &cell.child).env("VIGIL_TEST_TOLD", &told);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &url).env("OTEL_LOG_LEVEL", "none").env("RUST_BACKTRACE", "0");
        if spooled {
            command.env("VIGIL_SPOOL_DIR", &spool);
        }
        signals_as_usual(&mut command);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let signalled = send_signals(cell, &mut child);
        let status = wait(&mut child)?;
        let since_signal = signalled?.map(|at| at.elapsed());
        check_status(cell.status, status)?;

        let told = read_told(&std::fs::read_to_string(&told).unwrap_or_default()).ok_or("no receipt was told")?;
        let exact = told.recorded == told.delivered + told.spooled + told.lost && !told.timed_out;
        let as_expected = match cell.collector {
            Collector::Takes => told.delivered == cell.spans,
            Collector::Hangs | Collector::Refuses => told.lost == cell.spans,
            Collector::HangsSpooled | Collector::RefusesSpooled => told.spooled == cell.spans,
        };
        if !exact || !as_expected {
            return Err(format!("the receipt is {told:?}"));
        }
        let spans = if spooled { spooled_spans(&spool)? } else { arrived_spans(server.as_ref()) };
        let here = if cell.collector == Collector::Takes { told.delivered } else { told.spooled };
        // What hangs has got it all the same, without having said so.
        if cell.collector != Collector::Hangs {
            check_spans(cell, &spans, here)?;
        }
        let handled = cell.child.starts_with("signal") || cell.child.starts_with("during");
        let took = since_signal.filter(|_| handled).unwrap_or(Duration::from_millis(told.took_ms));
        let most = if spooled { GRACE } else { DEADLINE + GRACE };
        if took > most {
            return Err(format!("late: {took:?} of {most:?}"));
        }
        Ok(format!(
            "{} delivered, {} spooled, {} lost, in {} ms",
            told.delivered,
            told.spooled,
            told.lost,
            took.as_millis()
        ))
    }

    /// Whatever started this program may ignore signals, as a shell does for what it starts in the background; its
    /// children would inherit that.
    #[expect(unsafe_code, reason = "the standard library cannot do it; the call is safe between fork and exec")]
    fn signals_as_usual(command: &mut Command) {
        let reset = || {
            for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM] {
                // SAFETY: it is one of the calls that are allowed here, and sets what every process starts with.
                unsafe { libc::signal(signal, libc::SIG_DFL) };
            }
            Ok(())
        };
        // SAFETY: the closure neither allocates nor locks.
        unsafe { command.pre_exec(reset) };
    }

    /// Sends what is to be sent once the child is ready, and answers when that was.
    fn send_signals(cell: &Cell, child: &mut Child) -> Result<Option<Instant>, String> {
        if cell.signals.is_empty() {
            return Ok(None);
        }
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("no stdout")?;
        BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        let mut at = Instant::now();
        for (number, signal) in cell.signals.iter().enumerate() {
            if number > 0 {
                // Of two that wait the system delivers the one with the lower number first. The end may be over by now.
                std::thread::sleep(Duration::from_millis(50));
                at = Instant::now();
            }
            kill_process(Pid::from_child(child), *signal).map_err(|error| error.to_string())?;
        }
        Ok(Some(at))
    }

    fn wait(child: &mut Child) -> Result<ExitStatus, String> {
        let began = Instant::now();
        loop {
            match child.try_wait().map_err(|error| error.to_string())? {
                Some(status) => return Ok(status),
                None if began.elapsed() > CELL_WITHIN => {
                    child.kill().ok();
                    child.wait().ok();
                    return Err("it did not end".to_owned());
                }
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    fn check_status(expected: Status, status: ExitStatus) -> Result<(), String> {
        let is_expected = match expected {
            Status::Code(code) => status.code() == Some(code),
            Status::Signal(signal) => status.signal() == Some(signal),
        };
        if is_expected { Ok(()) } else { Err(format!("its parent sees {status}, not {expected:?}")) }
    }

    fn read_told(line: &str) -> Option<Told> {
        let mut words = line.split_whitespace();
        let mut number = || words.next()?.parse().ok();
        let (recorded, delivered, spooled, lost) = (number()?, number()?, number()?, number()?);
        let timed_out = words.next()? == "true";
        Some(Told { recorded, delivered, spooled, lost, timed_out, took_ms: words.next()?.parse().ok()? })
    }

    fn spans_of(body: &[u8]) -> Vec<Span> {
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    fn arrived_spans(server: Option<&Server>) -> Vec<Span> {
        server.iter().flat_map(|server| server.bodies("/v1/traces")).flat_map(|body| spans_of(&body)).collect()
    }

    fn spooled_spans(spool: &std::path::Path) -> Result<Vec<Span>, String> {
        let mut spans = Vec::new();
        let read = vigil::deliver::spool_batches(spool, |batch| {
            if batch.signal() == Records::Traces {
                spans.extend(spans_of(batch.body()));
            }
            Ok(())
        });
        read.map_err(|error| error.to_string())?;
        Ok(spans)
    }

    fn check_spans(cell: &Cell, spans: &[Span], expected: u64) -> Result<(), String> {
        let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
        if spans.len() as u64 != expected {
            return Err(format!("{expected} spans were promised, there are {names:?}"));
        }
        let text = |span: &Span, key: &str| {
            span.attributes.iter().find(|attribute| attribute.key == key).and_then(|attribute| {
                match attribute.value.as_ref()?.value.as_ref()? {
                    Value::StringValue(text) => Some(text.clone()),
                    _ => None,
                }
            })
        };
        for span in spans {
            let (error, outcome) = match span.name.as_str() {
                "invoke_agent at work" => (cell.agent, if cell.agent.is_some() { "error" } else { "cancelled" }),
                "phase execute" => (Some("panic"), "error"),
                _ => (cell.tool, if cell.tool.is_some() { "error" } else { "ok" }),
            };
            let found = (text(span, "error.type"), text(span, "vigil.outcome"));
            if (found.0.as_deref(), found.1.as_deref()) != (error, Some(outcome)) {
                return Err(format!("{} ended as {found:?}, not as {:?}", span.name, (error, outcome)));
            }
            if text(span, "exception.message").is_some() {
                return Err("a message of a panic left without content being asked for".to_owned());
            }
        }
        Ok(())
    }
}

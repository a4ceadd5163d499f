//! The journal among processes: killed at any moment, written by two at once, with the disk full.
//!
//! Each test runs this program again as a child (`child`, below) with a task in its environment.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test may fail, and tells how it went")]
#![allow(clippy::disallowed_methods, reason = "tests read clocks and the environment and start threads")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use vigil::journal::{AppendError, Durability, Journal, Reader, Verification, verify};

const TASK: &str = "VIGIL_TEST_JOURNAL_TASK";
const FILE: &str = "VIGIL_TEST_JOURNAL_FILE";
/// How often a process is killed: `VIGIL_KILL_ROUNDS=200` for the figure in docs/journal.md.
const ROUNDS: &str = "VIGIL_KILL_ROUNDS";
const ROUNDS_DEFAULT: u64 = 12;
/// Far more than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// A folder that is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vigil-journal-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// This program again, with a task.
fn start(task: &str, file: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    with_task(&mut command, task, file).spawn().unwrap()
}

fn with_task<'a>(command: &'a mut Command, task: &str, file: &Path) -> &'a mut Command {
    command.args(["--exact", "child", "--nocapture"]).env(TASK, task).env(FILE, file);
    command.stdin(Stdio::null()).stdout(Stdio::piped())
}

fn open(file: &Path, durability: Durability) -> Journal {
    Journal::options("stream").durability(durability).open(file).unwrap()
}

fn verified(file: &Path) -> Verification {
    verify(&mut Reader::open(file).unwrap()).unwrap()
}

/// What the child does.
#[test]
fn child() {
    let (Some(task), Some(file)) = (std::env::var_os(TASK), std::env::var_os(FILE)) else { return };
    let file = PathBuf::from(file);
    match task.to_str().unwrap() {
        "each write" => acknowledge_for_ever(&open(&file, Durability::EachWrite), false),
        "group" => acknowledge_for_ever(&open(&file, Durability::Group), true),
        "ten threads" => {
            let journal = open(&file, Durability::Group);
            say("started");
            wait_until("the other has started", || file.with_extension("go").exists());
            ten_threads(&journal);
        }
        "without pause" => without_pause(&open(&file, Durability::Group)),
        "disk full" => until_the_disk_is_full(&file),
        other => panic!("no task {other}"),
    }
}

fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(format!("{line}\n").as_bytes()).and_then(|()| stdout.flush()).unwrap();
}

/// Waits until the child says this; gives the rest of what it says.
fn wait_for(child: &mut Child, word: &str) -> (String, BufReader<ChildStdout>) {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    while !said.contains(word) {
        assert_ne!(output.read_line(&mut said).unwrap(), 0, "the child ended: {said}");
    }
    (said, output)
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Appends from several threads and says which records were acknowledged, until it is killed.
fn acknowledge_for_ever(journal: &Journal, by_flush: bool) {
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            scope.spawn(move || {
                for number in 0_usize.. {
                    let payload = format!("{thread} {number} ").repeat(1 + number % 97);
                    let mut head = journal.append_in(None, "event", payload.as_bytes()).unwrap();
                    if by_flush {
                        if number % 50 != 0 {
                            continue;
                        }
                        head = journal.flush().unwrap();
                    }
                    say(&format!("acknowledged {} {}", head.sequence, head.hash));
                }
            });
        }
    });
}

fn ten_threads(journal: &Journal) {
    std::thread::scope(|scope| {
        for thread in 0..10 {
            scope.spawn(move || {
                for number in 0..EACH {
                    let payload = format!("{} {thread} {number} ", std::process::id()).repeat(1 + number % 60);
                    journal.append_in(None, "event", payload.as_bytes()).unwrap();
                    if number % 2 == 0 {
                        // So that groups of both are many.
                        std::thread::sleep(Duration::from_millis(2));
                    }
                }
            });
        }
    });
    journal.flush().unwrap();
}

const EACH: usize = 300;

fn without_pause(journal: &Journal) {
    let started = Instant::now();
    say("started");
    while started.elapsed() < Duration::from_secs(2) {
        journal.append_in(None, "event", &[7; 1000]).unwrap();
    }
}

/// A small generator; the seed is told when a test fails.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
        eprintln!("seed {seed}");
        Self(seed)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[test]
fn a_process_killed_at_any_moment_loses_no_acknowledged_record_and_leaves_none_torn() {
    let rounds = std::env::var(ROUNDS).ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS_DEFAULT);
    let scratch = Scratch::new("kill");
    let mut random = Random::new();
    let (mut acknowledged, mut torn, mut records) = (0, 0, 0);
    for round in 0..rounds {
        // A few rounds go on in the same file: what one left behind is what the next begins with.
        let task = ["each write", "group"][(round % 2) as usize];
        let file = scratch.0.join(format!("{task} {}", round / 8));
        let mut child = start(task, &file);
        let (mut said, mut output) = wait_for(&mut child, "acknowledged");
        std::thread::sleep(Duration::from_micros(random.below(60_000)));
        // Of a `Child`, this is SIGKILL.
        child.kill().unwrap();
        output.read_to_string(&mut said).unwrap();
        child.wait().unwrap();

        let mut heads: HashMap<u64, String> = HashMap::new();
        // The last line may be cut short; its record counts once the line is whole.
        for line in said.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let mut words = line.split_whitespace().skip_while(|word| *word != "acknowledged").skip(1);
            if let (Some(sequence), Some(hash)) = (words.next(), words.next()) {
                heads.insert(sequence.parse().unwrap(), hash.to_owned());
            }
        }
        acknowledged += heads.len();
        let killed = verified(&file);
        assert!(killed.is_intact(), "round {round}: {:?}", killed.findings);
        let mut reader = Reader::open(&file).unwrap();
        while let Some(envelope) = reader.next_record().unwrap() {
            if let Some(hash) = heads.remove(&envelope.sequence) {
                assert_eq!(envelope.hash.to_string(), hash, "round {round}, record {}", envelope.sequence);
            }
        }
        assert!(heads.is_empty(), "round {round}, {task}: acknowledged and not there: {:?}", heads.keys());

        let journal = open(&file, Durability::EachWrite);
        assert_eq!(journal.recovery().cut_bytes, killed.torn.map_or(0, |torn| torn.bytes), "the cut is reported");
        assert_eq!(journal.head(), killed.head);
        drop(journal);
        let after = verified(&file);
        assert_eq!((after.is_intact(), after.torn, after.head), (true, None, killed.head));
        torn += u64::from(killed.torn.is_some());
        records = records.max(after.records);
    }
    eprintln!(
        "{rounds} rounds: {acknowledged} acknowledgements, all there; {torn} torn ends cut; up to {records} records a file"
    );
    assert!(acknowledged > 0);
}

#[test]
fn two_processes_with_ten_threads_each_write_one_chain() {
    let scratch = Scratch::new("two");
    let file = scratch.0.join("agent.journal");
    let mut children = [start("ten threads", &file), start("ten threads", &file)];
    let pids = children.each_ref().map(Child::id);
    let outputs = children.each_mut().map(|child| wait_for(child, "started"));
    std::fs::write(file.with_extension("go"), "").unwrap();
    for (mut child, (_, mut output)) in children.into_iter().zip(outputs) {
        std::io::copy(&mut output, &mut std::io::sink()).unwrap();
        assert!(child.wait().unwrap().success());
    }
    let verification = verified(&file);
    assert_eq!((verification.findings, verification.torn), (vec![], None));
    assert_eq!(verification.records, 20 * EACH as u64);

    let mut next: HashMap<(u32, usize), usize> = HashMap::new();
    let (mut turns, mut last) = (0, 0);
    let mut reader = Reader::open(&file).unwrap();
    while let Some(envelope) = reader.next_record().unwrap() {
        let text = std::str::from_utf8(envelope.payload).unwrap();
        let words: Vec<&str> = text.split(' ').take(3).collect();
        let (pid, thread, number): (u32, usize, usize) =
            (words[0].parse().unwrap(), words[1].parse().unwrap(), words[2].parse().unwrap());
        let whole = format!("{pid} {thread} {number} ").repeat(1 + number % 60);
        assert_eq!(text, whole, "a record is of one writer");
        let expected = next.entry((pid, thread)).or_default();
        assert_eq!(number, *expected, "each thread's records are in its order");
        *expected += 1;
        turns += u32::from(pid != last);
        last = pid;
    }
    assert!(next.len() == 20 && next.keys().all(|(pid, _)| pids.contains(pid)));
    eprintln!("{turns} turns");
    assert!(turns > 4, "they wrote at the same time: {turns} turns");
}

#[test]
fn a_process_that_writes_without_pause_lets_another_have_its_turn() {
    let scratch = Scratch::new("turn");
    let file = scratch.0.join("agent.journal");
    let mut child = start("without pause", &file);
    let (mut said, mut output) = wait_for(&mut child, "started");
    let journal = open(&file, Durability::EachWrite);
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        let started = Instant::now();
        journal.append_in(None, "mine", b"x").unwrap();
        longest = longest.max(started.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    eprintln!("a turn came within {longest:?}");
    assert!(longest < Duration::from_secs(4), "{longest:?}");
    output.read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success());
    let verification = verified(&file);
    assert_eq!((verification.findings, verification.torn), (vec![], None));
}

/// A limit on the size of files fails writes as a full disk does: some of a record is written, the rest is not.
#[test]
fn a_full_disk_leaves_whole_records_and_an_error() {
    let scratch = Scratch::new("full");
    let file = scratch.0.join("agent.journal");
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
    let mut child = with_task(&mut shell, "disk full", &file).spawn().unwrap();
    let mut status = None;
    wait_until("the child ends", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(status.unwrap().success(), "{said}");
    for (kind, name) in [("each write", "each"), ("group", "group")] {
        let verification = verified(&file.with_extension(name));
        assert!(said.contains(&format!("{kind} kept {}", verification.records)), "{said}: {verification:?}");
        assert_eq!((verification.findings, verification.torn), (vec![], None));
        // There is room again: the chain goes on.
        let journal = open(&file.with_extension(name), Durability::EachWrite);
        assert_eq!(journal.append_in(None, "after", b"").unwrap().sequence, verification.records + 1);
    }
}

fn until_the_disk_is_full(file: &Path) {
    let journal = open(&file.with_extension("each"), Durability::EachWrite);
    let mut kept = 0;
    let error = loop {
        match journal.append_in(None, "event", &[7; 700]) {
            Ok(head) => kept = head.sequence,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, AppendError::Io(_)), "{error}");
    // One that fits still is the next.
    assert_eq!(journal.append_in(None, "small", b"").unwrap().sequence, kept + 1);
    say(&format!("each write kept {}", kept + 1));

    let journal = open(&file.with_extension("group"), Durability::Group);
    let mut flushed = 0;
    let broken = loop {
        let appended = (0..7).try_for_each(|_| journal.append_in(None, "event", &[7; 700]).map(drop));
        match appended.and_then(|()| journal.flush()) {
            Ok(head) => flushed = head.sequence,
            Err(error) => break error,
        }
    };
    let AppendError::Broken { kept, .. } = &broken else { panic!("{broken}") };
    assert!(kept.sequence >= flushed);
    assert!(matches!(journal.append_in(None, "small", b""), Err(AppendError::Broken { .. })), "it says so again");
    assert!(matches!(journal.flush(), Err(AppendError::Broken { .. })));
    say(&format!("group kept {}", kept.sequence));
}

/// Another implementation, of ten lines, comes to the same.
#[test]
fn the_script_of_the_documentation_checks_the_golden_file() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: python3 is not there");
        return;
    }
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(crate_folder.join("../../docs/journal.md")).unwrap();
    let (_, script) = text.split_once("```python\n").unwrap();
    let (script, _) = script.split_once("```").unwrap();
    let golden = crate_folder.join("tests/fixtures/journal/v1.journal");
    let output = Command::new("python3").args(["-c", script]).arg(&golden).output().unwrap();
    let head = verified(&golden).head;
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{} {}\n", head.sequence, head.hash));
}

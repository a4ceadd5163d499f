//! The situations, each with what must hold.

use super::agent::{Account, Agent, Job};
use super::collector::{Behaviour, Collector, Taken, vacant};
use super::{Length, Row, Scratch};
use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use vigil::deliver::spool_status;
use vigil::encode::Signal;

type Rows = Result<Vec<Row>, Box<dyn Error>>;

/// In the order of the table.
pub(crate) const ALL: [fn(Length) -> Rows; 8] =
    [outage, group_sync, kills, bad_collectors, exits, full_disk, deleted_folder, two_processes];

/// The spans a batch has at most.
const BATCH: u64 = 2048;

/// Waits until `done`, a minute at most.
fn until(mut done: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while !done() {
        if began.elapsed() > Duration::from_secs(60) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

fn outage(length: Length) -> Rows {
    const PER_SECOND: u64 = 1000;
    let scratch = Scratch::new("outage")?;
    let address = vacant()?;
    let mut job = Job::new(&format!("http://{address}"), Some(&scratch.0));
    job.spans = (length.outage_s + 5) * PER_SECOND;
    job.per_second = PER_SECOND;
    job.flush_ms = 60_000;
    let agent = Agent::start(&job)?;
    std::thread::sleep(Duration::from_secs(length.outage_s));
    let collector = Collector::start_at(address, Behaviour::Take)?;
    let account = agent.end()?;
    let ((arrived, again), out_of_order) = (collector.counts(), collector.taken().out_of_order);
    let (lost, peak_mb) = (job.spans - arrived, account.peak_kb as f64 / 1024.0);
    let met = lost == 0 && again <= BATCH && peak_mb <= 64.0 && out_of_order == 0 && account.is_exact();
    let measured = format!("{lost} of {} lost, {again} twice, {peak_mb:.1} MB, {out_of_order} out of order", job.spans);
    let situation = format!("collector refuses {} s at {PER_SECOND} spans/s, then returns", length.outage_s);
    let must = "0 lost, ≤ 1 batch twice, ≤ 64 MB, in order of time";
    let mut rows = vec![Row::new(situation, must, measured, met)];
    rows.push(disk_cost()?);
    Ok(rows)
}

/// What the spool takes for what was encoded: the bytes of its files and of what is in them.
fn disk_cost() -> Result<Row, Box<dyn Error>> {
    let scratch = Scratch::new("cost")?;
    let mut job = Job::new(&format!("http://{}", vacant()?), Some(&scratch.0));
    (job.spans, job.per_second) = (10_000, 5000);
    Agent::start(&job)?.end()?;
    let mut encoded = 0;
    vigil::deliver::spool_batches(&scratch.0, |batch| {
        encoded += batch.body().len() as u64;
        Ok(())
    })?;
    let cost = spool_status(&scratch.0)?.bytes as f64 / encoded as f64;
    Ok(Row::new("disk cost", "≤ 1.1 × the encoded bytes", format!("{cost:.4} ×"), cost <= 1.1))
}

/// How often the spool is synced while it is written to as fast as batches come: what strace sees of it.
fn group_sync(_: Length) -> Rows {
    const MUST: &str = "≤ 1 a 100 ms";
    const SITUATION: &str = "group sync";
    let scratch = Scratch::new("sync")?;
    let trace = scratch.0.join("trace");
    let mut job = Job::new(&format!("http://{}", vacant()?), Some(&scratch.0.join("spool")));
    (job.spans, job.per_second) = (90_000, 30_000);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-ttt", "-e", "trace=fsync,fdatasync", "-o"]).arg(&trace);
    // Where it is there, it may still not be allowed to look.
    if !Command::new("strace").args(["-o", "/dev/null", "true"]).output().is_ok_and(|done| done.status.success()) {
        return Ok(vec![Row::not_tried(SITUATION, MUST, "not tried: strace cannot be used here")]);
    }
    let account = Agent::start_under(strace, &job)?.end()?;
    let text = std::fs::read_to_string(&trace)?;
    let calls = text.lines().filter(|line| line.contains("sync("));
    let mut times: Vec<f64> = calls.filter_map(|line| line.split_whitespace().nth(1)?.parse().ok()).collect();
    times.sort_by(f64::total_cmp);
    // The calls of a group follow each other, with less between two than half of what is to be between groups.
    let starts = times.iter().enumerate().filter(|(at, time)| *at == 0 || *time - times[at - 1] > 0.05);
    let starts: Vec<f64> = starts.map(|(_, time)| *time).collect();
    let closest = starts.windows(2).map(|pair| (pair[1] - pair[0]) * 1e3).fold(f64::INFINITY, f64::min);
    let measured =
        format!("{} groups of {} calls in 3 s, {closest:.0} ms between the closest", starts.len(), times.len());
    // A pause is never shorter than asked for; the clock of the trace may be by a millisecond.
    let met = starts.len() > 3 && closest >= 99.0 && account.is_exact();
    Ok(vec![Row::new(SITUATION, MUST, measured, met)])
}

fn kills(length: Length) -> Rows {
    let (mut lost, mut counted, mut twice, mut torn, mut unclosed) = (0, 0, 0, 0, 0);
    // The same moments in every run of the program, and no two alike.
    let moments = (0..length.kills).map(|round| 20 + round * 7919 % 1500);
    for moment in moments {
        let scratch = Scratch::new("kill")?;
        let mut job = Job::new(&format!("http://{}", vacant()?), Some(&scratch.0));
        (job.spans, job.per_second, job.tell) = (u64::MAX, 20_000, true);
        let said = Agent::start(&job)?.kill(Duration::from_millis(moment))?;
        let told: Vec<(u64,)> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        // As the next process with that spool does.
        vigil::recover_spool(&scratch.0);
        let mut kept = Taken::default();
        torn += vigil::deliver::spool_batches(&scratch.0, |batch| {
            if batch.signal() == Signal::Traces {
                kept.take(batch.body());
            }
            Ok(())
        })?;
        torn += spool_status(&scratch.0)?.set_aside.len() as u64;
        lost += told.iter().filter(|(number,)| !kept.spans.contains_key(number)).count();
        twice += kept.spans.values().filter(|times| **times > 1).count();
        counted += told.len();
        // The agent and its tool; a third where the kill fell between a start and its end.
        unclosed += usize::from(!told.is_empty() && !(2..=3).contains(&kept.process_lost));
    }
    let measured =
        format!("{lost} of {counted} lost, {twice} twice, {torn} torn, open spans not closed in {unclosed} rounds");
    let situation = format!("kill -9 at a random moment, {} rounds", length.kills);
    let must = "0 lost of those whose call had returned, 0 torn, open spans closed";
    Ok(vec![Row::new(situation, must, measured, lost == 0 && torn == 0 && unclosed == 0)])
}

fn bad_collectors(_: Length) -> Rows {
    let mut rows = Vec::new();
    let well = Collector::start(Behaviour::Take)?;
    let usual = with_collector(&well.url(), None)?;
    for behaviour in Behaviour::BAD {
        let collector = Collector::start(behaviour)?;
        let scratch = Scratch::new("bad")?;
        let plain = with_collector(&collector.url(), None)?;
        let spooled = with_collector(&collector.url(), Some(&scratch.0))?;
        let slower =
            [&plain, &spooled].map(|one| one.p99_ns.saturating_sub(usual.p99_ns)).into_iter().max().unwrap_or(0);
        let exact = plain.is_exact() && spooled.is_exact();
        let in_time = plain.shutdown_ms <= 1100.0 && spooled.shutdown_ms <= 100.0;
        let measured = format!(
            "p99 +{:.1} µs, exit {:.0} ms of 1000, {:.0} ms with a spool, receipts {}: {} lost, with a spool {} lost and {} kept",
            slower as f64 / 1e3,
            plain.shutdown_ms,
            spooled.shutdown_ms,
            if exact { "exact" } else { "WRONG" },
            plain.lost,
            spooled.lost,
            spooled.spooled,
        );
        let met = slower < 1_000_000 && exact && in_time;
        let must = "calls < 1 ms slower at p99, exit in time, exact";
        rows.push(Row::new(format!("collector: {behaviour:?}"), must, measured, met));
    }
    Ok(rows)
}

/// Two seconds of work.
fn with_collector(url: &str, spool: Option<&Path>) -> Result<Account, Box<dyn Error>> {
    let mut job = Job::new(url, spool);
    (job.spans, job.per_second) = (4000, 2000);
    Agent::start(&job)?.end()
}

fn exits(length: Length) -> Rows {
    let hanging = Collector::start(Behaviour::Hang)?;
    let dead = [("refuses", format!("http://{}", vacant()?)), ("hangs", hanging.url())];
    let once = |endpoint: Option<&str>| -> Result<f64, Box<dyn Error>> {
        let scratch = Scratch::new("exit")?;
        let mut job = Job::new("", endpoint.map(|_| &*scratch.0));
        job.endpoint = endpoint.map(str::to_owned);
        job.deadline_ms = 5000;
        let began = Instant::now();
        Agent::start(&job)?.end()?;
        Ok(began.elapsed().as_secs_f64() * 1e3)
    };
    // They take turns, so that what else the machine does slows all of them.
    let (mut without, mut with) = (Vec::new(), [Vec::new(), Vec::new()]);
    for _ in 0..length.exits {
        without.push(once(None)?);
        for ((_, url), times) in dead.iter().zip(&mut with) {
            times.push(once(Some(url))?);
        }
    }
    for times in with.iter_mut().chain([&mut without]) {
        times.sort_by(f64::total_cmp);
    }
    // Half of the runs, and nine of ten, took no longer.
    let at = |times: &[f64], tenth: usize| times.get(times.len() * tenth / 10).copied().unwrap_or_default();
    let (slow_without, without) = (at(&without, 9), at(&without, 5));
    let row = |((name, _), times): (&(&str, String), &Vec<f64>)| {
        let (more, slow) = (at(times, 5) - without, at(times, 9) - slow_without);
        let measured = format!(
            "{more:+.1} ms, {slow:+.1} ms at p90 ({without:.1} ms without telemetry, of {} runs each)",
            length.exits
        );
        let situation = format!("exit, the collector {name}, spool on");
        Row::new(situation, "≤ 20 ms more than without telemetry", measured, more <= 20.0)
    };
    Ok(dead.iter().zip(&with).map(row).collect())
}

fn mount(options: &str, folder: &Path) -> bool {
    let command = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder).output();
    command.is_ok_and(|done| done.status.success())
}

/// A file system that is taken away at the end.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(self.0).output().ok();
    }
}

fn full_disk(_: Length) -> Rows {
    let must = "agent unaffected, exact, recovers by itself";
    let mut rows = Vec::new();
    let cases = [("disk full", "size=1m", "remount,size=256m"), ("read-only", "size=256m", "remount,rw")];
    for (name, options, mend) in cases {
        let scratch = Scratch::new("disk")?;
        if !mount(options, &scratch.0) {
            rows.push(Row::not_tried(name, must, "not tried: mounting a file system is not allowed here"));
            continue;
        }
        let mounted = Mounted(&scratch.0);
        // Nobody may have a file open there when it becomes read-only, so it is from the beginning.
        if name == "read-only" && !mount("remount,ro", &scratch.0) {
            rows.push(Row::not_tried(name, must, "not tried: a file system cannot be made read-only here"));
            continue;
        }
        let mut job = Job::new(&format!("http://{}", vacant()?), Some(&scratch.0.join("spool")));
        (job.spans, job.per_second) = (12_000, 2000);
        let agent = Agent::start(&job)?;
        std::thread::sleep(Duration::from_millis(2500));
        mount(mend, &scratch.0);
        let account = agent.end()?;
        let status = spool_status(&scratch.0.join("spool"))?;
        let found: u64 = status.waiting.iter().map(|one| one.records[0]).sum();
        let measured = format!(
            "{} recorded: {} kept ({found} found), {} lost and counted; p99 {:.1} µs",
            account.recorded,
            account.spooled,
            account.lost,
            account.p99_ns as f64 / 1e3
        );
        // What came while the disk could not be written waited in memory, and went with the process.
        let met =
            account.is_exact() && found == account.spooled && account.spooled > 3000 && account.p99_ns < 1_000_000;
        rows.push(Row::new(name, must, measured, met));
        drop(mounted);
    }
    Ok(rows)
}

fn deleted_folder(_: Length) -> Rows {
    let scratch = Scratch::new("deleted")?;
    let spool = scratch.0.join("spool");
    let mut job = Job::new(&format!("http://{}", vacant()?), Some(&spool));
    (job.spans, job.per_second) = (8000, 2000);
    let agent = Agent::start(&job)?;
    std::thread::sleep(Duration::from_millis(2200));
    std::fs::remove_dir_all(&spool)?;
    let account = agent.end()?;
    let status = spool_status(&spool)?;
    let found: u64 = status.waiting.iter().map(|one| one.records[0]).sum();
    let measured = format!(
        "{} recorded: {} kept ({found} found), {} lost and counted",
        account.recorded, account.spooled, account.lost
    );
    let met = account.is_exact() && account.lost > 0 && found == account.spooled && found > 0;
    Ok(vec![Row::new("spool folder deleted under way", "agent unaffected, exact, recovers by itself", measured, met)])
}

fn two_processes(_: Length) -> Rows {
    const EACH: u64 = 6000;
    let scratch = Scratch::new("two")?;
    let address = vacant()?;
    let url = format!("http://{address}");
    let mut job = Job::new(&url, Some(&scratch.0));
    (job.spans, job.per_second) = (EACH, 3000);
    let (one, other) = (Agent::start(&job)?, Agent::start(&job)?);
    let accounts = [one.end()?, other.end()?];
    let collector = Collector::start_at(address, Behaviour::Take)?;
    let mut next = Job::new(&url, Some(&scratch.0));
    (next.spans, next.per_second) = (2, 1);
    Agent::start(&next)?.end()?;
    // Each number was recorded by both, and the first two by the third as well, of which the last may be in the spool.
    let twice = |collector: &Collector| collector.taken().spans.values().filter(|times| **times >= 2).count() as u64;
    until(|| twice(&collector) >= EACH);
    let arrived = twice(&collector);
    let exact = accounts.iter().all(|account| account.is_exact() && account.spooled == EACH);
    let measured = format!("2 × {EACH} recorded, {arrived} arrived of both");
    Ok(vec![Row::new("two processes share a spool", "0 lost, exact", measured, exact && arrived == EACH)])
}

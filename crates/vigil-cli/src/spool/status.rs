//! `vigil spool status`.

use super::StatusArgs;
use crate::output::{Style, Styles, counted, duration, grouped, printable, to_stdout};
use crate::system;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use vigil::deliver::{SpoolLoss, SpoolStatus, SpoolWaiting, spool_status};

/// The losses that are shown to a person; the rest is in `--json`.
const LOSSES_SHOWN: usize = 5;

pub(super) fn status(arguments: &StatusArgs) -> Result<ExitCode, String> {
    let directory = super::directory(&arguments.place)?;
    let status = spool_status(&directory)
        .map_err(|error| format!("the spool {} cannot be read: {error}", printable(&directory.to_string_lossy())))?;
    let now = system::now().0;
    let text = match arguments.json {
        true => format!("{}\n", as_json(&directory, &status, now)),
        false => as_text(&directory, &status, now, Styles::for_stream(&io::stdout())),
    };
    to_stdout(&text);
    Ok(ExitCode::SUCCESS)
}

fn age(unix_ns: u64, now: u64) -> Duration {
    Duration::from_nanos(now.saturating_sub(unix_ns))
}

fn as_text(directory: &Path, status: &SpoolStatus, now: u64, styles: Styles) -> String {
    let mut text = format!("{}: {} KiB", printable(&directory.to_string_lossy()), grouped(status.bytes.div_ceil(1024)));
    if status.live_processes > 0 {
        let _a_string_takes_all =
            write!(text, ", {} at work", counted(status.live_processes as u64, "process", "processes"));
    }
    text.push('\n');
    if status.unrecovered_processes > 0 {
        let who = counted(status.unrecovered_processes as u64, "process", "processes");
        let died = styles.paint(Style::Notable, "died");
        let _a_string_takes_all =
            writeln!(text, "  {died}: {who} with records not handed on; vigil spool drain brings them home");
    }
    let waiting: Vec<_> = status.waiting.iter().filter(|one| one.records.iter().sum::<u64>() > 0).collect();
    if waiting.is_empty() {
        let _a_string_takes_all = writeln!(text, "  {}", styles.paint(Style::Good, "nothing waits"));
    }
    for one in waiting {
        let _a_string_takes_all = writeln!(text, "  {}", waiting_text(one, now, styles));
    }
    for file in &status.set_aside {
        let damaged = styles.paint(Style::Bad, "damaged");
        let _a_string_takes_all = writeln!(text, "  {damaged}: set-aside/{}", printable(file));
    }
    let hidden = status.losses.len().saturating_sub(LOSSES_SHOWN);
    for loss in status.losses.iter().skip(hidden) {
        let ago = age(loss.unix_ms.saturating_mul(1_000_000), now);
        let _a_string_takes_all = writeln!(
            text,
            "  {} {} ago: {} records of {} for {} ({})",
            styles.paint(Style::Bad, "lost"),
            duration(ago),
            grouped(loss.records),
            loss.signal,
            printable(&loss.destination),
            printable(&loss.reason)
        );
    }
    if hidden > 0 {
        let _a_string_takes_all = writeln!(text, "  and {} before", counted(hidden as u64, "loss", "losses"));
    }
    text
}

fn waiting_text(one: &SpoolWaiting, now: u64, styles: Styles) -> String {
    let [spans, events, points] = one.records;
    let what: Vec<_> = [(spans, "span", "spans"), (events, "event", "events"), (points, "data point", "data points")]
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, singular, plural)| counted(count, singular, plural))
        .collect();
    let since = one.oldest_unix_ns.map(|oldest| format!(", the oldest for {}", duration(age(oldest, now))));
    let waits = styles.paint(Style::Notable, "waits");
    format!("{waits} for {}: {}{}", printable(&one.destination), what.join(", "), since.unwrap_or_default())
}

fn as_json(directory: &Path, status: &SpoolStatus, now: u64) -> Value {
    let waiting = |one: &SpoolWaiting| {
        json!({
            "destination": one.destination,
            "traces": one.records[0],
            "logs": one.records[1],
            "metrics": one.records[2],
            "bytes": one.bytes,
            "oldest_age_ms": one.oldest_unix_ns.map(|oldest| age(oldest, now).as_millis() as u64),
        })
    };
    let loss = |loss: &SpoolLoss| {
        json!({
            "unix_ms": loss.unix_ms,
            "destination": loss.destination,
            "signal": loss.signal.as_str(),
            "reason": loss.reason,
            "records": loss.records,
        })
    };
    json!({
        "directory": directory.to_string_lossy(),
        "bytes": status.bytes,
        "live_processes": status.live_processes,
        "dead_processes": status.dead_processes,
        "unrecovered_processes": status.unrecovered_processes,
        "waiting": status.waiting.iter().map(waiting).collect::<Vec<_>>(),
        "set_aside": status.set_aside,
        "losses": status.losses.iter().map(loss).collect::<Vec<_>>(),
    })
}

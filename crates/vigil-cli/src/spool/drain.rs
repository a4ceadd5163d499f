//! `vigil spool drain`: takes over what dead processes left and delivers it.

use super::{DrainArgs, plan};
use crate::output::{Style, Styles, counted, grouped, printable, to_stderr, to_stdout};
use crate::system;
use serde_json::json;
use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use vigil::deliver::{Delivery, DestinationReceipt, Diagnostic, Losses};
use vigil::encode::Signal;

/// Between two looks at what is left.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What the end waits for requests under way.
const END_WITHIN: Duration = Duration::from_millis(500);

pub(super) fn drain(arguments: &DrainArgs) -> Result<ExitCode, String> {
    let plan = plan(&arguments.place);
    if plan.disabled {
        return Err("telemetry is switched off (OTEL_SDK_DISABLED)".to_owned());
    }
    if plan.destinations.is_empty() {
        return Err("no backend to deliver to: set OTEL_EXPORTER_OTLP_ENDPOINT".to_owned());
    }
    let Some(mut spool) = plan.spool else {
        return Err("there is no folder for a spool: neither VIGIL_SPOOL_DIR nor HOME is set".to_owned());
    };
    spool.adopt_all = arguments.any;
    let fails = Arc::new(AtomicBool::new(false));
    let (quiet, failing) = (arguments.quiet, Arc::clone(&fails));
    let tell = move |diagnostic: Diagnostic| {
        failing.store(matches!(diagnostic, Diagnostic::Failing { .. }), Ordering::Relaxed);
        if !quiet {
            to_stderr(&format!("vigil: {diagnostic}\n"));
        }
    };
    let delivery = Delivery::start_with(plan.destinations, Some(spool), Arc::new(tell));
    delivery.look_into_spool();
    let began = system::instant();
    let mut waiting = delivery.waiting_in_spool();
    while waiting > 0 && began.elapsed() < arguments.within {
        if arguments.give_up && fails.load(Ordering::Relaxed) {
            break;
        }
        std::thread::sleep(LOOK_EVERY);
        waiting = delivery.waiting_in_spool();
    }
    let receipts = delivery.shutdown(END_WITHIN);
    let text = match (arguments.json, arguments.quiet) {
        (true, _) => as_json(&receipts, waiting),
        (false, true) => String::new(),
        (false, false) => as_text(&receipts, waiting, Styles::for_stream(&io::stdout())),
    };
    to_stdout(&text);
    Ok(if waiting == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_text(receipts: &[DestinationReceipt], waiting: u64, styles: Styles) -> String {
    let mut text = String::new();
    for one in receipts {
        let delivered: u64 = Signal::ALL.iter().map(|signal| one.receipt.signal(*signal).left_behind.delivered).sum();
        let destination = printable(&one.destination);
        let how = styles.paint(Style::Good, "delivered");
        let _a_string_takes_all = writeln!(text, "{how} to {destination}: {}", counted(delivered, "record", "records"));
        let lost = losses(one);
        if lost.total() > 0 {
            let how = styles.paint(Style::Bad, "lost");
            let _a_string_takes_all = writeln!(text, "{how}: {} records ({lost})", grouped(lost.total()));
        }
    }
    if waiting > 0 {
        let how = styles.paint(Style::Notable, "still waits");
        let _a_string_takes_all = writeln!(text, "{how}: {}", counted(waiting, "record", "records"));
    }
    text
}

fn losses(receipt: &DestinationReceipt) -> Losses {
    let mut all = Losses::default();
    for signal in Signal::ALL {
        receipt.receipt.signal(signal).left_behind.lost.iter().for_each(|(reason, count)| all.add(reason, count));
    }
    all
}

fn as_json(receipts: &[DestinationReceipt], waiting: u64) -> String {
    let destination = |one: &DestinationReceipt| {
        let delivered = |signal| one.receipt.signal(signal).left_behind.delivered;
        let lost: serde_json::Map<_, _> =
            losses(one).iter().map(|(reason, count)| (reason.as_str().to_owned(), count.into())).collect();
        json!({
            "destination": one.destination,
            "traces": delivered(Signal::Traces),
            "logs": delivered(Signal::Logs),
            "metrics": delivered(Signal::Metrics),
            "lost": lost,
        })
    };
    let delivered: Vec<_> = receipts.iter().map(destination).collect();
    format!("{}\n", json!({ "delivered": delivered, "waiting": waiting }))
}

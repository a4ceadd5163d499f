//! Vigil beside a process-wide `tracing` subscriber. One test, since the subscriber is the process's.

mod support;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::{Answer, Server};
use tracing_subscriber::prelude::*;
use vigil::LogFormat;

/// A log writer that itself logs through `tracing`.
#[derive(Clone, Default)]
struct Chatty(Arc<AtomicUsize>);

impl Write for Chatty {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        tracing::info_span!("writing").in_scope(|| tracing::info!("wrote a line"));
        // One write may bring several lines.
        self.0.fetch_add(bytes.iter().filter(|byte| **byte == b'\n').count(), Ordering::Relaxed);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn b7_nothing_global_is_touched_and_nothing_on_vigils_own_threads_feeds_back() {
    let server = Server::start(Answer::Ok);
    let lines = Chatty::default();
    let start = || {
        vigil::from_env("global")
            .environment([])
            .endpoint(server.url())
            .log_format(LogFormat::Json)
            .log_writer(lines.clone())
            .schedule_delay(Duration::from_millis(10))
            .start()
    };
    let telemetry = start();
    telemetry.clone().install().unwrap();
    // Installing twice gives the second one back; the first stays.
    let second = start();
    let given_back = second.install().unwrap_err();
    assert!(given_back.is_on());
    drop(given_back);

    // Vigil has set no subscriber: the host may still set its own.
    tracing_subscriber::registry().with(interop_at_trace(&telemetry)).try_init().unwrap();

    let agent = vigil::agent_span("s", "a");
    let inside = agent.enter();
    tracing::info_span!("query").in_scope(|| tracing::info!("hello"));
    drop(inside);
    agent.finish();
    assert!(telemetry.flush(Duration::from_secs(5)));
    // Were there a loop, lines would go on coming.
    std::thread::sleep(Duration::from_millis(500));
    assert!(telemetry.flush(Duration::from_secs(5)));
    let receipt = telemetry.shutdown(Duration::from_secs(5));
    assert_eq!((receipt.traces.recorded, receipt.traces.delivered), (2, 2), "{receipt}");
    // The host's one log, and the agent's start as an event if a round of the assembler fell into its life.
    assert!((1..=2).contains(&receipt.logs.recorded), "{receipt}");
    assert!(lines.0.load(Ordering::Relaxed) >= 2);
}

fn interop_at_trace<S>(telemetry: &vigil::Telemetry) -> impl tracing_subscriber::Layer<S> + Send + Sync + use<S>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    vigil::interop::layer_with_level(telemetry, tracing::level_filters::LevelFilter::TRACE)
}

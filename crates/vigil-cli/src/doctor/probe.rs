//! One record of each kind, to be looked for at the backend: what `vigil doctor` sends.

use crate::system;
use std::time::Duration;
use vigil::contract::{EventKind, Metric, SpanKind, attr};
use vigil::deliver::{Delivery, DestinationConfig, Diagnostic, LossReason, Problem};
use vigil::encode::{Batch, BatchBuilder, EncodeOptions, MetricSeries, PointValue, Resource, Signal, Temporality};
use vigil::{SpanContext, SpanId, TraceId};
use vigil_core::fact::{Attributes, EventRecord, Outcome, SpanRecord, UnixNanos};
use vigil_core::vocab::{Originator, Severity};

/// What became of one record.
#[derive(Debug)]
pub(super) enum Answer {
    /// It was taken.
    Taken,
    /// It was not, because of this.
    Refused { reason: LossReason, problem: Option<Problem> },
}

/// Sends one record of `signal` to `destination` alone.
pub(super) fn send(destination: DestinationConfig, signal: Signal, within: Duration) -> Answer {
    let Some(batch) = batch(signal) else { return Answer::Refused { reason: LossReason::Internal, problem: None } };
    let (sender, receiver) = std::sync::mpsc::channel();
    let delivery = Delivery::start(
        vec![destination],
        // Nobody may be listening any more.
        std::sync::Arc::new(move |diagnostic| drop(sender.send(diagnostic))),
    );
    delivery.offer(batch);
    let receipts = delivery.shutdown(within);
    let taken = receipts.iter().all(|one| one.receipt.is_complete());
    if taken {
        return Answer::Taken;
    }
    let lost = receipts.iter().find_map(|one| one.receipt.signal(signal).lost.iter().next());
    let reason = lost.map_or(LossReason::Internal, |(reason, _)| reason);
    let problem = receiver.try_iter().filter_map(|diagnostic| match diagnostic {
        Diagnostic::Failing { problem, .. } => Some(problem),
        Diagnostic::Lost { problem, .. } => problem,
        _ => None,
    });
    Answer::Refused { reason, problem: problem.last() }
}

fn batch(signal: Signal) -> Option<Batch> {
    let now = system::now();
    let text = format!("{}-{}", now.0, std::process::id());
    let context =
        SpanContext { trace_id: TraceId::derived(&["doctor", &text]), span_id: SpanId::derived(&["doctor", &text]) };
    let name = "vigil-doctor".into();
    let mut builder = BatchBuilder::new(signal, Resource::new([("service.name", &name)]), EncodeOptions::default());
    let mut attributes = Attributes::new();
    attributes.set(attr::VIGIL_ORIGINATOR, Originator::Cli.as_str());
    match signal {
        Signal::Traces => builder
            .push_span(&SpanRecord {
                context,
                parent: None,
                kind: SpanKind::Cleanup,
                target: "doctor".into(),
                start: UnixNanos(now.0.saturating_sub(1_000_000)),
                end: now,
                outcome: Outcome::Ok,
                attributes,
                links: vec![],
            })
            .ok()?,
        Signal::Logs => {
            attributes.set(attr::VIGIL_SPAN_KIND, SpanKind::Cleanup.id());
            let (kind, severity) = (EventKind::SpanStarted, Severity::Debug);
            builder.push_event(&EventRecord { kind, span: Some(context), time: now, severity, attributes }).ok()?;
        }
        Signal::Metrics => {
            let series = MetricSeries {
                metric: Metric::ToolExecutions,
                attributes: vec![],
                start: now,
                time: now,
                value: PointValue::Int(0),
            };
            builder.push_metrics(&[series], Temporality::Cumulative).ok()?;
        }
    }
    builder.take()
}

//! Vigil, used as its user would: children of an agent's handle, typed calls, `finish`.

use super::Contender;
use crate::sink::Sink;
use crate::workload::{Shape, capability, chat};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use vigil::deliver::{DestinationConfig, MemoryDestination, Target};
use vigil::{AgentSpan, FinishReason, LogFormat, Provider, Telemetry, Usage};

const DEADLINE: Duration = Duration::from_secs(30);

struct Vigil {
    telemetry: Telemetry,
    agent: AgentSpan,
    memory: MemoryDestination,
    on: bool,
    /// Where it is delivered, and the folder of the spool, where there is one.
    spool: Option<(Sink, PathBuf)>,
}

pub(super) fn off() -> Arc<dyn Contender> {
    set_up(vigil::from_env("bench").environment([]).enabled(false), false)
}

/// On, with everything delivered into memory that is freed between bursts: the whole way of a record but the
/// socket.
pub(super) fn on() -> Arc<dyn Contender> {
    set_up(vigil::from_env("bench").environment([]).log_format(LogFormat::Off), true)
}

/// The JSON log and nothing else.
pub(super) fn json() -> Arc<dyn Contender> {
    set_up(vigil::from_env("bench").environment([]).log_format(LogFormat::Json).log_writer(std::io::sink()), false)
}

fn set_up(builder: vigil::Builder, deliver: bool) -> Arc<dyn Contender> {
    let memory = MemoryDestination::new();
    let builder = match deliver {
        true => builder.destination(DestinationConfig::new("memory", Target::Memory(memory.clone()))),
        false => builder,
    };
    let telemetry = builder.start();
    let agent = telemetry.agent_span("session", "bench");
    Arc::new(Vigil { on: telemetry.is_on(), telemetry, agent, memory, spool: None })
}

/// On, with a spool: lanes are in a file that survives the process, and batches are on the disk before they go to a
/// sink on the loopback, in the same process.
pub(super) fn spool() -> Arc<dyn Contender> {
    let folder = std::env::temp_dir().join(format!("vigil-bench-spool-{}", std::process::id()));
    let sink = Sink::start(false);
    let endpoint = sink.as_ref().map(Sink::endpoint).unwrap_or_default();
    let builder = vigil::from_env("bench").environment([]).log_format(LogFormat::Off);
    let telemetry = builder.endpoint(endpoint).spool_dir(&folder).start();
    let agent = telemetry.agent_span("session", "bench");
    let spool = sink.ok().map(|sink| (sink, folder));
    Arc::new(Vigil { on: telemetry.is_on(), telemetry, agent, memory: MemoryDestination::new(), spool })
}

impl Contender for Vigil {
    fn record(&self, shape: Shape, spans: u32) {
        match shape {
            Shape::Capability => (0..spans).for_each(|_| record_capability(&self.agent)),
            Shape::Chat => record_chats(&self.agent, spans),
        }
    }

    fn settle(&self) {
        self.telemetry.flush(DEADLINE);
        drop(self.memory.take());
    }

    fn finish(&self) -> Option<u64> {
        let receipt = self.telemetry.deliver_and_shutdown(DEADLINE);
        if let Some((_, folder)) = &self.spool {
            std::fs::remove_dir_all(folder).ok();
        }
        // The shutdown ends the agent's span too; it is not one of those that are counted.
        self.on.then(|| receipt.traces.delivered.saturating_sub(1))
    }
}

fn record_capability(agent: &AgentSpan) {
    let call = capability();
    let mut span = agent.capability_span(call.name);
    span.record_bytes(call.bytes_in, call.bytes_out);
    span.record_budget_remaining(call.budget_remaining);
    span.finish();
}

/// Records chats below `agent`.
pub(crate) fn record_chats(agent: &AgentSpan, spans: u32) {
    for _ in 0..spans {
        let call = chat();
        let mut span = agent.chat_span(Provider::ANTHROPIC, call.model);
        span.record_max_tokens(call.max_tokens);
        span.record_response(call.response_id, call.response_model);
        span.record_token_usage(
            Usage::anthropic(call.fresh_input_tokens, call.output_tokens)
                .cache(call.cache_read_tokens, call.cache_write_tokens),
        );
        span.record_finish_reason(FinishReason::Stop);
        span.finish();
    }
}

/// Records a capability call and a chat.
pub(crate) fn record_one_of_each(agent: &AgentSpan) {
    record_capability(agent);
    record_chats(agent, 1);
}

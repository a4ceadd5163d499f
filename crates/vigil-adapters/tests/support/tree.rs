//! Spans and events as an indented tree, without times and ids: what a person checks a recording by.

use vigil_core::contract::{EventKind, SpanKind, attr};
use vigil_core::fact::{Fact, Outcome, SpanRecord};
use vigil_core::id::SpanId;

pub(crate) fn render(facts: &[Fact]) -> String {
    let mut spans: Vec<&SpanRecord> = super::spans(facts);
    // Ids last, so that equal times do not make the order a matter of chance.
    spans.sort_by_key(|span| (span.start, span.end, span.name(), span.context.span_id));
    let mut text = String::new();
    let known = |id: SpanId| spans.iter().any(|span| span.context.span_id == id);
    let roots: Vec<&SpanRecord> =
        spans.iter().copied().filter(|span| span.parent.is_none_or(|id| !known(id))).collect();
    for root in roots {
        node(&mut text, facts, &spans, root, 0);
    }
    text
}

fn node(text: &mut String, facts: &[Fact], spans: &[&SpanRecord], span: &SpanRecord, depth: usize) {
    let indent = "  ".repeat(depth);
    text.push_str(&format!("{indent}{}", span.name()));
    match &span.outcome {
        Outcome::Ok => {}
        Outcome::Error(error) => {
            text.push_str(&format!(" !{error}"));
        }
        Outcome::Cancelled => text.push_str(" !!cancelled"),
    }
    let shown: &[(_, &str)] = match span.kind {
        SpanKind::Chat => &[
            (attr::GEN_AI_USAGE_INPUT_TOKENS, "in"),
            (attr::GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, "read"),
            (attr::GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS, "write"),
            (attr::GEN_AI_USAGE_OUTPUT_TOKENS, "out"),
            (attr::VIGIL_COST_NANO_USD, "nano_usd"),
            (attr::VIGIL_RETRY_COUNT, "retries"),
            (attr::HTTP_RESPONSE_STATUS_CODE, "http"),
        ],
        _ => &[
            (attr::VIGIL_USAGE_INPUT_TOKENS, "in"),
            (attr::VIGIL_USAGE_CACHE_READ_INPUT_TOKENS, "read"),
            (attr::VIGIL_USAGE_CACHE_WRITE_INPUT_TOKENS, "write"),
            (attr::VIGIL_USAGE_OUTPUT_TOKENS, "out"),
            (attr::VIGIL_COST_NANO_USD, "nano_usd"),
            (attr::VIGIL_TURN_COUNT, "turns"),
            (attr::VIGIL_CHAT_COUNT, "chats"),
            (attr::VIGIL_TOOL_COUNT, "tools"),
            (attr::VIGIL_TOOL_FAILED, "failed"),
            (attr::VIGIL_DENIED_COUNT, "denied"),
            (attr::VIGIL_AGENT_COUNT, "sub_agents"),
            (attr::PROCESS_EXIT_CODE, "exit"),
        ],
    };
    for (key, label) in shown {
        if let Some(number) = span.attributes.int(*key) {
            text.push_str(&format!(" {label}={number}"));
        }
    }
    text.push('\n');
    for fact in facts {
        if let Fact::Event(event) = fact
            && event.span == Some(span.context)
        {
            let reason = match event.kind {
                EventKind::Retry => event.attributes.str(attr::VIGIL_RETRY_REASON).unwrap_or_default(),
                EventKind::ClientException => event.attributes.str(attr::ERROR_TYPE).unwrap_or_default(),
                EventKind::ModelFallback => event.attributes.str(attr::VIGIL_FALLBACK_TO_MODEL).unwrap_or_default(),
                EventKind::Compaction => event.attributes.str(attr::VIGIL_COMPACTION_TRIGGER).unwrap_or_default(),
                EventKind::DownstreamRateLimit => {
                    event.attributes.str(attr::DOWNSTREAM_CLASSIFICATION).unwrap_or_default()
                }
                _ => "",
            };
            let outcome = event.attributes.str(attr::VIGIL_THROTTLE_OUTCOME);
            let outcome = outcome.map(|outcome| format!(" {outcome}")).unwrap_or_default();
            text.push_str(&format!("{indent}  * {} {reason}{outcome}\n", event.kind.def().name));
        }
    }
    for child in spans.iter().filter(|child| child.parent == Some(span.context.span_id)) {
        node(text, facts, spans, child, depth + 1);
    }
}

use super::*;
use crate::fact::Attributes;
use std::collections::HashSet;

fn operation(name: &'static str) -> Attributes {
    let mut attributes = Attributes::new();
    attributes.set(GEN_AI_OPERATION_NAME, name);
    attributes
}

#[test]
fn names_are_formed_as_the_design_says() {
    let none = Attributes::new();
    for (kind, target, expected) in [
        (SpanKind::Workflow, "nightly", "invoke_workflow nightly"),
        (SpanKind::Agent, "researcher", "invoke_agent researcher"),
        (SpanKind::Agent, "", "invoke_agent"),
        (SpanKind::Turn, "3", "turn 3"),
        (SpanKind::Phase, "deliberate", "phase deliberate"),
        (SpanKind::Chat, "claude-opus-5-5", "chat claude-opus-5-5"),
        (SpanKind::Embeddings, "text-embedding-3-small", "embeddings text-embedding-3-small"),
        (SpanKind::FetchResponse, "", "fetch_response"),
        (SpanKind::Tool, "Bash", "execute_tool Bash"),
        (SpanKind::McpRequest, "get_weather", "mcp get_weather"),
        (SpanKind::Capability, "fs.read", "capability fs.read"),
        (SpanKind::Approval, "Bash", "approval Bash"),
        (SpanKind::Cleanup, "worktrees", "cleanup worktrees"),
        (SpanKind::Host, "handle_request", "handle_request"),
        (SpanKind::Host, "", "host"),
    ] {
        assert_eq!(kind.span_name(&none, target), expected);
    }
}

#[test]
fn the_operation_and_the_method_come_from_the_attributes() {
    assert_eq!(
        SpanKind::Chat.span_name(&operation("generate_content"), "gemini-2.5-pro"),
        "generate_content gemini-2.5-pro"
    );
    assert_eq!(SpanKind::Memory.span_name(&operation("upsert_memory"), ""), "upsert_memory");
    let mut attributes = Attributes::new();
    attributes.set(MCP_METHOD_NAME, "tools/call");
    assert_eq!(SpanKind::McpRequest.span_name(&attributes, "get_weather"), "tools/call get_weather");
    assert_eq!(SpanKind::McpServer.span_name(&attributes, ""), "tools/call");
}

#[test]
fn names_are_bounded_and_hold_no_control_characters() {
    let none = Attributes::new();
    let name = SpanKind::Tool.span_name(&none, &"é".repeat(1000));
    assert!(name.len() <= MAX_NAME_BYTES && name.len() > MAX_NAME_BYTES - 2, "{}", name.len());
    assert_eq!(SpanKind::Tool.span_name(&none, "a\nb\u{1b}[31m"), "execute_tool ab[31m");
    assert_eq!(SpanKind::Tool.span_name(&none, "\n \0"), "execute_tool");
    assert_eq!(SpanKind::Host.span_name(&none, "\n"), "host");
}

#[test]
fn kinds_are_found_by_id_and_by_index() {
    let mut ids = HashSet::new();
    for kind in SpanKind::all() {
        assert!(ids.insert(kind.id()));
        assert_eq!(SpanKind::from_id(kind.id()), Some(kind));
        assert_eq!(SpanKind::from_index(kind.index()), Some(kind));
    }
    assert_eq!(SpanKind::from_index(u8::MAX), None);
    assert_eq!(SpanKind::from_id("span"), None);
}

#[test]
fn no_attribute_is_listed_twice() {
    for kind in SpanKind::all() {
        let def = kind.def();
        let mut seen = HashSet::new();
        for key in def.required.iter().chain(def.attributes).chain(COMMON) {
            assert!(seen.insert(*key), "{}: {key}", def.id);
            assert!(def.allows(*key));
        }
    }
}

/// Field note 37: sums live under other names, so that dashboards do not count twice.
#[test]
fn only_single_model_calls_carry_their_tokens() {
    for kind in SpanKind::all() {
        let tells = kind.def().allows(GEN_AI_USAGE_INPUT_TOKENS);
        let calls = [SpanKind::Chat, SpanKind::Embeddings, SpanKind::AgentClient].contains(&kind);
        assert_eq!(tells, calls, "{kind:?}");
        assert!(!(calls && kind.def().allows(VIGIL_USAGE_INPUT_TOKENS)), "{kind:?}");
    }
}

/// Seed B9.
#[test]
fn a_capability_call_has_no_free_text_of_its_own() {
    let def = SpanKind::Capability.def();
    assert!(def.required.iter().chain(def.attributes).all(|key| !key.is_text()));
}

#[test]
fn otlp_kinds_follow_the_conventions() {
    for (kind, expected) in [
        (SpanKind::Chat, OtlpKind::Client),
        (SpanKind::Embeddings, OtlpKind::Client),
        (SpanKind::McpRequest, OtlpKind::Client),
        (SpanKind::McpServer, OtlpKind::Server),
        (SpanKind::AgentClient, OtlpKind::Client),
        (SpanKind::Agent, OtlpKind::Internal),
        (SpanKind::Tool, OtlpKind::Internal),
        (SpanKind::Workflow, OtlpKind::Internal),
    ] {
        assert_eq!(kind.def().otlp_kind, expected);
    }
}

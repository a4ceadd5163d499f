use super::*;

#[test]
fn constants_are_named_after_the_wire() {
    for (key, constant) in Key::all().zip(table::CONSTANTS) {
        assert_eq!(key.name().replace('.', "_").to_ascii_uppercase(), *constant);
    }
    assert_eq!(Key::all().len(), table::CONSTANTS.len());
    assert_eq!(attr::GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS.name(), "gen_ai.usage.cache_read.input_tokens");
    assert_eq!(format!("{:?}", attr::LIFE_TOOL_STATUS), "life.tool.status");
}

#[test]
fn keys_are_found_by_name_and_by_index() {
    for key in Key::all() {
        assert_eq!(Key::from_name(key.name()), Some(key), "{key} is there twice");
        assert_eq!(Key::from_index(key.index()), Some(key));
    }
    assert_eq!(Key::from_index(u16::try_from(Key::all().len()).unwrap()), None);
    assert_eq!(Key::from_index(u16::MAX), None);
    assert_eq!(Key::from_name("langsmith.metadata.x"), None);
    assert_eq!(Key::from_name(""), None);
}

#[test]
fn class_and_type_agree() {
    for key in Key::all() {
        let def = key.def();
        let numeric = matches!(def.ty, ValueType::Int | ValueType::Double | ValueType::Bool | ValueType::IntList);
        assert_eq!(numeric, def.class == Class::Number, "{key}");
        if def.words != Words::Unlisted {
            assert_eq!(def.class, Class::Enum, "{key}");
        }
        assert!(def.doc.ends_with('.') || def.doc.ends_with('…') || def.doc.ends_with(')'), "{key}: {}", def.doc);
    }
}

#[test]
fn names_live_in_the_namespaces_of_the_design() {
    const NAMESPACES: &[&str] = &[
        "gen_ai.",
        "mcp.",
        "jsonrpc.",
        "rpc.",
        "openai.",
        "aws.",
        "azure.",
        "error.",
        "exception.",
        "server.",
        "client.",
        "network.",
        "http.",
        "process.",
        "session.",
        "life.",
        "autonomic.",
        "lago.",
        "cap.",
        "bytes_",
        "downstream.",
        "vigil.",
    ];
    for key in Key::all() {
        assert!(NAMESPACES.iter().any(|namespace| key.name().starts_with(namespace)), "{key}");
        assert!(
            key.name().bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte))
        );
    }
}

/// Seed L2: four namespaces of attributes. Seed L10: the names in them.
#[test]
fn seed_l2_l10_names_are_all_there() {
    for name in [
        "life.session_id",
        "life.run_id",
        "life.branch_id",
        "life.loop_phase",
        "life.operating_mode",
        "life.event_seq",
        "life.event_kind",
        "life.budget.tokens_remaining",
        "life.budget.cost_remaining_usd",
        "life.budget.time_remaining_ms",
        "life.budget.tool_calls_remaining",
        "life.state.progress",
        "life.state.uncertainty",
        "life.state.risk_level",
        "life.state.error_streak",
        "life.state.context_pressure",
        "life.tool.status",
        "life.mode.from",
        "life.mode.to",
        "life.eval.evaluator",
        "life.eval.score",
        "life.eval.label",
        "life.eval.layer",
        "life.eval.timing",
        "life.reliability.retry_count",
        "life.reliability.fallback_triggered",
        "life.reliability.circuit_state",
        "autonomic.economic_mode",
        "autonomic.operational_health",
        "autonomic.cognitive_health",
        "autonomic.economic_health",
        "lago.stream_id",
        "lago.blob_hash",
        "lago.fs_branch",
    ] {
        assert!(Key::from_name(name).is_some(), "{name}");
    }
}

/// What people write or machines read aloud is text; everything else is bounded by kind.
#[test]
fn content_is_text_and_passes_the_gate() {
    for key in [
        attr::GEN_AI_INPUT_MESSAGES,
        attr::GEN_AI_OUTPUT_MESSAGES,
        attr::GEN_AI_SYSTEM_INSTRUCTIONS,
        attr::GEN_AI_TOOL_DEFINITIONS,
        attr::GEN_AI_TOOL_CALL_ARGUMENTS,
        attr::GEN_AI_TOOL_CALL_RESULT,
        attr::GEN_AI_RETRIEVAL_QUERY_TEXT,
        attr::GEN_AI_RETRIEVAL_DOCUMENTS,
        attr::GEN_AI_MEMORY_QUERY_TEXT,
        attr::GEN_AI_MEMORY_RECORDS,
        attr::GEN_AI_EVALUATION_EXPLANATION,
        attr::EXCEPTION_MESSAGE,
        attr::EXCEPTION_STACKTRACE,
        attr::PROCESS_EXECUTABLE_PATH,
        attr::MCP_RESOURCE_URI,
        attr::VIGIL_HOST_MESSAGE,
        attr::VIGIL_HOST_FIELDS,
        attr::VIGIL_PROMPT_VARIABLES,
        attr::GEN_AI_REQUEST_STOP_SEQUENCES,
    ] {
        assert!(key.is_text(), "{key}");
    }
    assert!(!attr::GEN_AI_TOOL_NAME.is_text());
}

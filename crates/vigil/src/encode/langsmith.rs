//! What LangSmith shows and filters a run by: copies of a span's key attributes as `langsmith.metadata.*`, and the
//! session as `session.id` and `langsmith.metadata.thread_id`, by which it makes threads of traces.
//!
//! Only names, words and numbers are copied, each as it left the gate: free text is not among them. A copy is called
//! after its original, without the namespace and with `_` for `.`: `life.loop_phase` is
//! `langsmith.metadata.loop_phase`. It costs some 40 bytes an attribute on the wire, and counts like any other attribute.

use super::value::AttributeWriter;
use std::sync::LazyLock;
use vigil_core::contract::{Key, attr};
use vigil_core::fact::AttributeSet;

/// What is copied.
const COPIED: [Key; 24] = [
    attr::LIFE_SESSION_ID,
    attr::LIFE_RUN_ID,
    attr::LIFE_BRANCH_ID,
    attr::LIFE_LOOP_PHASE,
    attr::LIFE_OPERATING_MODE,
    attr::LIFE_TOOL_STATUS,
    attr::LIFE_BUDGET_TOKENS_REMAINING,
    attr::LIFE_BUDGET_COST_REMAINING_USD,
    attr::LIFE_RELIABILITY_RETRY_COUNT,
    attr::AUTONOMIC_ECONOMIC_MODE,
    attr::GEN_AI_AGENT_NAME,
    attr::GEN_AI_CONVERSATION_ID,
    attr::GEN_AI_OPERATION_NAME,
    attr::GEN_AI_PROVIDER_NAME,
    attr::GEN_AI_REQUEST_MODEL,
    attr::GEN_AI_RESPONSE_MODEL,
    attr::GEN_AI_TOOL_NAME,
    attr::GEN_AI_USAGE_INPUT_TOKENS,
    attr::GEN_AI_USAGE_OUTPUT_TOKENS,
    attr::VIGIL_COST_NANO_USD,
    attr::VIGIL_ORIGINATOR,
    attr::VIGIL_OUTCOME,
    attr::VIGIL_REPLAY,
    attr::ERROR_TYPE,
];

/// The standard attribute for a session, and the metadata LangSmith groups threads by.
const SESSION: [&str; 2] = ["session.id", "langsmith.metadata.thread_id"];

/// What the copies are called, in the same order.
static NAMES: LazyLock<[String; COPIED.len()]> = LazyLock::new(|| COPIED.map(name_of));

fn name_of(key: Key) -> String {
    let own = ["gen_ai.", "life.", "autonomic.", "vigil."].iter().find_map(|space| key.name().strip_prefix(space));
    format!("langsmith.metadata.{}", own.unwrap_or(key.name()).replace('.', "_"))
}

/// Writes the copies.
pub(super) fn write(out: &mut Vec<u8>, writer: &mut AttributeWriter, attributes: &AttributeSet<'_>) {
    for (key, name) in COPIED.iter().zip(NAMES.iter()) {
        if let Some(value) = attributes.get(*key) {
            writer.write_custom(out, name, value);
        }
    }
    if let Some(session) = attributes.get(attr::LIFE_SESSION_ID) {
        SESSION.iter().for_each(|name| writer.write_custom(out, name, session));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use vigil_core::contract::Class;

    #[test]
    fn no_free_text_is_copied_and_no_two_copies_have_one_name() {
        assert!(COPIED.iter().all(|key| key.def().class != Class::Text));
        let names: HashSet<_> = NAMES.iter().map(String::as_str).chain(SESSION).collect();
        assert_eq!(names.len(), COPIED.len() + SESSION.len());
        assert_eq!(name_of(attr::GEN_AI_AGENT_NAME), "langsmith.metadata.agent_name");
        assert_eq!(name_of(attr::ERROR_TYPE), "langsmith.metadata.error_type");
    }
}

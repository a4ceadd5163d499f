//! Which attributes of OpenTelemetry's conventions hold names, and not what somebody wrote.
//!
//! Text is content unless it is known to be a name: a query, an address with a token in it and a prompt are all texts
//! under some key. Known are the keys of Vigil's contract and those here: words of closed lists, and names given to
//! code, services and tables by those who made them.

use vigil::contract::Key;

/// Whether the text under `name` is a name by the conventions.
pub(super) fn is_name(name: &str) -> bool {
    // No key of the contract's for content is among the names; looking there first saves a hash.
    NAMES.binary_search(&name).is_ok() || Key::from_name(name).is_some_and(|key| !key.is_text())
}

/// In the order of their bytes.
const NAMES: [&str; 61] = [
    "cloud.platform",
    "cloud.provider",
    "cloud.region",
    "code.function",
    "code.function.name",
    "code.namespace",
    "db.collection.name",
    "db.name",
    "db.namespace",
    "db.operation",
    "db.operation.name",
    "db.query.summary",
    "db.response.status_code",
    "db.sql.table",
    "db.stored_procedure.name",
    "db.system",
    "db.system.name",
    "deployment.environment.name",
    "dns.question.name",
    "faas.invoked_name",
    "faas.invoked_provider",
    "faas.invoked_region",
    "faas.name",
    "faas.trigger",
    "feature_flag.key",
    "feature_flag.provider.name",
    "feature_flag.result.reason",
    "feature_flag.result.variant",
    "graphql.operation.name",
    "graphql.operation.type",
    "http.flavor",
    "http.method",
    "http.request.method",
    "http.route",
    "http.scheme",
    "messaging.consumer.group.name",
    "messaging.destination.name",
    "messaging.destination.template",
    "messaging.operation",
    "messaging.operation.name",
    "messaging.operation.type",
    "messaging.system",
    "net.protocol.name",
    "net.protocol.version",
    "net.transport",
    "network.protocol.name",
    "network.protocol.version",
    "network.transport",
    "network.type",
    "peer.service",
    "rpc.message.type",
    "rpc.method",
    "rpc.response.status_code",
    "rpc.service",
    "rpc.system",
    "rpc.system.name",
    "service.peer.name",
    "thread.name",
    "tls.protocol.version",
    "url.scheme",
    "url.template",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_in_order_and_none_is_content() {
        assert!(NAMES.is_sorted());
        assert!(NAMES.iter().all(|name| Key::from_name(name).is_none_or(|key| !key.is_text())));
    }

    #[test]
    fn names_are_told_from_what_somebody_wrote() {
        for name in ["http.request.method", "db.system", "url.template", "gen_ai.request.model", "server.address"] {
            assert!(is_name(name), "{name}");
        }
        for text in ["gen_ai.input.messages", "exception.message", "db.query.text", "url.full", "acme.note", ""] {
            assert!(!is_name(text), "{text}");
        }
    }
}

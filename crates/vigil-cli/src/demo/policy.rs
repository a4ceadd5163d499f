//! What the demo's agent may do: by a policy of its own, or by one the user names.

use std::path::Path;
use vigil::gateway::{Policy, PolicyError};

/// The demo's own policy. Paths are meant below the agent's folder.
pub(super) const BUILT_IN: &str = r#"{
  "schema_version": 1,
  "default_allow": false,
  "rules": {
    "llm.call": { "allow": true, "budget": 40 },
    "fs.read": { "allow": true },
    "fs.write": { "allow": true, "budget": 4 },
    "process.run": { "allow": true, "budget": 4 }
  },
  "fs_policy": { "read": ["**"], "write": ["report.md"], "max_read_bytes": 65536, "max_write_bytes": 16384 },
  "process_policy": { "commands": ["sh check.sh"], "max_output_bytes": 16384, "timeout_ms": 5000 }
}"#;

/// The text of the policy the user asks for: a preset, the demo's own, or one in a file.
pub(super) fn load(wanted: Option<&str>) -> Result<(String, Policy), String> {
    let (name, text) = match wanted {
        None => ("the built-in policy", BUILT_IN.to_owned()),
        Some(preset @ ("allow-all" | "deny-all")) => (preset, preset.to_owned()),
        Some(file) => {
            let text = std::fs::read_to_string(Path::new(file));
            (file, text.map_err(|error| format!("the policy {file} cannot be read: {error}"))?)
        }
    };
    let policy = read(&text).map_err(|error| format!("{name}: {error}"))?;
    Ok((text, policy))
}

/// The policy of a text: the name of a preset, or JSON.
pub(super) fn read(text: &str) -> Result<Policy, PolicyError> {
    match text {
        "allow-all" => Ok(Policy::allow_all()),
        "deny-all" => Ok(Policy::deny_all()),
        json => Policy::parse(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_policy_and_the_presets_are_policies() {
        assert!(load(None).unwrap().1.rule("fs.write").allowed);
        assert!(load(Some("allow-all")).unwrap().1.rule("anything").allowed);
        assert!(!load(Some("deny-all")).unwrap().1.rule("fs.read").allowed);
        assert!(load(Some("/no/such/policy.json")).unwrap_err().contains("cannot be read"));
    }
}

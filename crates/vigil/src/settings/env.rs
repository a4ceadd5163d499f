//! Where variables come from.

use std::collections::HashMap;

/// The environment to read settings from: the process's, or one made up for a test.
#[derive(Clone, Debug, Default)]
pub(crate) enum Environment {
    #[default]
    Process,
    Given(HashMap<String, String>),
}

impl Environment {
    /// The value of `name`; an empty one counts as unset, as the specification says.
    #[expect(clippy::disallowed_methods, reason = "this module is where the environment is read")]
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let value = match self {
            // What is not UTF-8 is read with replacement characters: the parsers then name it as unusable.
            Environment::Process => std::env::var_os(name)?.to_string_lossy().into_owned(),
            Environment::Given(map) => map.get(name)?.clone(),
        };
        (!value.trim().is_empty()).then_some(value)
    }
}

//! The policy itself, as a value.

use super::glob::{CommandPattern, HostPattern, PathPattern, UrlPathPattern};
use std::collections::BTreeMap;

/// What an agent may do. Made of JSON by [`Policy::parse`], or by hand:
///
/// ```
/// use vigil_core::policy::{Policy, capability};
///
/// let mut policy = Policy::deny_all().allow(capability::FS_READ, 0).allow(capability::NET_FETCH, 20);
/// policy.net.allowed_domains.push("*.example.com".parse().unwrap());
/// assert!(policy.rule("fs.read").allowed);
/// assert!(!policy.rule("fs.write").allowed);
/// ```
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Policy {
    /// Whether a capability without a rule may be used. Defaults to no.
    pub default_allow: bool,
    /// Rules by capability.
    pub rules: BTreeMap<String, Rule>,
    /// What may be asked of the network.
    pub net: NetPolicy,
    /// Which files may be touched.
    pub files: FilePolicy,
    /// Which programs may be run.
    pub processes: ProcessPolicy,
}

/// The rule for one capability.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Whether it may be used.
    pub allow: bool,
    /// How often it may be used; 0 for any number of times.
    pub budget: u64,
}

/// What may be asked of the network. Empty lists narrow nothing.
#[derive(Clone, PartialEq, Debug)]
pub struct NetPolicy {
    /// Hosts that may be asked.
    pub allowed_domains: Vec<HostPattern>,
    /// Methods that may be used, in capitals.
    pub allowed_methods: Vec<String>,
    /// Paths of URLs that may be asked for.
    pub allowed_paths: Vec<UrlPathPattern>,
    /// Whether servers may be asked that are not on the public internet: this machine, private networks,
    /// metadata services of clouds. Defaults to no.
    pub allow_private_addresses: bool,
    /// Whether requests may go unencrypted. Defaults to yes.
    pub allow_plain_http: bool,
    /// Whether redirects are followed, each held against the policy anew. Defaults to yes.
    pub allow_redirects: bool,
    /// The most redirects that are followed. Defaults to 5.
    pub max_redirects: u64,
    /// The longest request body. Defaults to 10 MiB.
    pub max_request_bytes: u64,
    /// The longest response body. Defaults to 10 MiB.
    pub max_response_bytes: u64,
    /// What a request may take with all its redirects, in milliseconds. Defaults to 30 seconds.
    pub timeout_ms: u64,
}

impl Default for NetPolicy {
    fn default() -> Self {
        Self {
            allowed_domains: Vec::new(),
            allowed_methods: Vec::new(),
            allowed_paths: Vec::new(),
            allow_private_addresses: false,
            allow_plain_http: true,
            allow_redirects: true,
            max_redirects: 5,
            max_request_bytes: 10 << 20,
            max_response_bytes: 10 << 20,
            timeout_ms: 30_000,
        }
    }
}

/// Which files may be touched. Patterns are compared with resolved paths; a relative one is meant below the
/// gateway's folder. Empty lists narrow nothing.
#[derive(Clone, PartialEq, Debug)]
pub struct FilePolicy {
    /// Files that may be read.
    pub read: Vec<PathPattern>,
    /// Files that may be written.
    pub write: Vec<PathPattern>,
    /// The longest file that is read. Defaults to 10 MiB.
    pub max_read_bytes: u64,
    /// The most that is written at once. Defaults to 10 MiB.
    pub max_write_bytes: u64,
}

impl Default for FilePolicy {
    fn default() -> Self {
        Self { read: Vec::new(), write: Vec::new(), max_read_bytes: 10 << 20, max_write_bytes: 10 << 20 }
    }
}

/// Which programs may be run. Empty lists of commands and folders narrow nothing; an empty environment is empty.
#[derive(Clone, PartialEq, Debug)]
pub struct ProcessPolicy {
    /// Commands that may be run, word by word; no shell is ever asked unless a command names one.
    pub commands: Vec<CommandPattern>,
    /// Folders commands may be run in.
    pub folders: Vec<PathPattern>,
    /// Variables of the gateway's own environment that commands see. Defaults to `PATH` alone.
    pub environment: Vec<String>,
    /// The most that is read of what a command writes, stdout and stderr each. Defaults to 1 MiB.
    pub max_output_bytes: u64,
    /// What a command may take, in milliseconds. Defaults to 60 seconds.
    pub timeout_ms: u64,
}

impl Default for ProcessPolicy {
    fn default() -> Self {
        Self {
            commands: Vec::new(),
            folders: Vec::new(),
            environment: vec!["PATH".to_owned()],
            max_output_bytes: 1 << 20,
            timeout_ms: 60_000,
        }
    }
}

impl Policy {
    /// Allows everything, servers on this machine and in private networks included. Sizes and times are limited
    /// as always.
    pub fn allow_all() -> Self {
        let net = NetPolicy { allow_private_addresses: true, ..NetPolicy::default() };
        Self { default_allow: true, net, ..Self::default() }
    }

    /// Allows nothing.
    pub fn deny_all() -> Self {
        Self::default()
    }

    /// Allows `capability`, `budget` times; 0 for any number of times.
    #[must_use]
    pub fn allow(mut self, capability: impl Into<String>, budget: u64) -> Self {
        self.rules.insert(capability.into(), Rule { allow: true, budget });
        self
    }

    /// Does not allow `capability`.
    #[must_use]
    pub fn deny(mut self, capability: impl Into<String>) -> Self {
        self.rules.insert(capability.into(), Rule { allow: false, budget: 0 });
        self
    }
}

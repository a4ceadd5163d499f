//! Decisions, and what explains them.

use super::address::is_public;
use super::rules::Policy;
use std::fmt;
use std::net::IpAddr;

/// The part of a policy that decides.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Clause {
    /// The capability's own rule.
    Rule,
    /// What holds for capabilities without a rule.
    DefaultAllow,
    /// `net_policy.allowed_domains`.
    Domains,
    /// `net_policy.allowed_methods`.
    Methods,
    /// `net_policy.allowed_paths`.
    UrlPaths,
    /// `net_policy.allow_private_addresses`.
    PrivateAddresses,
    /// `net_policy.allow_plain_http`.
    PlainHttp,
    /// `net_policy.max_redirects`.
    Redirects,
    /// `net_policy.max_request_bytes`.
    RequestBytes,
    /// `fs_policy.read`.
    Read,
    /// `fs_policy.write`.
    Write,
    /// `fs_policy.max_read_bytes`.
    ReadBytes,
    /// `fs_policy.max_write_bytes`.
    WriteBytes,
    /// Not written in any policy: only regular files are touched.
    RegularFiles,
    /// `process_policy.commands`.
    Commands,
    /// `process_policy.folders`.
    Folders,
    /// The refusal was made when the work was recorded; a replay repeats it.
    Recorded,
}

impl Clause {
    /// The field of the policy, as a path; empty where there is none.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Rule => "rules",
            Self::DefaultAllow => "default_allow",
            Self::Domains => "net_policy.allowed_domains",
            Self::Methods => "net_policy.allowed_methods",
            Self::UrlPaths => "net_policy.allowed_paths",
            Self::PrivateAddresses => "net_policy.allow_private_addresses",
            Self::PlainHttp => "net_policy.allow_plain_http",
            Self::Redirects => "net_policy.max_redirects",
            Self::RequestBytes => "net_policy.max_request_bytes",
            Self::Read => "fs_policy.read",
            Self::Write => "fs_policy.write",
            Self::ReadBytes => "fs_policy.max_read_bytes",
            Self::WriteBytes => "fs_policy.max_write_bytes",
            Self::Commands => "process_policy.commands",
            Self::Folders => "process_policy.folders",
            Self::RegularFiles | Self::Recorded => "",
        }
    }

    /// Why it refuses, for people.
    const fn why(self) -> &'static str {
        match self {
            Self::Rule => "its rule says so",
            Self::DefaultAllow => "it has no rule, and default_allow is false",
            Self::Domains => "the host matches nothing in net_policy.allowed_domains",
            Self::Methods => "the method is not in net_policy.allowed_methods",
            Self::UrlPaths => "the path matches nothing in net_policy.allowed_paths",
            Self::PrivateAddresses => {
                "the host is at no public address, and net_policy.allow_private_addresses is false"
            }
            Self::PlainHttp => "the request is not encrypted, and net_policy.allow_plain_http is false",
            Self::Redirects => "there are more redirects than net_policy.max_redirects",
            Self::RequestBytes => "the request is longer than net_policy.max_request_bytes",
            Self::Read => "the file matches nothing in fs_policy.read",
            Self::Write => "the file matches nothing in fs_policy.write",
            Self::ReadBytes => "the file is longer than fs_policy.max_read_bytes",
            Self::WriteBytes => "it is more than fs_policy.max_write_bytes",
            Self::RegularFiles => "it is no regular file",
            Self::Commands => "the command matches nothing in process_policy.commands",
            Self::Folders => "the folder matches nothing in process_policy.folders",
            Self::Recorded => "it was when the work was recorded",
        }
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why())
    }
}

/// Whether a capability may be used at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Ruling {
    /// Whether it may.
    pub allowed: bool,
    /// What decided.
    pub clause: Clause,
    /// How often it may be used in all; `None` for any number of times.
    pub budget: Option<u64>,
}

impl fmt::Display for Ruling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.allowed, self.clause, self.budget) {
            (true, Clause::Rule, Some(budget)) => write!(f, "allowed by its rule, {budget} times"),
            (true, Clause::Rule, None) => f.write_str("allowed by its rule"),
            (true, ..) => f.write_str("allowed by default_allow"),
            (false, clause, _) => write!(f, "denied: {clause}"),
        }
    }
}

/// A policy does not allow something. Holds nothing of what was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denied {
    /// The capability.
    pub capability: String,
    /// What refused.
    pub clause: Clause,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is denied: {}", self.capability, self.clause)
    }
}

impl std::error::Error for Denied {}

/// Where a request would go.
#[derive(Clone, Copy, Debug)]
pub struct RequestTarget<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// Whether it goes encrypted.
    pub is_https: bool,
    /// The host: a name, or an address (IPv6 in brackets).
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// The path, without query and fragment.
    pub path: &'a str,
}

/// What would be done to a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileAccess {
    /// It would be read.
    Read,
    /// It would be written, or made.
    Write,
}

/// `Ok` where nothing narrows, or something matches.
fn one_of<T>(list: &[T], clause: Clause, matches: impl Fn(&T) -> bool) -> Result<(), Clause> {
    if list.is_empty() || list.iter().any(matches) { Ok(()) } else { Err(clause) }
}

/// The answers.
impl Policy {
    /// Whether `capability` may be used at all, and how often.
    pub fn rule(&self, capability: &str) -> Ruling {
        match self.rules.get(capability) {
            Some(rule) => Ruling {
                allowed: rule.allow,
                clause: Clause::Rule,
                budget: Some(rule.budget).filter(|budget| *budget > 0 && rule.allow),
            },
            None => Ruling { allowed: self.default_allow, clause: Clause::DefaultAllow, budget: None },
        }
    }

    /// Whether a request may go to `target`. To be asked for every hop of a chain of redirects.
    ///
    /// # Errors
    /// The clause that refuses.
    pub fn check_request(&self, target: RequestTarget<'_>) -> Result<(), Clause> {
        let net = &self.net;
        if !target.is_https && !net.allow_plain_http {
            return Err(Clause::PlainHttp);
        }
        one_of(&net.allowed_methods, Clause::Methods, |method| method == target.method)?;
        one_of(&net.allowed_domains, Clause::Domains, |pattern| pattern.matches(target.host, target.port))?;
        one_of(&net.allowed_paths, Clause::UrlPaths, |pattern| pattern.matches(target.path))
    }

    /// Whether a server at `address` may be asked: to be asked about the address that is connected to.
    ///
    /// # Errors
    /// The clause that refuses.
    pub fn check_address(&self, address: IpAddr) -> Result<(), Clause> {
        if self.net.allow_private_addresses || is_public(address) { Ok(()) } else { Err(Clause::PrivateAddresses) }
    }

    /// Whether the file at `path`, absolute and resolved, may be touched.
    ///
    /// # Errors
    /// The clause that refuses.
    pub fn check_file(&self, access: FileAccess, path: &str) -> Result<(), Clause> {
        match access {
            FileAccess::Read => one_of(&self.files.read, Clause::Read, |pattern| pattern.matches(path)),
            FileAccess::Write => one_of(&self.files.write, Clause::Write, |pattern| pattern.matches(path)),
        }
    }

    /// Whether a command may be run. `is_program` says whether the program a pattern names is the one that would
    /// be run.
    ///
    /// # Errors
    /// The clause that refuses.
    pub fn check_command<'a>(
        &self,
        is_program: impl Fn(&str) -> bool,
        arguments: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Result<(), Clause> {
        one_of(&self.processes.commands, Clause::Commands, |pattern| {
            pattern.matches_arguments(arguments.clone()) && is_program(pattern.program())
        })
    }

    /// Whether commands may be run in the folder at `path`, absolute and resolved.
    ///
    /// # Errors
    /// The clause that refuses.
    pub fn check_folder(&self, path: &str) -> Result<(), Clause> {
        one_of(&self.processes.folders, Clause::Folders, |pattern| pattern.matches(path))
    }
}

//! From JSON text to a policy, or to an error a person can act on.

use super::capability;
use super::glob::NotAPattern;
use super::json::{self, Entry, Json, Node, Place};
use super::rules::{FilePolicy, NetPolicy, Policy, ProcessPolicy, Rule};
use std::fmt;
use std::str::FromStr;

/// The longest policy: 1 MiB.
pub const MAX_POLICY_BYTES: usize = 1 << 20;

/// The one version of the form there is.
const SCHEMA_VERSION: u64 = 1;

/// A text is no policy, and where and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyError {
    /// Where in the text.
    pub place: Place,
    /// Which field, as a path: `rules.fs.read.budget`. Empty where it is about the whole.
    pub field: String,
    /// What is wrong.
    pub problem: PolicyProblem,
}

/// What can be wrong with a policy.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PolicyProblem {
    /// The text is longer than [`MAX_POLICY_BYTES`].
    TooLong,
    /// The text is no JSON.
    NotJson(&'static str),
    /// There is no such field.
    UnknownField {
        /// The field that may have been meant.
        near: Option<&'static str>,
    },
    /// There is no such capability, neither of Vigil's nor of the program's own.
    UnknownCapability {
        /// The capability that may have been meant.
        near: Option<String>,
    },
    /// There is no such version; this release knows 1.
    UnknownVersion,
    /// The field is there twice.
    Twice,
    /// The value is of another type.
    Wants(&'static str),
    /// The value is no pattern.
    NotAPattern(NotAPattern),
    /// There is a budget and no leave to use it.
    BudgetWithoutLeave,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.field.is_empty() {
            // Made of the text's own names.
            let name = self.field.chars().map(|letter| if letter.is_control() { '?' } else { letter });
            write!(f, "{}: ", name.take(200).collect::<String>())?;
        }
        match &self.problem {
            PolicyProblem::TooLong => write!(f, "a policy has at most {MAX_POLICY_BYTES} bytes"),
            PolicyProblem::NotJson(problem) => f.write_str(problem),
            PolicyProblem::UnknownField { near } => unknown(f, "field", *near),
            PolicyProblem::UnknownCapability { near } => unknown(f, "capability", near.as_deref()),
            PolicyProblem::UnknownVersion => write!(f, "not a known version; {SCHEMA_VERSION} is"),
            PolicyProblem::Twice => f.write_str("is there twice"),
            PolicyProblem::Wants(what) => write!(f, "{what} is wanted here"),
            PolicyProblem::NotAPattern(problem) => problem.fmt(f),
            PolicyProblem::BudgetWithoutLeave => f.write_str("a budget for what is not allowed; remove one of the two"),
        }
    }
}

fn unknown(f: &mut fmt::Formatter<'_>, what: &str, near: Option<&str>) -> fmt::Result {
    match near {
        Some(near) => write!(f, "unknown {what}; was `{near}` meant?"),
        None => write!(f, "unknown {what}"),
    }
}

impl std::error::Error for PolicyError {}

impl Policy {
    /// Reads a policy with rules for the capabilities of [`capability::ALL`].
    ///
    /// ```
    /// use vigil_core::policy::Policy;
    ///
    /// let policy = Policy::parse(r#"{
    ///     "schema_version": 1,
    ///     "default_allow": false,
    ///     "rules": { "net.fetch": { "allow": true, "budget": 50 } },
    ///     "net_policy": { "allowed_domains": ["*.example.com"], "allowed_methods": ["GET"] }
    /// }"#)?;
    /// assert_eq!(policy.rule("net.fetch").budget, Some(50));
    ///
    /// let error = Policy::parse(r#"{ "rules": { "net": { "allow": true } } }"#).unwrap_err();
    /// assert_eq!(error.to_string(), "line 1, column 14: rules.net: unknown capability; was `net.fetch` meant?");
    /// # Ok::<(), vigil_core::policy::PolicyError>(())
    /// ```
    ///
    /// # Errors
    /// Whatever is not as it should be: see [`PolicyProblem`].
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        parse_with(text, &[])
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Self::parse(text)
    }
}

/// Like [`Policy::parse`], with rules also for the program's `own` capabilities.
///
/// # Errors
/// Whatever is not as it should be: see [`PolicyProblem`].
pub fn parse_with(text: &str, own: &[&str]) -> Result<Policy, PolicyError> {
    if text.len() > MAX_POLICY_BYTES {
        let place = Place { line: 1, column: 1 };
        return Err(PolicyError { place, field: String::new(), problem: PolicyProblem::TooLong });
    }
    let node = json::read(text).map_err(|error| PolicyError {
        place: error.place,
        field: String::new(),
        problem: PolicyProblem::NotJson(error.problem),
    })?;
    policy(&Field { node: &node, path: String::new() }, own)
}

/// A value and how it is reached.
struct Field<'a> {
    node: &'a Node,
    path: String,
}

impl<'a> Field<'a> {
    fn error(&self, problem: PolicyProblem) -> PolicyError {
        PolicyError { place: self.node.place, field: self.path.clone(), problem }
    }

    fn named(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The entries of a map, each name once.
    fn entries(&self) -> Result<Vec<(&'a Entry, Field<'a>)>, PolicyError> {
        let Json::Map(entries) = &self.node.value else {
            return Err(self.error(PolicyProblem::Wants("a map in { }")));
        };
        let mut fields: Vec<(&Entry, Field<'_>)> = Vec::with_capacity(entries.len());
        for entry in entries {
            let path = self.named(&entry.name);
            if fields.iter().any(|(other, _)| other.name == entry.name) {
                return Err(PolicyError { place: entry.place, field: path, problem: PolicyProblem::Twice });
            }
            fields.push((entry, Field { node: &entry.node, path }));
        }
        Ok(fields)
    }

    fn unknown(&self, entry: &Entry, known: &[&'static str]) -> PolicyError {
        let near = near(&entry.name, known.iter().copied());
        let problem = PolicyProblem::UnknownField { near };
        PolicyError { place: entry.place, field: self.named(&entry.name), problem }
    }

    fn truth(&self) -> Result<bool, PolicyError> {
        match self.node.value {
            Json::Bool(truth) => Ok(truth),
            _ => Err(self.error(PolicyProblem::Wants("true or false"))),
        }
    }

    fn whole(&self) -> Result<u64, PolicyError> {
        match self.node.value {
            Json::Whole(number) => Ok(number),
            _ => Err(self.error(PolicyProblem::Wants("a whole number, 0 or more"))),
        }
    }

    fn at_least_one(&self) -> Result<u64, PolicyError> {
        self.whole()
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| self.error(PolicyProblem::Wants("a whole number, 1 or more")))
    }

    fn text(&self) -> Result<&'a str, PolicyError> {
        match &self.node.value {
            Json::Text(text) if !text.is_empty() => Ok(text),
            _ => Err(self.error(PolicyProblem::Wants("a text in double quotes"))),
        }
    }

    fn items(&self) -> Result<Vec<Field<'a>>, PolicyError> {
        let Json::List(items) = &self.node.value else {
            return Err(self.error(PolicyProblem::Wants("a list in [ ]")));
        };
        let item = |(index, node)| Field { node, path: format!("{}[{index}]", self.path) };
        Ok(items.iter().enumerate().map(item).collect())
    }

    fn patterns<P: FromStr<Err = NotAPattern>>(&self) -> Result<Vec<P>, PolicyError> {
        let pattern =
            |item: Field<'_>| item.text()?.parse().map_err(|problem| item.error(PolicyProblem::NotAPattern(problem)));
        self.items()?.into_iter().map(pattern).collect()
    }

    /// A list of words that `fits` takes.
    fn words(&self, what: &'static str, fits: impl Fn(&str) -> bool) -> Result<Vec<String>, PolicyError> {
        let word = |item: Field<'_>| match item.text() {
            Ok(text) if fits(text) => Ok(text.to_owned()),
            _ => Err(item.error(PolicyProblem::Wants(what))),
        };
        self.items()?.into_iter().map(word).collect()
    }
}

fn policy(root: &Field<'_>, own: &[&str]) -> Result<Policy, PolicyError> {
    let mut policy = Policy::default();
    for (entry, field) in root.entries()? {
        match entry.name.as_str() {
            "schema_version" => match field.whole()? {
                SCHEMA_VERSION => {}
                _ => return Err(field.error(PolicyProblem::UnknownVersion)),
            },
            "default_allow" => policy.default_allow = field.truth()?,
            "rules" => {
                for (entry, field) in field.entries()? {
                    let known = || capability::ALL.iter().copied().chain(own.iter().copied());
                    if !known().any(|name| name == entry.name) {
                        let near = near_capability(&entry.name, known());
                        let problem = PolicyProblem::UnknownCapability { near };
                        return Err(PolicyError { place: entry.place, field: field.path, problem });
                    }
                    policy.rules.insert(entry.name.clone(), rule(&field)?);
                }
            }
            "net_policy" => policy.net = net(&field)?,
            "fs_policy" => policy.files = files(&field)?,
            "process_policy" => policy.processes = processes(&field)?,
            _ => {
                let known = ["schema_version", "default_allow", "rules", "net_policy", "fs_policy", "process_policy"];
                return Err(root.unknown(entry, &known));
            }
        }
    }
    Ok(policy)
}

fn rule(field: &Field<'_>) -> Result<Rule, PolicyError> {
    // As in the form this one continues: a rule allows unless it says otherwise.
    let mut rule = Rule { allow: true, budget: 0 };
    for (entry, value) in field.entries()? {
        match entry.name.as_str() {
            "allow" => rule.allow = value.truth()?,
            "budget" => rule.budget = value.whole()?,
            _ => return Err(field.unknown(entry, &["allow", "budget"])),
        }
    }
    if !rule.allow && rule.budget > 0 {
        return Err(field.error(PolicyProblem::BudgetWithoutLeave));
    }
    Ok(rule)
}

fn net(field: &Field<'_>) -> Result<NetPolicy, PolicyError> {
    let mut net = NetPolicy::default();
    for (entry, value) in field.entries()? {
        match entry.name.as_str() {
            "allowed_domains" => net.allowed_domains = value.patterns()?,
            "allowed_methods" => {
                let is_method = |text: &str| text.bytes().all(|letter| letter.is_ascii_uppercase());
                net.allowed_methods = value.words("a method in capitals", is_method)?;
            }
            "allowed_paths" => net.allowed_paths = value.patterns()?,
            "allow_private_addresses" => net.allow_private_addresses = value.truth()?,
            "allow_plain_http" => net.allow_plain_http = value.truth()?,
            "allow_redirects" => net.allow_redirects = value.truth()?,
            "max_redirects" => net.max_redirects = value.whole()?,
            "max_request_bytes" => net.max_request_bytes = value.whole()?,
            "max_response_bytes" => net.max_response_bytes = value.whole()?,
            "timeout_ms" => net.timeout_ms = value.at_least_one()?,
            _ => {
                let known = [
                    "allowed_domains",
                    "allowed_methods",
                    "allowed_paths",
                    "allow_private_addresses",
                    "allow_plain_http",
                    "allow_redirects",
                    "max_redirects",
                    "max_request_bytes",
                    "max_response_bytes",
                    "timeout_ms",
                ];
                return Err(field.unknown(entry, &known));
            }
        }
    }
    Ok(net)
}

fn files(field: &Field<'_>) -> Result<FilePolicy, PolicyError> {
    let mut files = FilePolicy::default();
    for (entry, value) in field.entries()? {
        match entry.name.as_str() {
            "read" => files.read = value.patterns()?,
            "write" => files.write = value.patterns()?,
            "max_read_bytes" => files.max_read_bytes = value.whole()?,
            "max_write_bytes" => files.max_write_bytes = value.whole()?,
            _ => return Err(field.unknown(entry, &["read", "write", "max_read_bytes", "max_write_bytes"])),
        }
    }
    Ok(files)
}

fn processes(field: &Field<'_>) -> Result<ProcessPolicy, PolicyError> {
    let mut processes = ProcessPolicy::default();
    for (entry, value) in field.entries()? {
        match entry.name.as_str() {
            "commands" => processes.commands = value.patterns()?,
            "folders" => processes.folders = value.patterns()?,
            "environment" => {
                let is_variable = |text: &str| !text.contains(['=', '\0']);
                processes.environment = value.words("the name of a variable", is_variable)?;
            }
            "max_output_bytes" => processes.max_output_bytes = value.whole()?,
            "timeout_ms" => processes.timeout_ms = value.at_least_one()?,
            _ => {
                let known = ["commands", "folders", "environment", "max_output_bytes", "timeout_ms"];
                return Err(field.unknown(entry, &known));
            }
        }
    }
    Ok(processes)
}

/// The name that may have been meant: at most two letters off.
fn near<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known.map(|other| (distance(name, other), other)).filter(|(off, _)| *off <= 2).min().map(|(_, other)| other)
}

/// Also finds `net.fetch` for `net`.
fn near_capability<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
    let first_word = |other: &&str| other.split('.').next() == Some(name);
    near(name, known.clone()).or_else(|| known.clone().find(first_word)).map(str::to_owned)
}

/// How many letters have to be changed, added or removed. Long names are not compared.
fn distance(one: &str, other: &str) -> usize {
    const LONGEST: usize = 64;
    if one.len() > LONGEST || other.len() > LONGEST {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in other.bytes().enumerate() {
            let changed = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

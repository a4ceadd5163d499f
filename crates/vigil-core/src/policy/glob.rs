//! Patterns for hosts, paths and commands. Each kind reads `*` in the way of what it matches.
//!
//! | pattern | `*` | example |
//! |---|---|---|
//! | host | as the first label: one label or more; within a label: any letters | `*.example.com`, `eu-*.example.com`, `localhost:8080` |
//! | path of a URL | any letters within one segment; `**`: any number of segments | `/v1/*/messages`, `/public/**` |
//! | file | the same | `/srv/data/**`, `notes/*.md` |
//! | command | any letters within one word; alone as the last word: any further words | `git log *`, `sh check.sh` |

use std::fmt;
use std::str::FromStr;

/// Why a text is no pattern.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAPattern(pub(super) &'static str);

impl fmt::Display for NotAPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NotAPattern {}

/// Whether `text` is `pattern`, where each `*` of it stands for any letters. Takes time in proportion to the
/// product of the lengths at worst, whatever the pattern.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut in_text) = (0, 0);
    // Where to go on when what follows the last `*` did not match: that `*` takes one letter more.
    let mut again = None;
    while in_text < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                again = Some((at, in_text));
                at += 1;
            }
            Some(letter) if *letter == text[in_text] => {
                at += 1;
                in_text += 1;
            }
            _ => match again {
                Some((star, taken)) => {
                    again = Some((star, taken + 1));
                    at = star + 1;
                    in_text = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|letter| *letter == b'*')
}

macro_rules! as_text {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text)
            }
        }
    };
}

/// Matches hosts, and with `:port` one port of them only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostPattern {
    text: String,
    /// Without a leading `*.`; in lower case.
    host: String,
    any_below: bool,
    port: Option<u16>,
}

as_text!(HostPattern);

impl FromStr for HostPattern {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Self, NotAPattern> {
        let lower = text.to_ascii_lowercase();
        let (host, port) = split_port(&lower).ok_or(NotAPattern("the port is not a number from 1 to 65535"))?;
        if !host.is_ascii() {
            return Err(NotAPattern("a host is written in ASCII: its xn-- form"));
        }
        if host.contains("://") || host.contains('/') || host.contains('@') {
            return Err(NotAPattern("a host is wanted, not a URL"));
        }
        let (host, any_below) = match host.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (host, false),
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        let fits = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_' | b'*');
        let is_name = host.split('.').all(|label| !label.is_empty() && label.bytes().all(fits));
        let is_address = host.starts_with('[') && host.ends_with(']') && !any_below;
        if !is_name && !is_address {
            return Err(NotAPattern("not the name or address of a host"));
        }
        Ok(Self { text: text.to_owned(), host: host.to_owned(), any_below, port })
    }
}

/// The host and the port behind it. `None` when there is a port that is none.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    // The colons of an IPv6 address are within brackets.
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') && !port.starts_with("//") => {
            Some((host, Some(port.parse().ok().filter(|port| *port != 0)?)))
        }
        _ => Some((text, None)),
    }
}

impl HostPattern {
    /// Whether it matches `host`, a name or an address (IPv6 in brackets), at `port`.
    pub fn matches(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|own| own != port) {
            return false;
        }
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        if self.host == "*" && !self.any_below {
            return true;
        }
        let mut own = self.host.rsplit('.');
        let mut labels = host.rsplit('.');
        for pattern in own.by_ref() {
            match labels.next() {
                Some(label) if matches(pattern.as_bytes(), label.as_bytes()) => {}
                _ => return false,
            }
        }
        match labels.next() {
            // An address is no name below another.
            Some(label) => self.any_below && !label.is_empty() && host.parse::<std::net::IpAddr>().is_err(),
            None => !self.any_below,
        }
    }
}

/// One part of a path pattern.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Segment {
    /// `**`: any number of segments.
    Any,
    /// One segment, with `*` for any letters.
    One(String),
    /// One segment, letter by letter.
    Exactly(String),
}

impl Segment {
    fn matches(&self, part: &str) -> bool {
        match self {
            Segment::Any => false,
            Segment::One(pattern) => matches(pattern.as_bytes(), part.as_bytes()),
            Segment::Exactly(name) => name == part,
        }
    }
}

fn segments(text: &str) -> Result<Vec<Segment>, NotAPattern> {
    let segment = |part: &str| match part {
        "**" => Ok(Segment::Any),
        "." | ".." => Err(NotAPattern("a pattern has no `.` or `..`: it is compared with resolved paths")),
        part if part.contains("**") => Err(NotAPattern("`**` stands between slashes")),
        part => Ok(Segment::One(part.to_owned())),
    };
    text.split('/').map(segment).collect()
}

/// Whether the segments of `path` are those of `pattern`. Like [`matches`], with `**` for `*`.
fn segments_match(pattern: &[Segment], path: &[&str]) -> bool {
    let (mut at, mut in_path) = (0, 0);
    let mut again = None;
    while in_path < path.len() {
        match pattern.get(at) {
            Some(Segment::Any) => {
                again = Some((at, in_path));
                at += 1;
            }
            Some(segment) if segment.matches(path[in_path]) => {
                at += 1;
                in_path += 1;
            }
            _ => match again {
                Some((star, taken)) => {
                    again = Some((star, taken + 1));
                    at = star + 1;
                    in_path = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|segment| *segment == Segment::Any)
}

/// Matches the path of a URL, without query and fragment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UrlPathPattern {
    text: String,
    segments: Vec<Segment>,
}

as_text!(UrlPathPattern);

impl FromStr for UrlPathPattern {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Self, NotAPattern> {
        let path = text.strip_prefix('/').ok_or(NotAPattern("the path of a URL begins with `/`"))?;
        if path.contains(['?', '#']) {
            return Err(NotAPattern("only the path is compared: no `?` and no `#`"));
        }
        Ok(Self { text: text.to_owned(), segments: segments(path)? })
    }
}

impl UrlPathPattern {
    /// Whether it matches `path`. A path servers may read in two ways (dot segments, encoded slashes and dots,
    /// backslashes) is matched by none.
    pub fn matches(&self, path: &str) -> bool {
        let lower = path.to_ascii_lowercase();
        let is_ambiguous = lower.contains('\\') || ["%2e", "%2f", "%5c"].iter().any(|code| lower.contains(code));
        let Some(path) = path.strip_prefix('/').filter(|_| !is_ambiguous) else { return false };
        let parts: Vec<&str> = path.split('/').collect();
        !parts.iter().any(|part| matches!(*part, "." | "..")) && segments_match(&self.segments, &parts)
    }
}

/// Matches files by their resolved path. A relative one is meant below a folder it is [`anchored`](Self::anchored) in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathPattern {
    text: String,
    /// Of the path without its leading slash.
    segments: Vec<Segment>,
    is_absolute: bool,
}

as_text!(PathPattern);

impl FromStr for PathPattern {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Self, NotAPattern> {
        if text.is_empty() || text.contains('\0') {
            return Err(NotAPattern("not a path"));
        }
        let path = text.trim_start_matches('/');
        if path.contains("//") || (path.ends_with('/') && !path.is_empty()) {
            return Err(NotAPattern("no empty parts and no `/` at the end; for all below a folder write `folder/**`"));
        }
        let segments = if path.is_empty() { Vec::new() } else { segments(path)? };
        Ok(Self { text: text.to_owned(), segments, is_absolute: text.starts_with('/') })
    }
}

impl PathPattern {
    /// Whether it matches `path`: absolute and resolved, with `/` between its parts. A relative pattern
    /// matches nothing.
    pub fn matches(&self, path: &str) -> bool {
        let Some(path) = path.strip_prefix('/').filter(|_| self.is_absolute) else { return false };
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        segments_match(&self.segments, &parts)
    }

    /// The pattern below `folder`, an absolute path, if it is relative; itself otherwise.
    pub fn anchored(&self, folder: &str) -> Self {
        if self.is_absolute {
            return self.clone();
        }
        self.below(folder, &self.segments)
    }

    /// The pattern with the part before its first `*` replaced by what `resolve` makes of it, so that a folder
    /// named through a symbolic link is compared as the folder it is. The longest such part that `resolve`
    /// knows counts.
    pub fn resolved(&self, mut resolve: impl FnMut(&str) -> Option<String>) -> Self {
        let names = self.segments.iter().map_while(|segment| match segment {
            Segment::One(name) if !name.contains('*') => Some(name.as_str()),
            Segment::Exactly(name) => Some(name),
            Segment::One(_) | Segment::Any => None,
        });
        let names: Vec<&str> = names.collect();
        for length in (1..=names.len()).rev() {
            let folder = names[..length].iter().fold(String::new(), |path, name| path + "/" + name);
            if let Some(real) = resolve(&folder) {
                return self.below(&real, &self.segments[length..]);
            }
        }
        self.clone()
    }

    fn below(&self, folder: &str, rest: &[Segment]) -> Self {
        let parts = folder.split('/').filter(|part| !part.is_empty()).map(|part| Segment::Exactly(part.to_owned()));
        Self { text: self.text.clone(), segments: parts.chain(rest.iter().cloned()).collect(), is_absolute: true }
    }
}

/// Matches a command: a program and its arguments, word by word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommandPattern {
    text: String,
    words: Vec<String>,
    /// Whether further words may follow.
    open: bool,
}

as_text!(CommandPattern);

impl FromStr for CommandPattern {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Self, NotAPattern> {
        let mut words: Vec<String> = text.split_ascii_whitespace().map(str::to_owned).collect();
        let open = words.len() > 1 && words.last().is_some_and(|word| word == "*");
        if open {
            words.pop();
        }
        if words.first().is_none_or(|program| program.contains('*')) {
            return Err(NotAPattern("a command begins with the name or path of a program, without `*`"));
        }
        Ok(Self { text: text.to_owned(), words, open })
    }
}

impl CommandPattern {
    /// The program, as a name to look for or as a path.
    pub fn program(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// Whether the words after the program match.
    pub fn matches_arguments<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> bool {
        let mut own = self.words.iter().skip(1);
        for argument in arguments {
            match own.next() {
                Some(word) if matches(word.as_bytes(), argument.as_bytes()) => {}
                Some(_) => return false,
                None => return self.open,
            }
        }
        own.next().is_none()
    }
}

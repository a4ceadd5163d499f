//! Parsing of single values, by the specification's rules.

use super::env::Environment;
use std::fmt;
use std::time::Duration;

/// A setting that could not be used as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Warning {
    /// The variable.
    pub(crate) variable: &'static str,
    /// Its value; `None` where it may hold a secret.
    pub(crate) value: Option<String>,
    /// What is wrong and what is used instead.
    pub(crate) text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value:?}: {}", self.variable, self.text),
            None => write!(f, "{}: {}", self.variable, self.text),
        }
    }
}

/// Reads variables and collects warnings.
pub(super) struct Parser<'e> {
    pub(super) environment: &'e Environment,
    pub(super) warnings: Vec<Warning>,
}

/// The longest value a warning repeats.
const SHOWN_MAX: usize = 80;

impl Parser<'_> {
    pub(super) fn warn(&mut self, variable: &'static str, value: &str, text: impl Into<String>) {
        let shown: String = mask_userinfo(value).chars().take(SHOWN_MAX).collect();
        self.warnings.push(Warning { variable, value: Some(shown), text: text.into() });
    }

    fn warn_secret(&mut self, variable: &'static str, text: impl Into<String>) {
        self.warnings.push(Warning { variable, value: None, text: text.into() });
    }

    pub(super) fn text(&self, variable: &'static str) -> Option<String> {
        self.environment.get(variable)
    }

    /// `true` in any case is true, `false` false; anything else is false with a warning.
    pub(super) fn boolean(&mut self, variable: &'static str) -> Option<bool> {
        let value = self.text(variable)?;
        match value.trim().to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                self.warn(variable, &value, "neither true nor false; false is used");
                Some(false)
            }
        }
    }

    pub(super) fn number<T: std::str::FromStr>(&mut self, variable: &'static str, otherwise: &str) -> Option<T> {
        let value = self.text(variable)?;
        match value.trim().parse() {
            Ok(number) => Some(number),
            Err(_) => {
                self.warn(variable, &value, format!("not a whole number of at least 0; {otherwise} is used"));
                None
            }
        }
    }

    /// A count where none at all makes no sense.
    pub(super) fn at_least_one<T: std::str::FromStr + PartialOrd + From<u8>>(
        &mut self,
        variable: &'static str,
        otherwise: &str,
    ) -> Option<T> {
        let number = self.number(variable, otherwise)?;
        if number < T::from(1) {
            self.warn(variable, "0", format!("none at all; {otherwise} is used"));
            return None;
        }
        Some(number)
    }

    pub(super) fn millis(&mut self, variable: &'static str, otherwise: &str) -> Option<Duration> {
        self.number(variable, otherwise).map(Duration::from_millis)
    }

    /// Milliseconds where none at all make no sense.
    pub(super) fn some_millis(&mut self, variable: &'static str, otherwise: &str) -> Option<Duration> {
        let millis = self.millis(variable, otherwise)?;
        if millis.is_zero() {
            self.warn(variable, "0", format!("no time at all; {otherwise} is used"));
            return None;
        }
        Some(millis)
    }

    pub(super) fn ratio(&mut self, variable: &'static str) -> Option<f64> {
        let value = self.text(variable)?;
        match value.trim().parse::<f64>() {
            Ok(ratio) if (0.0..=1.0).contains(&ratio) => Some(ratio),
            _ => {
                self.warn(variable, &value, "not a number from 0.0 to 1.0; 1.0 is used");
                Some(1.0)
            }
        }
    }

    /// One of a list of words, in any case; anything else is a warning and unset.
    pub(super) fn choice<T: Copy>(
        &mut self,
        variable: &'static str,
        words: &[(&str, T)],
        otherwise: &str,
    ) -> Option<T> {
        let value = self.text(variable)?;
        let word = value.trim();
        let found = words.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, choice)| *choice);
        if found.is_none() {
            let known: Vec<_> = words.iter().map(|(name, _)| *name).collect();
            self.warn(variable, &value, format!("not one of {}; {otherwise} is used", known.join(", ")));
        }
        found
    }

    /// `key=value,key2=value2` with percent-encoded values. Values are never repeated in a warning.
    pub(super) fn pairs(&mut self, variable: &'static str) -> Option<Vec<(String, String)>> {
        let value = self.text(variable)?;
        let mut pairs = Vec::new();
        for member in value.split(',').filter(|member| !member.trim().is_empty()) {
            match member.split_once('=') {
                Some((key, value)) if !key.trim().is_empty() => {
                    match (percent_decode(key.trim()), percent_decode(value.trim())) {
                        (Some(key), Some(value)) => pairs.push((key, value)),
                        _ => self.warn_secret(variable, "a member is not percent-encoded UTF-8; it is left out"),
                    }
                }
                _ => self.warn_secret(variable, "a member is not of the form key=value; it is left out"),
            }
        }
        Some(pairs)
    }

    /// An http or https URL; for gRPC also a host and port alone.
    pub(super) fn url(&mut self, variable: &'static str, is_grpc: bool) -> Option<String> {
        let value = self.text(variable)?;
        let url = value.trim().to_owned();
        match check_url(&url, is_grpc) {
            Ok(()) => Some(url),
            Err(why) => {
                self.warn(variable, &value, format!("{why}; nothing is sent there"));
                None
            }
        }
    }
}

/// Says what is wrong with an endpoint's URL. gRPC's may have no scheme (`collector:4317`).
pub(super) fn check_url(url: &str, is_grpc: bool) -> Result<(), &'static str> {
    if is_grpc && !url.contains("://") {
        let authority: http::uri::Authority = url.parse().map_err(|_| "not a host and port, nor a URL")?;
        return if authority.host().is_empty() { Err("not a host and port, nor a URL") } else { Ok(()) };
    }
    let uri: http::Uri = url.parse().map_err(|_| "not a URL")?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http" | "https"), Some(host)) if !host.is_empty() => Ok(()),
        (None, _) => Err("the URL does not begin with http:// or https://"),
        _ => Err("not an http or https URL with a host"),
    }
}

/// Hides `user:password@` of a URL.
pub(crate) fn mask_userinfo(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..authority_end].rfind('@') {
        Some(at) => format!("{scheme}://…@{}", &rest[at + 1..]),
        None => text.to_owned(),
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| byte.and_then(|b| (b as char).to_digit(16));
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push((high * 16 + low) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

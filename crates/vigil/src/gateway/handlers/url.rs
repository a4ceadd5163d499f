//! URLs as far as fetching needs them. What is held against the policy is what is connected to and sent: both are made
//! of the same parts.

use crate::gateway::error::{BoxError, RuntimeError};
use http::Uri;
use vigil_core::policy::RequestTarget;
use vigil_core::vocab::ErrorType;

/// Where a request goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Url {
    pub(super) is_https: bool,
    /// In lower case; an IPv6 address in brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Begins with `/`.
    pub(super) path_and_query: String,
}

fn invalid(why: &'static str) -> BoxError {
    RuntimeError::new(ErrorType::INVALID_REQUEST, why).into()
}

impl Url {
    /// Reads an absolute URL. Its fragment is left out; user and password are refused.
    pub(super) fn parse(text: &str) -> Result<Self, BoxError> {
        let text = text.split('#').next().unwrap_or_default();
        let uri: Uri = text.parse().map_err(|_| invalid("not a URL"))?;
        let is_https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(invalid("the URL is of neither http nor https")),
        };
        let authority = uri.authority().ok_or_else(|| invalid("the URL has no host"))?;
        if authority.as_str().contains('@') {
            return Err(invalid("user and password do not belong into a URL; send a header"));
        }
        let port = match (authority.port_u16(), &authority.as_str()[authority.host().len()..]) {
            (Some(port), _) => port,
            (None, "" | ":") => {
                if is_https {
                    443
                } else {
                    80
                }
            }
            (None, _) => return Err(invalid("the URL has no host, or no port")),
        };
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() || port == 0 {
            return Err(invalid("the URL has no host, or no port"));
        }
        let path_and_query = uri.path_and_query().map_or("/", |path| path.as_str());
        let slash = if path_and_query.starts_with('/') { "" } else { "/" };
        Ok(Self { is_https, host, port, path_and_query: format!("{slash}{path_and_query}") })
    }

    /// Where `location`, as a server says it, leads from here.
    pub(super) fn join(&self, location: &str) -> Result<Self, BoxError> {
        let location = location.trim();
        let before_path = location.split(['/', '?', '#']).next().unwrap_or_default();
        let scheme = if self.is_https { "https" } else { "http" };
        if before_path.contains(':') {
            return Self::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{scheme}://{rest}"));
        }
        let (path, own_query) = self.path_and_query.split_once('?').unwrap_or((&self.path_and_query, ""));
        let relative = location.split('#').next().unwrap_or_default();
        let (to, query) = match relative.split_once('?') {
            Some((to, query)) => (to, Some(query)),
            None => (relative, None),
        };
        let (joined, query) = match to {
            "" => (path.to_owned(), query.or(Some(own_query).filter(|query| !query.is_empty()))),
            to if to.starts_with('/') => (without_dots(to), query),
            to => {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                (without_dots(&format!("{folder}/{to}")), query)
            }
        };
        let query = query.map_or_else(String::new, |query| format!("?{query}"));
        Self::parse(&format!("{scheme}://{}{joined}{query}", self.authority()))
    }

    /// The host, with its port where that is not the usual one.
    pub(super) fn authority(&self) -> String {
        let usual = if self.is_https { 443 } else { 80 };
        if self.port == usual { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// The host as a name or address to look up: without brackets.
    pub(super) fn host_to_look_up(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    pub(super) fn has_same_origin(&self, other: &Self) -> bool {
        (self.is_https, &self.host, self.port) == (other.is_https, &other.host, other.port)
    }

    pub(super) fn target<'a>(&'a self, method: &'a str) -> RequestTarget<'a> {
        let path = self.path_and_query.split('?').next().unwrap_or("/");
        RequestTarget { method, is_https: self.is_https, host: &self.host, port: self.port, path }
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http{}://{}{}", if self.is_https { "s" } else { "" }, self.authority(), self.path_and_query)
    }
}

/// A path without `.` and `..`.
fn without_dots(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    if path.ends_with("/.") || path.ends_with("/..") {
        parts.push("");
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(base: &str, location: &str) -> String {
        Url::parse(base)
            .and_then(|url| url.join(location))
            .map_or_else(|error| error.to_string(), |url| url.to_string())
    }

    #[test]
    fn urls_are_read_as_they_are_asked_for() {
        let url = Url::parse("HTTPS://Api.Example.com/a/b?q=1#part").unwrap();
        assert_eq!(url.to_string(), "https://api.example.com/a/b?q=1");
        assert_eq!((url.port, url.target("GET").path), (443, "/a/b"));
        assert_eq!(Url::parse("http://[::1]:8080?x").unwrap().to_string(), "http://[::1]:8080/?x");
        assert_eq!(Url::parse("http://[::1]:8080").unwrap().host_to_look_up(), "::1");
        for bad in [
            "",
            "a/b",
            "ftp://h/",
            "http://",
            "http://u:p@h/",
            "http://h:0/",
            "http://h:x/",
            "http://a b/",
            "file:///etc/passwd",
        ] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn redirects_lead_where_a_browser_would_go() {
        let base = "http://h:8080/a/b?q=1";
        for (location, expected) in [
            ("https://other/x", "https://other/x"),
            ("//other/x", "http://other/x"),
            ("/x/./y/../z", "http://h:8080/x/z"),
            ("c?d=2", "http://h:8080/a/c?d=2"),
            ("../../../x", "http://h:8080/x"),
            ("?e", "http://h:8080/a/b?e"),
            ("", "http://h:8080/a/b?q=1"),
            ("#part", "http://h:8080/a/b?q=1"),
            ("x/..", "http://h:8080/a/"),
            ("c?to=http://other:1/", "http://h:8080/a/c?to=http://other:1/"),
            ("javascript:alert(1)", "the URL is of neither http nor https"),
            ("file:///etc/passwd", "not a URL"),
        ] {
            assert_eq!(joined(base, location), expected, "{location}");
        }
    }
}

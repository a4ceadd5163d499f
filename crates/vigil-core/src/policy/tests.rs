use super::*;

/// Everything the form has.
const WHOLE: &str = r#"{
  "schema_version": 1,
  "default_allow": false,
  "rules": {
    "net.fetch": { "allow": true, "budget": 50 },
    "fs.read": { "allow": true },
    "fs.write": { "budget": 3 },
    "llm.call": { "allow": false }
  },
  "net_policy": {
    "allowed_domains": ["*.example.com", "localhost:8080"],
    "allowed_methods": ["GET", "POST"],
    "allowed_paths": ["/v1/**"],
    "allow_private_addresses": false,
    "allow_plain_http": false,
    "allow_redirects": false,
    "max_redirects": 2,
    "max_request_bytes": 1000,
    "max_response_bytes": 2000,
    "timeout_ms": 1500
  },
  "fs_policy": {
    "read": ["/srv/data/**"],
    "write": ["out/*.md"],
    "max_read_bytes": 10,
    "max_write_bytes": 20
  },
  "process_policy": {
    "commands": ["git log *"],
    "folders": ["/srv/**"],
    "environment": ["PATH", "HOME"],
    "max_output_bytes": 30,
    "timeout_ms": 40
  }
}"#;

fn error(text: &str) -> String {
    Policy::parse(text).unwrap_err().to_string()
}

#[test]
fn b12_every_field_of_the_form_is_read() {
    let policy = Policy::parse(WHOLE).unwrap();
    assert_eq!(policy.rules["net.fetch"], Rule { allow: true, budget: 50 });
    assert_eq!(policy.rules["fs.write"], Rule { allow: true, budget: 3 });
    assert_eq!(policy.rules["llm.call"], Rule { allow: false, budget: 0 });
    assert!(!policy.default_allow);
    let net = &policy.net;
    assert_eq!(
        net.allowed_domains.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["*.example.com", "localhost:8080"]
    );
    assert_eq!(net.allowed_methods, ["GET", "POST"]);
    assert!(!net.allow_private_addresses && !net.allow_plain_http && !net.allow_redirects);
    assert_eq!(
        (net.max_redirects, net.max_request_bytes, net.max_response_bytes, net.timeout_ms),
        (2, 1000, 2000, 1500)
    );
    assert_eq!((policy.files.max_read_bytes, policy.files.max_write_bytes), (10, 20));
    assert_eq!(policy.files.write[0].to_string(), "out/*.md");
    assert_eq!(policy.processes.environment, ["PATH", "HOME"]);
    assert_eq!((policy.processes.max_output_bytes, policy.processes.timeout_ms), (30, 40));
}

#[test]
fn b12_what_the_form_leaves_out_has_the_defaults_of_the_original() {
    let policy = Policy::parse("{}").unwrap();
    assert_eq!(policy, Policy::deny_all());
    assert!(!policy.rule("fs.read").allowed);
    assert!(policy.net.allow_redirects);
    assert_eq!((policy.net.max_response_bytes, policy.net.timeout_ms), (10_485_760, 30_000));
    assert_eq!(
        Policy::parse(r#"{"default_allow": true}"#).unwrap().rule("anything"),
        Ruling { allowed: true, clause: Clause::DefaultAllow, budget: None }
    );
}

#[test]
fn whatever_is_unknown_is_an_error_that_names_it_and_its_place() {
    for (text, message) in [
        (r#"{"rulez": {}}"#, "line 1, column 2: rulez: unknown field; was `rules` meant?"),
        (
            "{\n  \"rules\": {\n    \"fs.read\": { \"allow\": true, \"budgt\": 1 }\n  }\n}",
            "line 3, column 33: rules.fs.read.budgt: unknown field; was `budget` meant?",
        ),
        (
            r#"{"rules": {"net": {"allow": true}}}"#,
            "line 1, column 12: rules.net: unknown capability; was `net.fetch` meant?",
        ),
        (
            r#"{"rules": {"fs.raed": {"allow": true}}}"#,
            "line 1, column 12: rules.fs.raed: unknown capability; was `fs.read` meant?",
        ),
        (r#"{"rules": {"acme.search": {}}}"#, "line 1, column 12: rules.acme.search: unknown capability"),
        (r#"{"schema_version": 2}"#, "line 1, column 20: schema_version: not a known version; 1 is"),
        (
            r#"{"net_policy": {"allowed_domain": []}}"#,
            "line 1, column 17: net_policy.allowed_domain: unknown field; was `allowed_domains` meant?",
        ),
        (r#"{"fs_policy": {"execute": []}}"#, "line 1, column 16: fs_policy.execute: unknown field"),
        (r#"{"process_policy": {"shell": true}}"#, "line 1, column 21: process_policy.shell: unknown field"),
        (r#"{"default_allow": true, "default_allow": false}"#, "line 1, column 25: default_allow: is there twice"),
    ] {
        assert_eq!(error(text), message);
    }
}

#[test]
fn whatever_has_the_wrong_form_is_an_error_at_its_place() {
    for (text, message) in [
        ("", "line 1, column 1: the text ends too early"),
        ("[]", "line 1, column 1: a map in { } is wanted here"),
        ("{} x", "line 1, column 4: something follows the end of the policy"),
        ("{\"rules\": {}\n \"net_policy\": {}}", "line 2, column 2: `,` or `}` is wanted here"),
        ("{\"é\": 01}", "line 1, column 7: a number does not begin with 0"),
        (r#"{"default_allow": "yes"}"#, "line 1, column 19: default_allow: true or false is wanted here"),
        (
            r#"{"rules": {"random": {"budget": -1}}}"#,
            "line 1, column 33: rules.random.budget: a whole number, 0 or more is wanted here",
        ),
        (
            r#"{"rules": {"random": {"budget": 1.5}}}"#,
            "line 1, column 33: rules.random.budget: a whole number, 0 or more is wanted here",
        ),
        (
            r#"{"rules": {"random": {"allow": false, "budget": 2}}}"#,
            "line 1, column 22: rules.random: a budget for what is not allowed; remove one of the two",
        ),
        (
            r#"{"net_policy": {"timeout_ms": 0}}"#,
            "line 1, column 31: net_policy.timeout_ms: a whole number, 1 or more is wanted here",
        ),
        (
            r#"{"net_policy": {"allowed_methods": ["get"]}}"#,
            "line 1, column 37: net_policy.allowed_methods[0]: a method in capitals is wanted here",
        ),
        (
            r#"{"net_policy": {"allowed_domains": ["a.b", "https://a.b"]}}"#,
            "line 1, column 44: net_policy.allowed_domains[1]: a host is wanted, not a URL",
        ),
        (
            r#"{"fs_policy": {"read": ["data/../etc"]}}"#,
            "line 1, column 25: fs_policy.read[0]: a pattern has no `.` or `..`: it is compared with resolved paths",
        ),
    ] {
        assert_eq!(error(text), message);
    }
    assert_eq!(Policy::parse(&" ".repeat(MAX_POLICY_BYTES + 1)).unwrap_err().problem, PolicyProblem::TooLong);
    assert!(error(&"[".repeat(100_000)).contains("nested too deep"));
}

#[test]
fn no_text_whatever_makes_the_reader_panic() {
    // Every cut of a whole policy, every byte of it replaced, and every escape.
    for at in 0..WHOLE.len() {
        drop(Policy::parse(&WHOLE[..at]));
        for with in ["\"", "{", "]", "\\", "\u{0}", "é", "9e9"] {
            drop(Policy::parse(&format!("{}{with}{}", &WHOLE[..at], &WHOLE[at + 1..])));
        }
    }
    for escape in ["\\u12", "\\ud800", "\\ud800\\u0041", "\\udc00", "\\u00e9", "\\x", "\\", "\\ud83d\\ude00", "\\uéé"]
    {
        drop(Policy::parse(&format!("{{\"{escape}\": 1}}")));
    }
    assert!(error(r#"{"\ud83d\ude00": 1}"#).contains("😀: unknown field"));
}

#[test]
fn a_program_has_capabilities_of_its_own() {
    let text = r#"{"rules": {"acme.search": {"budget": 2}}}"#;
    assert_eq!(parse_with(text, &["acme.search"]).unwrap().rule("acme.search").budget, Some(2));
    assert!(parse_with(text, &["acme.serch"]).unwrap_err().to_string().contains("was `acme.serch` meant?"));
}

#[test]
fn a_ruling_says_which_rule_made_it() {
    let policy = Policy::parse(WHOLE).unwrap();
    for (capability, words) in [
        ("net.fetch", "allowed by its rule, 50 times"),
        ("fs.read", "allowed by its rule"),
        ("llm.call", "denied: its rule says so"),
        ("random", "denied: it has no rule, and default_allow is false"),
    ] {
        assert_eq!(policy.rule(capability).to_string(), words);
    }
    assert_eq!(Policy::allow_all().rule("random").to_string(), "allowed by default_allow");
    let denied = Denied { capability: "net.fetch".into(), clause: Clause::Domains };
    assert_eq!(denied.to_string(), "net.fetch is denied: the host matches nothing in net_policy.allowed_domains");
    assert_eq!(Clause::Domains.field(), "net_policy.allowed_domains");
}

fn host(pattern: &str, host: &str, port: u16) -> bool {
    pattern.parse::<HostPattern>().unwrap().matches(host, port)
}

#[test]
fn host_patterns_match_whole_labels_and_nothing_that_only_looks_alike() {
    assert!(host("*.example.com", "api.example.com", 443));
    assert!(host("*.example.com", "a.b.EXAMPLE.com.", 443));
    assert!(!host("*.example.com", "example.com", 443));
    assert!(!host("*.example.com", "evil-example.com", 443));
    assert!(!host("*.example.com", "example.com.evil.net", 443));
    assert!(host("example.com", "Example.Com", 80));
    assert!(!host("example.com", "www.example.com", 80));
    assert!(host("eu-*.example.com", "eu-1.example.com", 80));
    assert!(!host("eu-*.example.com", "eu-1.x.example.com", 80));
    assert!(host("*", "anything.at.all", 1));
    assert!(host("*", "10.0.0.1", 1));
    assert!(host("localhost:8080", "localhost", 8080));
    assert!(!host("localhost:8080", "localhost", 80));
    assert!(host("[::1]:80", "[::1]", 80));
    assert!(!host("*.0.0.1", "127.0.0.1", 80));
    for bad in ["", ".", "a..b", "http://a", "a/b", "user@a", "bücher.example", "a:0", "a:99999", "*.", "a b"] {
        assert!(bad.parse::<HostPattern>().is_err(), "{bad}");
    }
}

#[test]
fn url_paths_that_can_be_read_in_two_ways_match_nothing() {
    let pattern: UrlPathPattern = "/public/**".parse().unwrap();
    assert!(pattern.matches("/public/a/b") && pattern.matches("/public/"));
    for path in [
        "/private",
        "/public/../private",
        "/public/%2e%2e/private",
        "/public/%2E./x",
        "/public\\..\\x",
        "/public/a%2Fb",
        "public/a",
    ] {
        assert!(!pattern.matches(path), "{path}");
    }
    assert!("/v1/*/messages".parse::<UrlPathPattern>().unwrap().matches("/v1/x/messages"));
    assert!(!"/v1/*/messages".parse::<UrlPathPattern>().unwrap().matches("/v1/x/y/messages"));
}

#[test]
fn file_patterns_keep_to_their_folder() {
    let matches = |pattern: &str, path: &str| pattern.parse::<PathPattern>().unwrap().matches(path);
    assert!(matches("/srv/data/**", "/srv/data/a/b.txt"));
    assert!(!matches("/srv/data/**", "/srv/data2/a"));
    assert!(!matches("/srv/data/**", "/srv"));
    assert!(matches("/srv/*.md", "/srv/report.md"));
    assert!(!matches("/srv/*.md", "/srv/a/report.md"));
    assert!(matches("/**/report.md", "/a/b/report.md"));
    assert!(matches("/**", "/etc/passwd"));
    // Relative until it is anchored.
    let relative: PathPattern = "out/*.md".parse().unwrap();
    assert!(!relative.matches("/srv/out/a.md") && !relative.matches("out/a.md"));
    assert!(relative.anchored("/srv").matches("/srv/out/a.md"));
    // A folder's own name is no pattern.
    assert!(!relative.anchored("/s*v").matches("/srv/out/a.md"));
}

#[test]
fn a_pattern_through_a_link_is_compared_as_what_the_link_means() {
    let real = |path: &str| (path == "/tmp").then(|| "/private/tmp".to_owned());
    let pattern: PathPattern = "/tmp/x/**".parse().unwrap();
    let pattern = pattern.resolved(real);
    assert!(pattern.matches("/private/tmp/x/a") && !pattern.matches("/tmp/x/a"));
    let pattern: PathPattern = "/*/x".parse().unwrap();
    assert!(pattern.resolved(real).matches("/tmp/x"));
}

#[test]
fn commands_match_word_by_word() {
    let matches = |pattern: &str, words: &[&str]| {
        pattern.parse::<CommandPattern>().unwrap().matches_arguments(words.iter().copied())
    };
    assert!(matches("git log *", &["log"]) && matches("git log *", &["log", "-1", "--stat"]));
    assert!(!matches("git log *", &["push"]) && !matches("git log *", &[]));
    assert!(matches("sh check.sh", &["check.sh"]) && !matches("sh check.sh", &["check.sh", "; id"]));
    assert!(matches("cat *.md", &["a.md"]) && !matches("cat *.md", &["a.md", "/etc/passwd"]));
    assert!(matches("ls", &[]) && !matches("ls", &["-l"]));
    assert!("* x".parse::<CommandPattern>().is_err() && "".parse::<CommandPattern>().is_err());
}

#[test]
fn only_addresses_of_the_public_internet_are_public() {
    for private in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001:db8::1",
        "2001::1",
        "5f00::1",
    ] {
        assert!(!is_public(private.parse().unwrap()), "{private}");
    }
    for public in [
        "8.8.8.8",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ] {
        assert!(is_public(public.parse().unwrap()), "{public}");
    }
}

#[test]
fn requests_files_and_commands_are_held_against_their_sections() {
    let policy = Policy::parse(WHOLE).unwrap();
    let target = RequestTarget { method: "GET", is_https: true, host: "api.example.com", port: 443, path: "/v1/x" };
    assert_eq!(policy.check_request(target), Ok(()));
    for (target, clause) in [
        (RequestTarget { is_https: false, ..target }, Clause::PlainHttp),
        (RequestTarget { method: "DELETE", ..target }, Clause::Methods),
        (RequestTarget { host: "example.org", ..target }, Clause::Domains),
        (RequestTarget { path: "/v2", ..target }, Clause::UrlPaths),
    ] {
        assert_eq!(policy.check_request(target), Err(clause));
    }
    assert_eq!(policy.check_address([127, 0, 0, 1].into()), Err(Clause::PrivateAddresses));
    assert_eq!(Policy::allow_all().check_address([127, 0, 0, 1].into()), Ok(()));
    assert_eq!(policy.check_file(FileAccess::Read, "/srv/data/a"), Ok(()));
    assert_eq!(policy.check_file(FileAccess::Read, "/etc/passwd"), Err(Clause::Read));
    assert_eq!(policy.check_file(FileAccess::Write, "/srv/data/a"), Err(Clause::Write));
    let command = |program: &str, words: [&'static str; 1]| policy.check_command(|own| own == program, words);
    assert_eq!(command("git", ["log"]), Ok(()));
    assert_eq!(command("evil", ["log"]), Err(Clause::Commands));
    assert_eq!(policy.check_folder("/home"), Err(Clause::Folders));
}

#[test]
fn a_pattern_made_to_be_slow_is_not() {
    let pattern = "/".to_owned() + &"*a".repeat(200);
    let text = "/".to_owned() + &"a".repeat(10_000) + "b";
    assert!(!pattern.parse::<UrlPathPattern>().unwrap().matches(&text));
}

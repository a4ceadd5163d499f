//! Fetching behind the gateway, over real sockets: hosts, addresses, redirects, sizes and times.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests fail, and start threads")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use vigil::gateway::{Answer, Fetch, FetchRequest, FetchResponse, Gateway, GatewayError, Policy};
use vigil::testing;

/// A server that answers by path, and keeps what it was asked.
struct Site {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// `answer` makes of a path everything that is sent back.
    fn new(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let (kept, answer) = (requests.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (kept.clone(), answer.clone());
                std::thread::spawn(move || serve(&stream, &kept, &*answer));
            }
        });
        Self { address, requests }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.address.port())
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, kept: &Mutex<Vec<String>>, answer: &dyn Fn(&str) -> String) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    kept.lock().unwrap().push(head + &String::from_utf8_lossy(&body));
    let answer = answer(&path);
    // Whoever asked may have had enough.
    drop({ stream }.write_all(answer.as_bytes()));
    if path == "/hang" {
        std::thread::sleep(Duration::from_secs(30));
    }
}

fn page(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

/// What a policy with this network section says, on a machine whose servers are all on the loopback.
fn gateway(net: &str) -> Gateway {
    let policy = format!(r#"{{ "rules": {{ "net.fetch": {{ "budget": 100 }} }}, "net_policy": {{ {net} }} }}"#);
    Gateway::new(Policy::parse(&policy).unwrap())
}

const PRIVATE: &str = r#""allow_private_addresses": true"#;

fn fetch(gateway: &Gateway, fetch: &Fetch, request: FetchRequest) -> Result<FetchResponse, String> {
    let telemetry = testing::recorder();
    let span = telemetry.turn_span(1);
    gateway.run(&span, fetch, request).map_err(|error| match error {
        GatewayError::Denied(denied) => format!("denied {:?}", denied.clause),
        GatewayError::Runtime(error) => format!("failed {}", error.error_type),
        other => other.to_string(),
    })
}

#[test]
fn a_page_is_fetched_with_its_status_headers_and_body() {
    let site = Site::new(|path| match path {
        "/page?q=1" => page("200 OK", "x-kind: test\r\n", "the page"),
        _ => page("404 Not Found", "", "nothing here"),
    });
    let (gateway, client) = (gateway(PRIVATE), Fetch::new());
    let answer = fetch(&gateway, &client, FetchRequest::get(site.url("/page?q=1#part")).header("accept", "text/html"));
    let answer = answer.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"the page"[..]));
    assert_eq!((answer.header("X-Kind"), answer.url.as_str()), (Some("test"), site.url("/page?q=1").as_str()));
    assert_eq!(fetch(&gateway, &client, FetchRequest::get(site.url("/other"))).unwrap().status, 404);
    let head = site.requests()[0].clone();
    assert!(head.starts_with("GET /page?q=1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: 127.0.0.1:{}\r\n", site.address.port())), "{head}");
    assert!(head.contains("accept: text/html\r\n") && head.contains("user-agent: Vigil/"), "{head}");
    assert_eq!(FetchResponse::from_record(&answer.to_record()), Some(answer));
}

#[test]
fn a_body_is_sent_and_answers_of_every_shape_are_read() {
    let site = Site::new(|path| match path {
        "/chunked" => {
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n".to_owned()
        }
        "/closed" => "HTTP/1.1 200 OK\r\n\r\nuntil the end".to_owned(),
        "/cut" => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nnot all".to_owned(),
        "/gibberish" => "what?\r\n\r\n".to_owned(),
        _ => page("201 Created", "", ""),
    });
    let (gateway, client) = (gateway(PRIVATE), Fetch::new());
    let get = |path: &str| fetch(&gateway, &client, FetchRequest::get(site.url(path)));
    assert_eq!(get("/chunked").unwrap().body, b"abcde");
    assert_eq!(get("/closed").unwrap().body, b"until the end");
    assert_eq!(get("/cut"), Err("failed connection_failed".to_owned()));
    assert_eq!(get("/gibberish"), Err("failed invalid_response".to_owned()));
    assert_eq!(fetch(&gateway, &client, FetchRequest::post(site.url("/"), "sent")).unwrap().status, 201);
    let posted = site.requests().pop().unwrap();
    assert!(posted.starts_with("POST / ") && posted.ends_with("\r\n\r\nsent"), "{posted}");
}

#[test]
fn names_and_addresses_of_private_places_are_refused_before_anything_is_sent() {
    let site = Site::new(|_| page("200 OK", "", "metadata"));
    let port = site.address.port();
    let (gateway, client) = (gateway(""), Fetch::new());
    let hosts =
        ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f000001", "0.0.0.0"];
    let mut begun = 0;
    for host in hosts {
        let result = fetch(&gateway, &client, FetchRequest::get(format!("http://{host}:{port}/"))).unwrap_err();
        // What a lookup makes of odd forms is the machine's business, as long as nothing is asked.
        let not_found = result == "failed connection_failed";
        assert!(result == "denied PrivateAddresses" || not_found, "{host}: {result}");
        begun += u64::from(not_found);
    }
    // Refusals cost nothing of the budget.
    assert_eq!(gateway.calls_left("net.fetch"), Some(100 - begun));
    assert!(site.requests().is_empty());
}

#[test]
fn a_public_name_that_resolves_to_a_private_address_is_refused_at_every_lookup() {
    let site = Site::new(|_| page("200 OK", "", "metadata"));
    let gateway = gateway(r#""allowed_domains": ["*.example.com"]"#);
    let address = site.address;
    let client = Fetch::with_resolver(move |_, _| Ok(vec![address]));
    let result = fetch(&gateway, &client, FetchRequest::get("http://rebound.example.com/"));
    assert_eq!(result, Err("denied PrivateAddresses".to_owned()));
    // Of several addresses only those that are allowed are tried: nothing listens at the public one.
    let client = Fetch::with_resolver(move |_, _| Ok(vec![address, "192.0.2.1:80".parse().unwrap()]));
    assert_eq!(
        fetch(&gateway, &client, FetchRequest::get("http://both.example.com/")),
        Err("denied PrivateAddresses".to_owned())
    );
    assert!(site.requests().is_empty());
}

#[test]
fn what_is_connected_to_is_what_was_looked_at() {
    let site = Site::new(|_| page("200 OK", "", "first"));
    let address = site.address;
    let lookups = Arc::new(Mutex::new(0));
    let counted = lookups.clone();
    // Says something else the second time, as one does who wants to get round a check.
    let client = Fetch::with_resolver(move |_, _| {
        let mut count = counted.lock().unwrap();
        *count += 1;
        Ok(vec![if *count == 1 { address } else { "127.0.0.1:1".parse().unwrap() }])
    });
    assert_eq!(
        fetch(&gateway(PRIVATE), &client, FetchRequest::get("http://once.example.com/")).unwrap().body,
        b"first"
    );
    assert_eq!(*lookups.lock().unwrap(), 1);
}

#[test]
fn hosts_methods_paths_and_encryption_are_held_against_the_policy() {
    let site = Site::new(|_| page("200 OK", "", "fine"));
    let port = site.address.port();
    let net = format!(
        r#"{PRIVATE}, "allowed_domains": ["127.0.0.1:{port}"], "allowed_methods": ["GET"], "allowed_paths": ["/public/**"]"#
    );
    let (gateway, client) = (gateway(&net), Fetch::new());
    assert!(fetch(&gateway, &client, FetchRequest::get(site.url("/public/a"))).is_ok());
    for (request, refusal) in [
        (FetchRequest::get(format!("http://localhost:{port}/public/a")), "denied Domains"),
        (FetchRequest::get("http://127.0.0.1:1/public/a"), "denied Domains"),
        (FetchRequest::post(site.url("/public/a"), ""), "denied Methods"),
        (FetchRequest::get(site.url("/private")), "denied UrlPaths"),
        (FetchRequest::get(site.url("/public/../private")), "denied UrlPaths"),
        (FetchRequest::get(site.url("/public/%2e%2e/private")), "denied UrlPaths"),
    ] {
        let words = format!("{request:?}");
        assert_eq!(fetch(&gateway, &client, request), Err(refusal.to_owned()), "{words}");
    }
    let encrypted_only = self::gateway(r#""allow_private_addresses": true, "allow_plain_http": false"#);
    let refused = fetch(&encrypted_only, &client, FetchRequest::get(site.url("/public/a")));
    assert_eq!(refused, Err("denied PlainHttp".to_owned()));
    assert_eq!(site.requests().len(), 1);
}

#[test]
fn every_hop_of_a_redirect_is_held_against_the_policy() {
    let inner = Site::new(|_| page("200 OK", "", "internal"));
    let inside = format!("http://localhost:{}/admin", inner.address.port());
    let site = Site::new(move |path| match path {
        "/in" => page("302 Found", &format!("location: {inside}\r\n"), ""),
        "/file" => page("302 Found", "location: file:///etc/passwd\r\n", ""),
        "/loop" => page("302 Found", "location: /loop\r\n", ""),
        "/twice" => page("301 Moved", "location: step/../once\r\n", ""),
        "/once" => page("303 See Other", "location: /end\r\n", ""),
        "/end" => page("200 OK", "", "the end"),
        _ => page("404 Not Found", "", ""),
    });
    let net = format!(r#"{PRIVATE}, "allowed_domains": ["127.0.0.1"], "max_redirects": 2"#);
    let (gateway, client) = (gateway(&net), Fetch::new());
    let get = |path: &str| fetch(&gateway, &client, FetchRequest::get(site.url(path)));
    let end = get("/twice").unwrap();
    assert_eq!((end.body.as_slice(), end.url), (&b"the end"[..], site.url("/end")));
    assert_eq!(get("/in"), Err("denied Domains".to_owned()));
    assert_eq!(get("/file"), Err("failed invalid_request".to_owned()));
    assert_eq!(get("/loop"), Err("denied Redirects".to_owned()));
    assert!(inner.requests().is_empty());
    // Not followed at all: the redirect is the answer.
    let still = self::gateway(&format!(r#"{PRIVATE}, "allow_redirects": false"#));
    let answer = fetch(&still, &client, FetchRequest::get(site.url("/twice"))).unwrap();
    assert_eq!((answer.status, answer.header("location")), (301, Some("step/../once")));
}

#[test]
fn secrets_and_bodies_do_not_follow_a_redirect_to_somewhere_else() {
    let other = Site::new(|_| page("200 OK", "", "caught"));
    let away = other.url("/catch");
    let site = Site::new(move |path| match path {
        "/away" => page("302 Found", &format!("location: {away}\r\n"), ""),
        "/away-kept" => page("307 Temporary", &format!("location: {away}\r\n"), ""),
        _ => page("200 OK", "", ""),
    });
    let (gateway, client) = (gateway(PRIVATE), Fetch::new());
    for path in ["/away", "/away-kept"] {
        let request = FetchRequest::post(site.url(path), "the body")
            .header("authorization", "Bearer secret")
            .header("cookie", "id=secret")
            .header("x-api-key", "secret")
            .header("accept", "text/plain");
        assert_eq!(fetch(&gateway, &client, request).unwrap().body, b"caught");
    }
    let [first, second] = <[String; 2]>::try_from(other.requests()).unwrap();
    assert!(!first.contains("secret") && !second.contains("secret"), "{first}{second}");
    assert!(first.starts_with("GET /catch") && first.contains("accept: text/plain") && !first.contains("the body"));
    // 307 says that the same is to be asked elsewhere.
    assert!(second.starts_with("POST /catch") && second.ends_with("the body"), "{second}");
}

#[test]
fn sizes_and_times_are_limited() {
    let site = Site::new(|path| match path {
        "/announced" => page("200 OK", "", &"x".repeat(2_000)),
        "/chunked" => {
            let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500));
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(5))
        }
        "/endless" => format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(1 << 20)),
        "/hang" => String::new(),
        _ => page("200 OK", "", &"x".repeat(1_000)),
    });
    let net = format!(r#"{PRIVATE}, "max_response_bytes": 1000, "max_request_bytes": 10, "timeout_ms": 400"#);
    let (gateway, client) = (gateway(&net), Fetch::new());
    let get = |path: &str| fetch(&gateway, &client, FetchRequest::get(site.url(path)));
    assert_eq!(get("/").unwrap().body.len(), 1_000);
    for path in ["/announced", "/chunked", "/endless"] {
        assert_eq!(get(path), Err("failed response_too_large".to_owned()), "{path}");
    }
    let started = Instant::now();
    assert_eq!(get("/hang"), Err("failed timeout".to_owned()));
    assert!(started.elapsed() < Duration::from_secs(5));
    let long = FetchRequest::post(site.url("/"), "x".repeat(11));
    assert_eq!(fetch(&gateway, &client, long), Err("denied RequestBytes".to_owned()));
    // A lookup that hangs is given up too.
    let slow = Fetch::with_resolver(|_, _| {
        std::thread::sleep(Duration::from_secs(5));
        Ok(Vec::new())
    });
    let started = Instant::now();
    assert_eq!(fetch(&gateway, &slow, FetchRequest::get("http://slow.example.com/")), Err("failed timeout".to_owned()));
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[test]
fn what_is_no_request_is_refused_and_what_cannot_be_reached_is_told() {
    let (gateway, client) = (gateway(PRIVATE), Fetch::new());
    for request in [
        FetchRequest::get("not a url"),
        FetchRequest::get("ftp://127.0.0.1/"),
        FetchRequest::get("http://user:password@127.0.0.1/"),
        FetchRequest::new("BAD METHOD", "http://127.0.0.1/"),
        FetchRequest::get("http://127.0.0.1/").header("host", "elsewhere"),
        FetchRequest::get("http://127.0.0.1/").header("Transfer-Encoding", "chunked"),
        FetchRequest::get("http://127.0.0.1/").header("a b", "c"),
        FetchRequest::get("http://127.0.0.1/").header("a", "b\r\nc: d"),
    ] {
        let words = format!("{request:?}");
        assert_eq!(fetch(&gateway, &client, request), Err("failed invalid_request".to_owned()), "{words}");
    }
    for url in ["http://127.0.0.1:1/", "https://127.0.0.1:1/", "http://no-such-host.invalid/"] {
        assert_eq!(
            fetch(&gateway, &client, FetchRequest::get(url)),
            Err("failed connection_failed".to_owned()),
            "{url}"
        );
    }
    let plain = Site::new(|_| page("200 OK", "", ""));
    let encrypted = plain.url("/").replace("http:", "https:");
    assert_eq!(fetch(&gateway, &client, FetchRequest::get(encrypted)), Err("failed connection_failed".to_owned()));
}

#[tokio::test(flavor = "current_thread")]
async fn fetching_is_the_same_inside_a_runtime_with_one_thread() {
    let site = Site::new(|path| if path == "/hang" { String::new() } else { page("200 OK", "", path) });
    let (gateway, client) = (gateway(PRIVATE), Fetch::new());
    let telemetry = testing::recorder();
    let turn = telemetry.turn_span(1);
    let get =
        async |path: &str| gateway.run_async(&turn, &client, FetchRequest::get(site.url(path))).await.unwrap().body;
    let (one, two) = tokio::join!(get("/one"), get("/two"));
    assert_eq!((one.as_slice(), two.as_slice()), (&b"/one"[..], &b"/two"[..]));
    // Also the one that holds up the thread: it has a thread of its own to wait for.
    assert_eq!(gateway.run(&turn, &client, FetchRequest::get(site.url("/three"))).unwrap().body, b"/three");
    // Given up half way.
    let hang = gateway.run_async(&turn, &client, FetchRequest::get(site.url("/hang")));
    assert!(tokio::time::timeout(Duration::from_millis(50), hang).await.is_err());
    assert_eq!(gateway.calls_left("net.fetch"), Some(96));
    telemetry.recorded().verify_contract().unwrap();
}

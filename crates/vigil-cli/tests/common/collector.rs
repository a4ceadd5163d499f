//! A collector to deliver to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A collector that takes everything, `delay` late, and keeps the paths it was asked for.
pub(crate) struct Collector {
    pub(crate) url: String,
    /// The paths it was asked for.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
}

impl Collector {
    pub(crate) fn start(address: SocketAddr, delay: Duration) -> Self {
        Self::answering(address, delay, |_| "200 OK")
    }

    /// One that answers each path as `answer` says.
    pub(crate) fn answering(address: SocketAddr, delay: Duration, answer: fn(&str) -> &'static str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (mut connection, kept) = (connection.unwrap(), Arc::clone(&kept));
                thread::spawn(move || {
                    let mut reader = BufReader::new(connection.try_clone().unwrap());
                    loop {
                        let mut head = String::new();
                        while !head.ends_with("\r\n\r\n") {
                            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                                return;
                            }
                        }
                        let lower = head.to_ascii_lowercase();
                        let length =
                            lower.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
                        let mut body = vec![0; length.unwrap_or(0)];
                        reader.read_exact(&mut body).unwrap();
                        thread::sleep(delay);
                        let path = head.split(' ').nth(1).unwrap().to_owned();
                        let answer = format!("HTTP/1.1 {}\r\ncontent-length: 0\r\n\r\n", answer(&path));
                        if head.starts_with("POST") {
                            kept.lock().unwrap().push(path);
                        }
                        if connection.write_all(answer.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, asked }
    }

    pub(crate) fn has_spans(&self) -> bool {
        self.asked.lock().unwrap().iter().any(|path| path == "/v1/traces")
    }
}

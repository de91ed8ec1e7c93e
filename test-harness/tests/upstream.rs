//! The upstream and the client, each as the other sees it.

use std::io::Write;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use jobgate_harness::client::{self, Body, Request};
use jobgate_harness::upstream::{Echo, Upstream};

const TIMEOUT: Duration = Duration::from_secs(20);

fn exchange(request: &Request) -> Echo {
    let upstream = Upstream::start().unwrap();
    let response = request.send(upstream.addr()).unwrap();
    assert_eq!(response.status, 200);
    let echo = response.json().unwrap();
    assert_eq!(upstream.requests(), [echo]);
    assert_eq!(upstream.count(), 1);
    upstream.requests().remove(0)
}

#[test]
fn repeated_and_odd_headers_arrive_as_they_were_sent() {
    let echo = exchange(
        &Request::new("GET", "/")
            .header("x_jobgate_branch", "underscores")
            .header("X-Jobgate-Branch", "one")
            .header("x-empty", "")
            .header("x-jobgate-branch", "two")
            .header("x-bytes", b"caf\xe9 \xc3\xa9".as_slice()),
    );
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        echo.headers,
        [
            pair("host", "gate.test"),
            pair("x_jobgate_branch", "underscores"),
            pair("x-jobgate-branch", "one"),
            pair("x-jobgate-branch", "two"),
            pair("x-empty", ""),
            pair("x-bytes", "caf\\xe9 é"),
        ]
    );
    assert_eq!(echo.header("x-jobgate-branch"), ["one", "two"]);
}

#[test]
fn a_target_is_neither_decoded_nor_normalised() {
    for target in [
        "/a/../b//c/./%2e%2e/%2F;x?q=%00&q=/../",
        "//elsewhere/a",
        r"/a\..\b",
        "http://elsewhere.test/a/../b",
    ] {
        assert_eq!(exchange(&Request::new("GET", target)).path, target);
    }
}

#[test]
fn any_method_is_taken() {
    assert_eq!(exchange(&Request::new("PROPFIND", "/")).method, "PROPFIND");
    let upstream = Upstream::start().unwrap();
    let response = Request::new("HEAD", "/").send(upstream.addr()).unwrap();
    assert_eq!((response.status, response.body.len()), (200, 0));
}

#[test]
fn a_body_and_its_trailers_are_read() {
    let sized = Request::new("POST", "/").body(Body::Sized(vec![b'x'; 300_000]));
    assert_eq!(exchange(&sized).body_bytes, 300_000);

    let chunked = Request::new("POST", "/").body(Body::Chunked {
        chunks: vec![b"ab".into(), Vec::new(), b"cde".into()],
        trailers: vec![(b"x-jobgate-rule".into(), b"late".into())],
    });
    let echo = exchange(&chunked);
    assert_eq!(echo.body_bytes, 5);
    assert_eq!(
        echo.trailers,
        [("x-jobgate-rule".to_owned(), "late".to_owned())]
    );
}

#[test]
fn a_huge_header_arrives_whole() {
    let value = "x".repeat(100_000);
    let echo = exchange(&Request::new("GET", "/").header("x-huge", value.as_str()));
    assert_eq!(echo.header("x-huge"), [value]);
}

#[test]
fn what_is_not_http_is_counted_too() {
    let upstream = Upstream::start().unwrap();
    let response = client::send_bytes(
        upstream.addr(),
        b"GET / HTTP/1.1\r\nbad name: x\r\n\r\n",
        TIMEOUT,
    );
    assert_eq!(response.unwrap().status, 400);
    // The server counts it once it has hung up, which is after the answer.
    let deadline = Instant::now() + TIMEOUT;
    while upstream.count() == 0 && Instant::now() < deadline {
        thread::yield_now();
    }
    assert_eq!((upstream.count(), upstream.requests().len()), (1, 0));
}

#[test]
fn the_clients_bytes_are_those_it_was_given() {
    let request = Request::new("GET", "/\x00 x")
        .header(b"\xff".as_slice(), b"\r".as_slice())
        .body(Body::Unframed(b"tail".into()));
    assert_eq!(
        request.encode(),
        b"GET /\x00 x HTTP/1.1\r\nhost: gate.test\r\n\xff: \r\r\n\r\ntail"
    );
}

#[test]
fn a_response_that_comes_before_the_body_was_read_counts() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .write_all(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        // Reads nothing, and stays until the client has gone.
        stream
    });
    let request = Request::new("POST", "/").body(Body::Sized(vec![0; 50_000_000]));
    assert_eq!(request.send(addr).unwrap().status, 413);
    drop(server.join());
}

#[test]
fn interim_responses_are_passed_over() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let responses = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nuntil the end";
        stream.write_all(responses.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream
    });
    let response = Request::new("GET", "/").send(addr).unwrap();
    assert_eq!(
        (response.status, response.text()),
        (200, "until the end".to_owned())
    );
    drop(server.join());
}

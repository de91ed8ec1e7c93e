//! What becomes of a request that the shared cases have no words for: trailers, floods of bytes.

use jobgate_harness::client::{Body, Request};
use serde_json::json;

use super::world::{World, bearing, log_tail};

#[test]
fn trailers_that_only_the_gate_may_write_do_not_arrive() {
    let world = World::with_keys(|_| {});
    let trailers = [
        ("x-jobgate-branch", "forged"),
        ("X-Jobgate-Branch", "again"),
        ("x_jobgate_pipeline", "forged"),
        ("authorization", "Bearer forged"),
        ("x-late", "kept"),
    ];
    let request = Request {
        method: b"POST".into(),
        ..bearing(&world.token())
    };
    let exchange = world.send(
        &request.body(Body::Chunked {
            chunks: vec![b"one".into(), b"two".into()],
            trailers: trailers
                .map(|(name, value)| (name.into(), value.into()))
                .into(),
        }),
    );
    let [echo] = &exchange.forwarded[..] else {
        panic!("{exchange:?}")
    };
    assert_eq!(echo.body_bytes, 6);
    assert_eq!(echo.trailers, [("x-late".to_owned(), "kept".to_owned())]);
}

#[test]
fn a_refused_request_is_answered_before_its_body_and_nothing_of_it_arrives() {
    let world = World::with_keys(|_| {});
    let exchange = world.send(&Request::new("POST", "/").body(Body::Chunked {
        chunks: vec![vec![b'x'; 64 * 1024]; 16],
        trailers: Vec::new(),
    }));
    assert_eq!(exchange.code().as_deref(), Some("token_missing"));
    assert_eq!(
        world.upstream.count(),
        world.upstream.requests().len() as u64
    );
    assert!(exchange.forwarded.is_empty());
}

#[test]
fn where_the_policy_forwards_the_token_the_upstream_gets_it() {
    let world = World::with_keys(|policy| policy["token"] = json!({ "forward": true }));
    let token = world.token();
    let exchange = world.send(&bearing(&token));
    let [echo] = &exchange.forwarded[..] else {
        panic!("{exchange:?}")
    };
    assert_eq!(echo.header("authorization"), [format!("Bearer {token}")]);
}

#[test]
fn the_record_names_the_route() {
    let world = World::with_keys(|_| {});
    let exchange = world.send(&bearing(&world.token()));
    assert_eq!(exchange.recorded("route").as_deref(), Some("gate"));
}

#[test]
fn no_bytes_in_headers_bring_the_module_down() {
    let world = World::with_keys(|_| {});
    let bytes: Vec<u8> = (0x80..=0xff).cycle().take(40_000).collect();
    let hundred = (0..90).map(|nth| (format!("x-{nth}").into_bytes(), bytes[..300].to_vec()));
    let token = world.token();
    let plain = bearing(&token);
    let requests = [
        plain.clone().header("x-large", bytes.clone()),
        plain.clone().header("x-jobgate-branch", bytes.clone()),
        plain.clone().header("X_Jobgate_Branch", bytes.clone()),
        plain.clone().header("cookie", bytes.clone()),
        plain.clone().header("authorization", bytes.clone()),
        Request::new("GET", "/").header("authorization", bytes.clone()),
        Request::new("GET", "/").header("authorization", [b"Bearer ", &bytes[..]].concat()),
        Request::new("GET", "/")
            .header("authorization", "Bearer ".to_owned() + &".".repeat(40_000)),
        Request::new("GET", "/")
            .header("authorization", "Bearer ".to_owned() + &"e".repeat(50_000)),
        Request::new("GET", format!("/?{}", "%".repeat(40_000))),
        Request::new("GET", format!("/{}", "a/../".repeat(8_000))),
        Request::new("GET", format!("/{}", "%c3%28/".repeat(5_000))),
        Request::new("GET", [b"/", &bytes[..100]].concat()),
        Request::new("BREW\u{e9}", "/"),
        Request {
            headers: plain.headers.iter().cloned().chain(hundred).collect(),
            ..plain.clone()
        },
    ];
    let vms = world.envoy.stats().unwrap();
    for request in &requests {
        let exchange = world.send(request);
        assert!(
            matches!(exchange.response.status, 200 | 400 | 401 | 403),
            "{}: {}",
            String::from_utf8_lossy(&request.encode()),
            exchange.response.text()
        );
    }
    world.wait_until_it_passes(&token);

    let log = world.envoy.log_text();
    for words in [
        "Function: proxy_",
        "panicked",
        "Proxy-Wasm plugin in-VM",
        "Wasm VM failed",
    ] {
        assert!(!log.contains(words), "{words}:\n{}", log_tail(&world.envoy));
    }
    let created = |stats: &jobgate_harness::envoy::Stats| {
        stats
            .iter()
            .filter(|(name, _)| name.ends_with("v8.created"))
            .map(|(_, value)| value)
            .sum::<u64>()
    };
    assert!(created(&vms) > 0);
    assert_eq!(
        created(&world.envoy.stats().unwrap()),
        created(&vms),
        "a VM that fails is replaced"
    );
}

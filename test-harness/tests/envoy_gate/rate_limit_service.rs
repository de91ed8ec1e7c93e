//! A rate limit service (`envoy.service.ratelimit.v3`), as small as Envoy takes one: HTTP/2 and gRPC by hand, with
//! prior knowledge, without TLS, each question in one frame.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

// RFC 9113, section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Lets each value of the descriptor through so many times.
pub(crate) struct RateLimitService {
    addr: SocketAddr,
    counts: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl RateLimitService {
    pub(crate) fn start(domain: &'static str, key: &'static str, limit: u32) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let counts = Arc::<Mutex<BTreeMap<String, u32>>>::default();
        let shared = Arc::clone(&counts);
        // They end with the process, or when Envoy does.
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let counts = Arc::clone(&shared);
                thread::spawn(move || {
                    _ = serve(connection, |question| {
                        let value = value_of(question, domain, key)?;
                        let mut counts = counts.lock().unwrap();
                        let count = counts.entry(value).or_default();
                        *count += 1;
                        Some(*count <= limit)
                    });
                });
            }
        });
        Self { addr, counts }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How often it was asked about each value.
    pub(crate) fn counts(&self) -> BTreeMap<String, u32> {
        self.counts.lock().unwrap().clone()
    }
}

fn serve(
    mut connection: TcpStream,
    mut passes: impl FnMut(&[u8]) -> Option<bool>,
) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut preface = [0; 24];
    connection.read_exact(&mut preface)?;
    assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    connection.write_all(&frame(SETTINGS, 0, 0, &[]))?;
    loop {
        let mut head = [0; 9];
        connection.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let (kind, flags) = (head[3], head[4]);
        let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
        let mut payload = vec![0; length as usize];
        connection.read_exact(&mut payload)?;
        match kind {
            SETTINGS | PING if flags & ACK == 0 => {
                let payload = if kind == PING { &payload[..] } else { &[] };
                connection.write_all(&frame(kind, ACK, 0, payload))?;
            }
            DATA if !payload.is_empty() => {
                // Five bytes of gRPC, then the message. RateLimitResponse.overall_code is its first field; there
                // are OK (1) and OVER_LIMIT (2).
                let code = match passes(&payload[5..]) {
                    Some(true) => 1,
                    Some(false) => 2,
                    None => 0,
                };
                // `:status: 200` of the static table, and literals (RFC 7541).
                let mut answer = frame(
                    HEADERS,
                    END_HEADERS,
                    stream,
                    &[&[0x88, 0x0f, 0x10, 16][..], b"application/grpc"].concat(),
                );
                answer.extend(frame(DATA, 0, stream, &[0, 0, 0, 0, 2, 0x08, code]));
                let status = [&[0, 11][..], b"grpc-status", &[1], b"0"].concat();
                answer.extend(frame(HEADERS, END_HEADERS | END_STREAM, stream, &status));
                connection.write_all(&answer)?;
            }
            _ => {}
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The value of the one entry of the one descriptor. RateLimitRequest has the domain as its first field and the
/// descriptors as its second; these the entries as their first, with key and value.
fn value_of(question: &[u8], domain: &str, key: &str) -> Option<String> {
    let entry = field(field(question, 2)?, 1)?;
    let is_known = field(question, 1)? == domain.as_bytes() && field(entry, 1)? == key.as_bytes();
    let value = field(entry, 2).filter(|_| is_known)?;
    String::from_utf8(value.to_vec()).ok()
}

/// The first field of this number, all of whose fields before it have a length of one byte in front.
fn field(mut message: &[u8], number: u8) -> Option<&[u8]> {
    loop {
        let (tag, rest) = message.split_first()?;
        let (length, rest) = rest.split_first()?;
        if tag & 7 != 2 || *length > 127 {
            return None;
        }
        let (value, rest) = rest.split_at_checked(usize::from(*length))?;
        if tag >> 3 == number {
            return Some(value);
        }
        message = rest;
    }
}

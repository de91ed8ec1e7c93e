//! Where a request comes from, as the gateway tells it.

use std::fmt;
use std::net::IpAddr;

/// Whoever knows the source of a request: the host. It is asked only where something depends on it.
pub trait Source: fmt::Debug {
    /// The address of the client, as text: with a port or without. Nothing where the gateway names none.
    fn address(&self) -> Option<String>;
}

/// The source of a request of which the gateway tells nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoSource;

impl Source for NoSource {
    fn address(&self) -> Option<String> {
        None
    }
}

/// What a client is counted by: an IPv4 address, or the first 64 bits of an IPv6 address. The other 64 are the
/// client's own to choose (RFC 4291, section 2.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceAddress {
    /// An IPv4 address; also one that is mapped into IPv6.
    V4([u8; 4]),
    /// The network of an IPv6 address.
    V6([u16; 4]),
}

impl SourceAddress {
    /// Reads `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`. Nothing for what is no IP address, such
    /// as a socket's path.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let host = match (text.strip_prefix('['), text.split_once(':')) {
            (Some(rest), _) => rest.split_once(']')?.0,
            // More than one colon is an IPv6 address that no port follows.
            (None, Some((host, port))) if !port.contains(':') => host,
            _ => text,
        };
        let address: IpAddr = host.parse().ok()?;
        Some(match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_each_hosts_form_and_what_is_none_is_not() {
        let v4 = SourceAddress::V4([192, 0, 2, 1]);
        let v6 = SourceAddress::V6([0x2001, 0xdb8, 0, 7]);
        for (text, expected) in [
            ("192.0.2.1", Some(v4)),
            ("192.0.2.1:65535", Some(v4)),
            ("::ffff:192.0.2.1", Some(v4)),
            ("[::ffff:192.0.2.1]:80", Some(v4)),
            ("2001:db8:0:7::1", Some(v6)),
            ("2001:db8:0:7:ffff:ffff:ffff:ffff", Some(v6)),
            ("[2001:db8:0:7:8::]:443", Some(v6)),
            ("", None),
            ("unix:", None),
            ("/tmp/socket", None),
            ("envoy://internal/1", None),
            ("[192.0.2.1", None),
            ("[]:80", None),
            ("::1:", None),
            ("192.0.2.256", None),
            ("192.0.2.1, 192.0.2.2", None),
        ] {
            assert_eq!(SourceAddress::parse(text), expected, "{text}");
        }
        assert_ne!(SourceAddress::parse("2001:db8:0:8::1"), Some(v6));
    }
}

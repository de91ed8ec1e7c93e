//! The subnet of the network that is cut: fixed, so that the issuer can be given another address in it, and free.

use std::net::Ipv4Addr;

/// A network of 256 addresses, 10.213.N.0/24.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subnet(u8);

impl Subnet {
    /// The first that overlaps with none of those that are in use, such as `172.17.0.0/16`, looking from `start` on.
    /// Those that can't be read don't count: they are of IPv6.
    pub(super) fn free(in_use: &str, start: u8) -> Option<Self> {
        let in_use: Vec<_> = in_use.split_whitespace().filter_map(range).collect();
        (0..=u8::MAX)
            .map(|step| Self(start.wrapping_add(step)))
            .find(|subnet| {
                let (first, last) = subnet.range();
                in_use
                    .iter()
                    .all(|(low, high)| last < *low || *high < first)
            })
    }

    /// An address that the engine does not come to by itself, since it counts from the low end; another for each of
    /// the first fifty moves.
    pub(super) fn address(self, moves: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.0, 200 + moves % 50)
    }

    fn range(self) -> (u32, u32) {
        let first = u32::from(Ipv4Addr::new(10, 213, self.0, 0));
        (first, first + 255)
    }
}

impl std::fmt::Display for Subnet {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "10.213.{}.0/24", self.0)
    }
}

/// The first and the last address of a network in the notation with a prefix length.
fn range(network: &str) -> Option<(u32, u32)> {
    let (address, length) = network.split_once('/')?;
    let address = u32::from(address.parse::<Ipv4Addr>().ok()?);
    let length: u32 = length.parse().ok().filter(|length| *length <= 32)?;
    let host = u32::MAX.checked_shr(length).unwrap_or(0);
    Some((address & !host, address | host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_that_nobody_uses_is_taken_as_it_is() {
        assert_eq!(Subnet::free("", 7), Some(Subnet(7)));
        let others = "172.17.0.0/16\n10.212.0.0/16 fd00::/64 192.168.0.0/20";
        assert_eq!(Subnet::free(others, 7), Some(Subnet(7)));
    }

    #[test]
    fn those_in_use_are_passed_over_also_at_the_end_of_the_range() {
        assert_eq!(
            Subnet::free("10.213.7.0/24 10.213.8.128/25", 7),
            Some(Subnet(9))
        );
        assert_eq!(Subnet::free("10.213.255.0/24", 255), Some(Subnet(0)));
    }

    #[test]
    fn a_larger_network_around_it_counts() {
        assert_eq!(Subnet::free("10.213.0.0/17", 0), Some(Subnet(128)));
        assert_eq!(Subnet::free("10.0.0.0/8", 0), None);
        assert_eq!(Subnet::free("0.0.0.0/0", 0), None);
    }

    #[test]
    fn the_issuers_addresses_are_in_it_and_change() {
        let subnet = Subnet(3);
        assert_eq!(subnet.address(1).to_string(), "10.213.3.201");
        assert_ne!(subnet.address(1), subnet.address(2));
    }
}

//! Faults, as commands of docker, and the way back from each.

use super::subnet::Subnet;
use crate::suite::Gateway;
use crate::suite::scenario::Ask;

/// The arguments of one `docker` command.
pub(super) type Arguments = Vec<String>;

/// What has been done to a world.
#[derive(Debug)]
pub(super) struct Faults {
    gateway: Gateway,
    gateway_container: String,
    issuer: String,
    network: String,
    subnet: Subnet,
    moves: u8,
    stopped: bool,
    cut: bool,
}

impl Faults {
    /// Of a world that is whole: its containers' ids, and the network that is cut.
    pub(super) fn new(
        gateway: Gateway,
        gateway_container: String,
        issuer: String,
        network: String,
        subnet: Subnet,
    ) -> Self {
        Self {
            gateway,
            gateway_container,
            issuer,
            network,
            subnet,
            moves: 0,
            stopped: false,
            cut: false,
        }
    }

    /// The commands that do what is asked for; none if it is so already.
    pub(super) fn commands(&mut self, ask: Ask) -> Result<Vec<Arguments>, String> {
        Ok(match ask {
            Ask::StopIssuer => {
                self.stopped = true;
                vec![arguments(["stop", &self.issuer])]
            }
            Ask::StartIssuer => {
                self.stopped = false;
                vec![arguments(["start", &self.issuer])]
            }
            Ask::MoveIssuer => {
                self.moves = self.moves.wrapping_add(1);
                let leave = (!self.cut).then(|| self.leave());
                self.cut = false;
                leave.into_iter().chain([self.join()]).collect()
            }
            Ask::CutNetwork if self.cut => Vec::new(),
            Ask::CutNetwork => {
                self.cut = true;
                vec![self.leave()]
            }
            Ask::MendNetwork if !self.cut => Vec::new(),
            Ask::MendNetwork => {
                self.cut = false;
                vec![self.join()]
            }
            Ask::ReloadGateway => match self.gateway {
                Gateway::Kong => {
                    vec![arguments([
                        "exec",
                        &self.gateway_container,
                        "kong",
                        "reload",
                    ])]
                }
                Gateway::Envoy => {
                    return Err("Envoy is not told to reload: replace its listeners".to_owned());
                }
            },
        })
    }

    /// The commands that make the world whole again: a scenario that failed may have left a fault behind.
    pub(super) fn repairs(&mut self) -> Vec<Arguments> {
        let mend = self.cut.then_some(Ask::MendNetwork);
        let start = self.stopped.then_some(Ask::StartIssuer);
        mend.into_iter()
            .chain(start)
            .filter_map(|ask| self.commands(ask).ok())
            .flatten()
            .collect()
    }

    fn leave(&self) -> Arguments {
        arguments(["network", "disconnect", &self.network, &self.issuer])
    }

    /// With the address of the last move, and with the name by which compose had made it known.
    fn join(&self) -> Arguments {
        let address = self.subnet.address(self.moves).to_string();
        let (network, issuer) = (&self.network, &self.issuer);
        arguments([
            "network", "connect", "--alias", "issuer", "--ip", &address, network, issuer,
        ])
    }
}

fn arguments<const N: usize>(words: [&str; N]) -> Arguments {
    words.map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(gateway: Gateway) -> Faults {
        let subnet = Subnet::free("", 5).unwrap();
        Faults::new(gateway, "gw".into(), "iss".into(), "keys".into(), subnet)
    }

    fn lines(commands: &[Arguments]) -> Vec<String> {
        commands.iter().map(|words| words.join(" ")).collect()
    }

    #[test]
    fn a_moved_issuer_has_another_address_and_its_name_each_time() {
        let mut faults = faults(Gateway::Kong);
        let first = lines(&faults.commands(Ask::MoveIssuer).unwrap());
        assert_eq!(
            first,
            [
                "network disconnect keys iss",
                "network connect --alias issuer --ip 10.213.5.201 keys iss"
            ]
        );
        let second = lines(&faults.commands(Ask::MoveIssuer).unwrap());
        assert!(second[1].contains("10.213.5.202"), "{second:?}");
    }

    #[test]
    fn what_is_cut_is_mended_once_and_where_it_was() {
        let mut faults = faults(Gateway::Kong);
        faults.commands(Ask::MoveIssuer).unwrap();
        let cut = lines(&faults.commands(Ask::CutNetwork).unwrap());
        assert_eq!(cut, ["network disconnect keys iss"]);
        assert!(faults.commands(Ask::CutNetwork).unwrap().is_empty());
        let mend = lines(&faults.commands(Ask::MendNetwork).unwrap());
        assert!(mend[0].contains("10.213.5.201"), "{mend:?}");
        assert!(faults.commands(Ask::MendNetwork).unwrap().is_empty());
    }

    #[test]
    fn an_issuer_can_move_while_the_network_is_cut() {
        let mut faults = faults(Gateway::Kong);
        faults.commands(Ask::CutNetwork).unwrap();
        assert_eq!(faults.commands(Ask::MoveIssuer).unwrap().len(), 1);
        assert!(faults.repairs().is_empty());
    }

    #[test]
    fn all_that_is_left_broken_is_repaired_and_nothing_else() {
        let mut faults = faults(Gateway::Envoy);
        assert!(faults.repairs().is_empty());
        faults.commands(Ask::StopIssuer).unwrap();
        faults.commands(Ask::CutNetwork).unwrap();
        let repairs = lines(&faults.repairs());
        assert!(repairs[0].starts_with("network connect"), "{repairs:?}");
        assert_eq!(repairs[1], "start iss");
        assert!(faults.repairs().is_empty());
    }

    #[test]
    fn only_kong_reloads_when_told() {
        let reload = faults(Gateway::Kong).commands(Ask::ReloadGateway).unwrap();
        assert_eq!(lines(&reload), ["exec gw kong reload"]);
        let error = faults(Gateway::Envoy).commands(Ask::ReloadGateway);
        assert!(error.unwrap_err().contains("listeners"));
    }
}

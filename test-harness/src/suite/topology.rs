//! Where everything is: the defaults are the names in the networks of `docker-compose.yml`.

use std::path::PathBuf;

use clap::{Args, Parser};

use super::Gateway;
use crate::case::Placeholders;

/// Where everything is. Addresses are `host:port`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(next_help_heading = "Where everything is")]
pub struct Topology {
    /// The folder of the gateways' configurations and of all certificates. The gateways see it by this name too.
    #[arg(long, value_name = "FOLDER", default_value = "/world")]
    pub world: PathBuf,
    /// The issuer, to mint tokens and order faults.
    #[arg(long, value_name = "ADDRESS", default_value = "issuer:8080")]
    pub issuer: String,
    /// The issuer's name, under which the gateways fetch its keys.
    #[arg(long, value_name = "URL", default_value = "https://issuer:8443")]
    pub issuer_url: String,
    /// Where the gateways reach the issuer, over TLS.
    #[arg(long, value_name = "ADDRESS", default_value = "issuer:8443")]
    pub issuer_tls: String,
    /// The audience of the issuer's tokens.
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://deploy.acme.example"
    )]
    pub audience: String,
    /// Where the gateways reach a server that has the issuer's name, and a certificate of an authority that they
    /// don't trust.
    #[arg(long, value_name = "ADDRESS", default_value = "issuer:9443")]
    pub impostor: String,
    /// Where nothing listens.
    #[arg(long, value_name = "ADDRESS", default_value = "issuer:1")]
    pub nowhere: String,
    /// The upstream, for the gateways.
    #[arg(long, value_name = "ADDRESS", default_value = "upstream:8080")]
    pub upstream: String,
    /// The upstream's control port.
    #[arg(long, value_name = "ADDRESS", default_value = "upstream:8081")]
    pub control: String,
    /// The module, as Envoy sees it.
    #[arg(long, value_name = "FILE", default_value = "/filters/jobgate.wasm")]
    pub filter: PathBuf,
    /// Kong, in the clear.
    #[arg(long, value_name = "ADDRESS", default_value = "kong:8000")]
    pub kong: String,
    /// Kong, over TLS.
    #[arg(long, value_name = "ADDRESS", default_value = "kong:8443")]
    pub kong_tls: String,
    /// Kong's Admin API.
    #[arg(long, value_name = "ADDRESS", default_value = "kong:8001")]
    pub kong_admin: String,
    /// The file that Kong logs to.
    #[arg(long, value_name = "FILE", default_value = "/logs/kong.log")]
    pub kong_log: PathBuf,
    /// Envoy, in the clear.
    #[arg(long, value_name = "ADDRESS", default_value = "envoy:10000")]
    pub envoy: String,
    /// Envoy, over TLS.
    #[arg(long, value_name = "ADDRESS", default_value = "envoy:10443")]
    pub envoy_tls: String,
    /// Envoy's admin interface.
    #[arg(long, value_name = "ADDRESS", default_value = "envoy:9901")]
    pub envoy_admin: String,
    /// The address that Envoy binds all of these ports on.
    #[arg(long, value_name = "IP", default_value = "0.0.0.0")]
    pub envoy_bind: String,
    /// The file that Envoy logs to.
    #[arg(long, value_name = "FILE", default_value = "/logs/envoy.log")]
    pub envoy_log: PathBuf,
}

/// Where one gateway is.
#[derive(Clone, Copy, Debug)]
pub struct Addresses<'a> {
    /// In the clear.
    pub http: &'a str,
    /// Over TLS.
    pub https: &'a str,
    /// Its administration.
    pub admin: &'a str,
    /// The file that it logs to.
    pub log: &'a PathBuf,
}

impl Topology {
    /// Where this gateway is.
    pub fn of(&self, gateway: Gateway) -> Addresses<'_> {
        match gateway {
            Gateway::Kong => Addresses {
                http: &self.kong,
                https: &self.kong_tls,
                admin: &self.kong_admin,
                log: &self.kong_log,
            },
            Gateway::Envoy => Addresses {
                http: &self.envoy,
                https: &self.envoy_tls,
                admin: &self.envoy_admin,
                log: &self.envoy_log,
            },
        }
    }

    /// What the case files leave open.
    pub fn placeholders(&self) -> Placeholders {
        Placeholders {
            issuer: self.issuer_url.clone(),
            audience: self.audience.clone(),
            jwks_uri: format!("{}/.well-known/jwks", self.issuer_url),
        }
    }

    /// The DNS name that the issuer's certificate must be for.
    pub fn issuer_name(&self) -> &str {
        let address = self.issuer_url.split_once("://");
        let address = address.map_or(self.issuer_url.as_str(), |(_, address)| address);
        let host = address.split(['/', ':']).next();
        host.unwrap_or(address)
    }
}

impl Default for Topology {
    fn default() -> Self {
        #[derive(Parser)]
        struct Flags {
            #[command(flatten)]
            topology: Topology,
        }
        Flags::parse_from(["default"]).topology
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuers_name_is_that_of_its_address() {
        let named = |url: &str| Topology {
            issuer_url: url.to_owned(),
            ..Topology::default()
        };
        for url in [
            "https://issuer:8443",
            "https://issuer",
            "https://issuer/a:b",
        ] {
            assert_eq!(named(url).issuer_name(), "issuer");
        }
    }
}

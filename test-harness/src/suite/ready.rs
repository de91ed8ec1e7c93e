//! Waiting until the gateway serves and its gates have their keys.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jobgate::policy::{Issuer, Policy};

use super::player::{Error, Player};
use super::{Gate, Keys, kong, remote};
use crate::client::{Request, Response};
use crate::exchange::eventually;
use crate::mint::TokenSpec;
use crate::record;
use crate::upstream::Echo;

/// How long a gateway may take to its first answer, and then a gate to its keys: it fetches them one after the other,
/// on a machine that may be busy.
const TIMEOUT: Duration = Duration::from_secs(120);

/// How often in a row a gate must know its keys: each of a gateway's workers has a state of its own.
const IN_A_ROW: usize = 4;

/// The reason of a refusal that a client or an upstream was told.
pub(super) fn reason(response: &Response) -> Option<String> {
    record::problem(response, "code").or_else(|| {
        let echo: Echo = response.json().ok()?;
        let (_, reason) = echo
            .headers
            .into_iter()
            .find(|(name, _)| name.ends_with("-reason"))?;
        Some(reason)
    })
}

impl Player {
    /// Waits until the gateway answers.
    ///
    /// # Errors
    ///
    /// If it doesn't in time.
    pub fn wait_until_it_serves(&self) -> Result<(), Error> {
        let address = self.topology.of(self.gateway).http;
        let deadline = Instant::now() + TIMEOUT;
        let up = eventually(TIMEOUT, || {
            let answer = remote::resolve(address).map(|to| Request::new("GET", "/").send(to));
            match answer {
                Ok(Ok(_)) => Some(Ok(())),
                Ok(Err(source)) if Instant::now() >= deadline => Some(Err(Error::Down {
                    gateway: self.gateway,
                    address: address.to_owned(),
                    source,
                })),
                Err(error) if Instant::now() >= deadline => Some(Err(error.into())),
                _ => None,
            }
        });
        up.unwrap_or(Ok(()))
    }

    /// Waits until a gate has an opinion of a good token of each of its issuers, wherever it stands. One that is to
    /// have no keys, and one whose policy is wrong, is not waited for.
    ///
    /// # Errors
    ///
    /// If it gets no keys in time.
    pub fn wait_for_keys(&self, gate: &Gate) -> Result<(), Error> {
        let configuration = gate.configuration(self.gateway, &self.topology).to_string();
        let (Ok(policy), Keys::Issuer) = (Policy::from_json(configuration.as_bytes()), gate.keys)
        else {
            return Ok(());
        };
        for issuer in &policy.issuers {
            let token = self.issuer.mint(&token_of(issuer))?;
            for place in &gate.places {
                let is_kong = self.gateway == super::Gateway::Kong;
                if is_kong && kong::unplayable(gate, place).is_some() {
                    continue;
                }
                let bearing = Request::new("GET", "/")
                    .header(policy.carrier.header.as_str(), format!("Bearer {token}"));
                self.wait_for_keys_at(&place.key, &bearing)
                    .map_err(|answer| Error::NoKeys {
                        gateway: self.gateway,
                        gate: place.key.clone(),
                        issuer: issuer.issuer.as_str().to_owned(),
                        answer,
                    })?;
            }
        }
        Ok(())
    }

    fn wait_for_keys_at(&self, key: &str, bearing: &Request) -> Result<(), String> {
        let (mut in_a_row, mut last) = (0, String::new());
        eventually(TIMEOUT, || {
            while in_a_row < IN_A_ROW {
                let (request, _) = self.address(bearing.clone(), key);
                let to = remote::resolve(self.topology.of(self.gateway).http);
                let answer = to
                    .map_err(|error| error.to_string())
                    .and_then(|to| request.send(to).map_err(|error| error.to_string()));
                match answer {
                    Ok(response)
                        if reason(&response).as_deref() != Some("keys_unavailable")
                            && response.status < 500 =>
                    {
                        in_a_row += 1
                    }
                    Ok(response) => {
                        in_a_row = 0;
                        last = format!("{} {}", response.status, response.text());
                        return None;
                    }
                    Err(error) => {
                        in_a_row = 0;
                        last = error;
                        return None;
                    }
                }
            }
            Some(())
        })
        .ok_or(last)
    }
}

/// A good token of an issuer, whatever its rules say of it.
fn token_of(issuer: &Issuer) -> TokenSpec {
    let claims = BTreeMap::from([
        ("iss".to_owned(), issuer.issuer.as_str().into()),
        ("aud".to_owned(), issuer.audiences.clone().into()),
    ]);
    TokenSpec {
        claims: claims.into_iter().collect(),
        ..TokenSpec::default()
    }
}

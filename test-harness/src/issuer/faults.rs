//! What can be wrong with an issuer, and for how long.

use serde::{Deserialize, Deserializer};

/// Which document is hit.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// The key set.
    Jwks,
    /// The discovery document.
    Discovery,
    /// Both.
    All,
}

/// What happens instead of a good answer.
///
/// As JSON: `{"status": 503}`, `{"delay_ms": 2000}`, `{"garbage": true}`, `{"body_bytes": 9000000}`,
/// `{"disconnect": true}`, `{"hang": true}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status and no document.
    Status(u16),
    /// The good answer, this many milliseconds late.
    DelayMs(u64),
    /// 200 with a document that breaks off in the middle.
    Garbage,
    /// 200 with the document behind so much whitespace that the body has this many bytes.
    BodyBytes(u64),
    /// The connection is closed without an answer.
    Disconnect,
    /// No answer until the fault is healed; the good one then.
    Hang,
}

/// Makes an endpoint fail, or heals it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct FaultOrder {
    /// Which one.
    pub endpoint: Endpoint,
    /// How; `None` (`"none"` in JSON) heals.
    #[serde(deserialize_with = "fault_or_none")]
    pub fault: Option<Fault>,
    /// After how many requests it heals by itself; never, if not given. With [`Endpoint::All`] each endpoint counts
    /// its own.
    #[serde(default)]
    pub times: Option<u32>,
}

/// A fault as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wire {
    None,
    Status(u16),
    DelayMs(u64),
    Garbage(bool),
    BodyBytes(u64),
    Disconnect(bool),
    Hang(bool),
}

fn fault_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Fault>, D::Error> {
    Ok(match Wire::deserialize(deserializer)? {
        Wire::Status(status) if !(200..=599).contains(&status) => {
            return Err(serde::de::Error::custom(format_args!(
                "{status} is no status to answer with"
            )));
        }
        Wire::Status(status) => Some(Fault::Status(status)),
        Wire::DelayMs(delay) => Some(Fault::DelayMs(delay)),
        Wire::Garbage(true) => Some(Fault::Garbage),
        Wire::BodyBytes(bytes) => Some(Fault::BodyBytes(bytes)),
        Wire::Disconnect(true) => Some(Fault::Disconnect),
        Wire::Hang(true) => Some(Fault::Hang),
        Wire::None | Wire::Garbage(false) | Wire::Disconnect(false) | Wire::Hang(false) => None,
    })
}

/// What is wrong now.
#[derive(Debug, Default)]
pub(super) struct Faults {
    jwks: Option<Active>,
    discovery: Option<Active>,
}

#[derive(Clone, Copy, Debug)]
struct Active {
    fault: Fault,
    left: Option<u32>,
}

impl Faults {
    pub(super) fn order(&mut self, order: &FaultOrder) {
        let active = order.fault.map(|fault| Active {
            fault,
            left: order.times,
        });
        if order.endpoint != Endpoint::Discovery {
            self.jwks = active;
        }
        if order.endpoint != Endpoint::Jwks {
            self.discovery = active;
        }
    }

    /// The fault that the next request for the key set meets.
    pub(super) fn meet_jwks(&mut self) -> Option<Fault> {
        meet(&mut self.jwks)
    }

    /// Whether a request that hangs is to hang on.
    pub(super) fn still_hang(&self, endpoint: Endpoint) -> bool {
        let slot = match endpoint {
            Endpoint::Discovery => self.discovery,
            Endpoint::Jwks | Endpoint::All => self.jwks,
        };
        slot.is_some_and(|active| active.fault == Fault::Hang)
    }

    /// The fault that the next request for the discovery document meets.
    pub(super) fn meet_discovery(&mut self) -> Option<Fault> {
        meet(&mut self.discovery)
    }
}

fn meet(slot: &mut Option<Active>) -> Option<Fault> {
    let active = slot.as_mut()?;
    let fault = active.fault;
    match &mut active.left {
        None => Some(fault),
        Some(0) => {
            *slot = None;
            None
        }
        Some(left) => {
            *left -= 1;
            Some(fault)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(json: &str) -> Result<FaultOrder, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn every_fault_has_its_spelling() {
        for (json, fault) in [
            (r#""none""#, None),
            (r#"{"status": 503}"#, Some(Fault::Status(503))),
            (r#"{"delay_ms": 2000}"#, Some(Fault::DelayMs(2000))),
            (r#"{"garbage": true}"#, Some(Fault::Garbage)),
            (r#"{"garbage": false}"#, None),
            (r#"{"body_bytes": 9}"#, Some(Fault::BodyBytes(9))),
            (r#"{"disconnect": true}"#, Some(Fault::Disconnect)),
            (r#"{"hang": true}"#, Some(Fault::Hang)),
        ] {
            let order = order(&format!(r#"{{"endpoint": "jwks", "fault": {json}}}"#)).unwrap();
            assert_eq!(order.fault, fault, "{json}");
        }
    }

    #[test]
    fn what_is_no_fault_is_refused() {
        for json in [
            r#"{"status": 99}"#,
            r#"{"status": 503, "garbage": true}"#,
            r#"{"slow": 1}"#,
        ] {
            assert!(
                order(&format!(r#"{{"endpoint": "all", "fault": {json}}}"#)).is_err(),
                "{json}"
            );
        }
        assert!(
            order(r#"{"endpoint": "jwks"}"#).is_err(),
            "an order must say what it wants"
        );
    }

    #[test]
    fn a_fault_heals_after_its_count_on_each_endpoint() {
        let mut faults = Faults::default();
        faults.order(&FaultOrder {
            endpoint: Endpoint::All,
            fault: Some(Fault::Garbage),
            times: Some(1),
        });
        assert_eq!(faults.meet_jwks(), Some(Fault::Garbage));
        assert_eq!(faults.meet_jwks(), None);
        assert_eq!(faults.meet_discovery(), Some(Fault::Garbage));
        assert_eq!(faults.meet_discovery(), None);
    }
}

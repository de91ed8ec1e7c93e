//! Reserved headers: the ones only the gate may set. What the client sent of them must not reach the
//! upstream, in any spelling, whatever the decision.

use super::headers::{HeaderMap, same_name, starts_like};
use crate::policy::HeaderNames;
use crate::reason::{Reason, Refusal};

/// What a host can do about a header that a client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderPower {
    /// Removal is real (Envoy).
    Remove,
    /// Removal is not; one that occurs once can be overwritten in place (Kong).
    OverwriteOnce,
}

/// What must happen to the client's reserved headers before anything else.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Neutralise {
    /// Names to remove, as they were spelled.
    pub remove: Vec<String>,
    /// Names to set: to the decision's value where it has one, else to nothing.
    pub overwrite: Vec<String>,
}

/// Whether only the gate may set a header of this name, however it is spelled: those with the prefix, the one that
/// carries assertions, and those that credentials come in.
pub(crate) fn is_reserved(names: &HeaderNames, name: &[u8]) -> bool {
    let mut others = names.assertion.iter().chain(&names.credentials);
    starts_like(name, names.prefix.as_bytes())
        || others.any(|other| same_name(name, other.as_bytes()))
}

/// Plans how the client's reserved headers are made harmless.
///
/// # Errors
/// `header_reserved` where the host can neither remove nor overwrite one, or where `Connection` asks a hop
/// to drop a reserved header or the token's (RFC 9110, section 7.6.1).
pub fn neutralise(
    headers: &HeaderMap,
    names: &HeaderNames,
    carrier: &str,
    power: HeaderPower,
) -> Result<Neutralise, Refusal> {
    let reserved = |name: &[u8]| is_reserved(names, name);
    let mut plan = Neutralise::default();
    for header in headers.iter() {
        if same_name(header.name, b"connection")
            && nominates(header.value, |name| {
                reserved(name) || same_name(name, carrier.as_bytes())
            })
        {
            return Err(refusal(
                "connection names a header that only the gate may set",
            ));
        }
        if !reserved(header.name) {
            continue;
        }
        // Gateways let no such name in; one that is not text could not be taken away by it.
        let name = str::from_utf8(header.name)
            .map_err(|_| refusal("the name of one is not text"))?
            .to_owned();
        match power {
            HeaderPower::Remove => {
                if !plan.remove.contains(&name) {
                    plan.remove.push(name);
                }
            }
            HeaderPower::OverwriteOnce => {
                if !names.all().any(|known| known == name) {
                    return Err(refusal(
                        "one has a reserved name that the gate does not set, and cannot be removed here",
                    ));
                }
                if plan.overwrite.contains(&name) {
                    return Err(refusal(
                        "one is there more than once, and cannot be removed here",
                    ));
                }
                plan.overwrite.push(name);
            }
        }
    }
    Ok(plan)
}

/// Whether a comma-separated list of header names holds one of these.
fn nominates(list: &[u8], is_one: impl Fn(&[u8]) -> bool) -> bool {
    list.split(|&byte| byte == b',')
        .any(|name| is_one(name.trim_ascii()))
}

fn refusal(detail: &'static str) -> Refusal {
    Refusal::new(Reason::HeaderReserved, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(headers: &[(&str, &str)], power: HeaderPower) -> Result<Neutralise, Refusal> {
        let headers: HeaderMap = headers.iter().copied().collect();
        neutralise(
            &headers,
            &HeaderNames::new("x-jobgate-"),
            "authorization",
            power,
        )
    }

    #[test]
    fn where_removal_is_real_every_spelling_is_removed() {
        let sent = [
            ("x-jobgate-rule", "a"),
            ("x-jobgate-rule", "b"),
            ("X_Jobgate_Branch", "c"),
            ("x.jobgate-made-up", "d"),
            ("x-jobgate", "not reserved"),
        ];
        let plan = plan(&sent, HeaderPower::Remove).unwrap();
        assert_eq!(
            plan.remove,
            ["x-jobgate-rule", "x_jobgate_branch", "x.jobgate-made-up"]
        );
        assert!(plan.overwrite.is_empty());
    }

    #[test]
    fn where_it_is_not_one_is_overwritten_and_all_else_is_refused() {
        let plan = |headers: &[(&str, &str)]| plan(headers, HeaderPower::OverwriteOnce);
        assert_eq!(
            plan(&[("x-jobgate-rule", "a")]).unwrap().overwrite,
            ["x-jobgate-rule"]
        );
        for sent in [
            &[("x-jobgate-rule", "a"), ("x-jobgate-rule", "b")][..],
            &[("x-jobgate-rule", "a"), ("X-Jobgate-Rule", "b")],
            &[("x_jobgate_rule", "a")],
            &[("x-jobgate-made-up", "a")],
        ] {
            assert_eq!(
                plan(sent).unwrap_err().reason,
                Reason::HeaderReserved,
                "{sent:?}"
            );
        }
    }

    #[test]
    fn connection_cannot_make_the_next_hop_drop_what_the_gate_sets() {
        for value in [
            "x-jobgate-decision",
            "close, X_Jobgate-Reason",
            "keep-alive,authorization",
        ] {
            for power in [HeaderPower::Remove, HeaderPower::OverwriteOnce] {
                assert!(plan(&[("connection", value)], power).is_err(), "{value}");
            }
        }
        assert!(
            plan(
                &[("connection", "keep-alive, upgrade")],
                HeaderPower::Remove
            )
            .is_ok()
        );
    }

    #[test]
    fn a_header_for_assertions_outside_of_the_prefix_is_reserved_too() {
        let mut names = HeaderNames::new("x-jobgate-");
        names.assertion = Some("x-identity".into());
        let plan = |headers: &[(&str, &str)], power| {
            let headers: HeaderMap = headers.iter().copied().collect();
            neutralise(&headers, &names, "authorization", power)
        };
        let sent = [
            ("X-Identity", "a"),
            ("x_identity", "b"),
            ("x-identity-too", "c"),
            ("x-jobgate-rule", "d"),
        ];
        let removed = plan(&sent, HeaderPower::Remove).unwrap().remove;
        assert_eq!(removed, ["x-identity", "x_identity", "x-jobgate-rule"]);
        let once = plan(&[("X-Identity", "a")], HeaderPower::OverwriteOnce).unwrap();
        assert_eq!(once.overwrite, ["x-identity"]);
        for sent in [
            &[("x-identity", "a"), ("x-identity", "b")][..],
            &[("x_identity", "a")],
            &[("x.identity", "a")],
            &[("connection", "close, x_identity")],
        ] {
            assert!(plan(sent, HeaderPower::OverwriteOnce).is_err(), "{sent:?}");
        }
    }
}

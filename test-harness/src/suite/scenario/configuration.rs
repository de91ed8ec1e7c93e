//! Policies that are wrong.

use serde_json::{Value, json};

use super::super::{Gate, Gateway, Keys};
use super::Error;
use super::answer::Answer;
use super::control::Applied;
use super::gates::{STEADY, policy};
use super::stage::Stage;

/// The gate whose policy is wrong.
const WRONG: &str = "scenario.wrong";

/// A policy, and what is wrong with it.
struct Wrong {
    what: &'static str,
    policy: Value,
    /// The field that Kong names when it refuses the policy by its schema; without, only the filter sees it.
    field: Option<&'static str>,
}

fn all() -> [Wrong; 4] {
    let changed = |change: fn(&mut Value)| {
        let mut policy = policy();
        change(&mut policy);
        policy
    };
    [
        Wrong {
            what: "a member that no policy has",
            policy: changed(|policy| policy["rulez"] = json!([])),
            field: Some("rulez"),
        },
        Wrong {
            what: "a mode that is none",
            policy: changed(|policy| policy["mode"] = json!("loud")),
            field: Some("mode"),
        },
        Wrong {
            what: "a rule for any customer of the provider",
            policy: changed(|policy| policy["rules"] = json!([{ "id": "anyone" }])),
            field: None,
        },
        Wrong {
            what: "roles that include each other",
            policy: changed(|policy| {
                policy["roles"] = json!({ "a": { "roles": ["b"] }, "b": { "roles": ["a"] } });
            }),
            field: None,
        },
    ]
}

pub(super) fn wrong(stage: &mut Stage<'_>) -> Result<(), Error> {
    let good = stage.begin()?;
    let whole = stage.player.plan.clone();
    for (wrong, generation) in all().into_iter().zip(1..) {
        let what = wrong.what;
        let mut plan = whole.clone();
        let policy = wrong.policy;
        plan.gates.push(Gate::new(WRONG, policy, Keys::Issuer));
        let applied = stage.apply(&plan, generation * 2)?;
        match (stage.player.gateway, wrong.field) {
            (Gateway::Kong, Some(field)) => {
                let named = match applied {
                    Applied::Refused(why) if why.contains(field) => Ok(()),
                    other => Err(format!("{other:?}")),
                };
                stage.check(&format!("{what}: Kong refuses it, and names it"), named)?;
            }
            _ => {
                let taken = match applied {
                    Applied::Taken => Ok(()),
                    Applied::Refused(why) => Err(why),
                };
                stage.check(&format!("{what}: the gateway takes it"), taken)?;
                // Until it is in force there is no such route.
                let invalid = Answer::Refused("config_invalid".to_owned());
                let refuses = stage.settles_from_undecided(WRONG, &good, &invalid)?;
                stage.check(&format!("{what}: its route refuses all"), refuses)?;
            }
        }
        stage.always(
            &format!("{what}: the other routes go on"),
            STEADY,
            &good,
            &Answer::Passed,
        )?;
    }
    stage.step("the configuration is mended")?;
    let mended = match stage.apply(&whole, 0)? {
        Applied::Taken => Ok(()),
        Applied::Refused(why) => Err(why),
    };
    stage.check("the gateway takes it", mended)?;
    stage.always(
        "after it, a good token passes",
        STEADY,
        &good,
        &Answer::Passed,
    )
}

//! Where Kong's declarative configuration lets requests past a gate.
//!
//! Kong runs the access phase of all its Lua plugins before any filter. So a plugin that answers does so before the
//! gate, and one that buffers responses makes Kong call the upstream before it.

mod config;
mod lua;
mod plugins;
mod read;

use self::config::{Gate, Kong, Plugin, Scope};
use self::plugins::Effect;
use super::LoadedPolicy;
use super::remark::Remark;
use super::tree::Node;
use jobgate::policy::Severity;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

const SECOND_ROUTE: &str =
    "put it on a second route, as in kong/with-plugins.yml: see docs/kong.md#other-plugins";

/// All remarks on a document; none if it is not Kong's, or has no gate.
pub(super) fn remarks(document: &Rc<Node>, policies: &[LoadedPolicy]) -> Vec<Remark> {
    let kong = Kong::read(document);
    if kong.gates.is_empty() {
        return Vec::new();
    }
    let mut remarks = Vec::new();
    switched_off(&kong, &mut remarks);
    let gates: Vec<_> = kong
        .gates
        .iter()
        .filter(|gate| gate.off.is_none())
        .map(|gate| (gate, kong.requests(gate)))
        .collect();
    before_the_gate(&kong, &gates, &mut remarks);
    beside_the_gate(&kong, &gates, &mut remarks);
    behind_the_gate(&gates, policies, &mut remarks);
    remarks
}

/// The gates that Kong leaves out.
fn switched_off(kong: &Kong, remarks: &mut Vec<Remark>) {
    for gate in &kong.gates {
        let Some(off) = &gate.off else { continue };
        remarks.push(Remark {
            severity: Severity::Warning,
            code: "gate-off",
            policy: gate.place.clone(),
            span: off.clone(),
            message: format!("{} is switched off", kong.the_gate(gate)),
            fix: "take `enabled: false` out, or the gate".into(),
        });
    }
}

/// The plugins that act on a gate's requests before it does.
fn before_the_gate(kong: &Kong, gates: &[(&Gate, Vec<Scope>)], remarks: &mut Vec<Remark>) {
    let plain = kong.plugins.iter().filter(|plugin| !plugin.of_consumer);
    let by_scope: HashSet<_> = plain
        .map(|plugin| (plugin.name.as_str(), plugin.scope))
        .collect();
    // Of several plugins of one name Kong runs the one that is bound most closely. Those of consumers come in its
    // place for these alone.
    let runs = |plugin: &Plugin, request: Scope| {
        let closer = request
            .closest_first()
            .into_iter()
            .take_while(|scope| *scope != plugin.scope);
        plugin.scope.holds(request)
            && (plugin.of_consumer
                || !closer
                    .into_iter()
                    .any(|scope| by_scope.contains(&(plugin.name.as_str(), scope))))
    };
    for plugin in &kong.plugins {
        let (mut passed, mut effect) = (Vec::new(), Effect::None);
        for (gate, requests) in gates {
            let found = requests
                .iter()
                .map(|request| plugins::effect(plugin, runs(plugin, *request)))
                .max()
                .unwrap_or(Effect::None);
            if found != Effect::None {
                passed.push(*gate);
                effect = effect.max(found);
            }
        }
        let (name, before) = (&plugin.name, kong.the_gates(&passed));
        let (severity, code, message, fix) = match effect {
            Effect::None => continue,
            Effect::Unknown => (
                Severity::Note,
                "plugin-unknown",
                format!(
                    "whether {name} answers, or buffers responses, before {before} is not known"
                ),
                "look whether it answers in its access phase, has a `response` phase or calls enable_buffering; if so, put it on a second route: see docs/kong.md#other-plugins",
            ),
            Effect::Answers(how) => (
                Severity::Warning,
                "answers-before",
                format!("{name} answers before {before}: {how}"),
                SECOND_ROUTE,
            ),
            Effect::Buffers => (
                Severity::Warning,
                "calls-before",
                format!("{name} buffers responses, so Kong calls the upstream before {before}"),
                SECOND_ROUTE,
            ),
        };
        remarks.push(Remark {
            severity,
            code,
            policy: match passed.as_slice() {
                [gate] => gate.place.clone(),
                _ => String::new(),
            },
            span: plugin.at.clone(),
            message,
            fix: fix.into(),
        });
    }
}

/// The routes by which a request comes to a gated service without a gate.
fn beside_the_gate(kong: &Kong, gates: &[(&Gate, Vec<Scope>)], remarks: &mut Vec<Remark>) {
    // Which gate each route has, and which gated route each service.
    let mut of_route = HashMap::new();
    let mut of_service = HashMap::new();
    for (gate, requests) in gates {
        for request in requests {
            if let Some(route) = request.route {
                of_route.entry(route).or_insert(*gate);
                if let Some(service) = request.service {
                    of_service.entry(service).or_insert((route, *gate));
                }
            }
        }
    }
    for (nth, route) in kong.routes.iter().enumerate() {
        let Some(at) = route.at.clone() else { continue };
        if let Some(gate) = of_route.get(&nth) {
            let Some(span) = route.stream.clone() else {
                continue;
            };
            remarks.push(Remark {
                severity: Severity::Warning,
                code: "gate-not-run",
                policy: gate.place.clone(),
                span,
                message: format!(
                    "{} does not run on {}: filters are for HTTP, and its connections are streams",
                    kong.the_gate(gate),
                    route.label
                ),
                fix: "guard streams by something else".into(),
            });
            continue;
        }
        let Some((gated, gate)) = route.service.and_then(|service| of_service.get(&service)) else {
            continue;
        };
        let Some(gated) = kong.routes.get(*gated) else {
            continue;
        };
        remarks.push(Remark {
            severity: Severity::Note,
            code: "route-open",
            policy: gate.place.clone(),
            span: at,
            message: format!(
                "{} leads to the same service as {}, and has no gate",
                route.label, gated.label
            ),
            fix: "if it needs one, put the gate on the service: it is then for all its routes"
                .into(),
        });
    }
}

/// The gates that take the token out, where another one comes after them.
fn behind_the_gate(
    gates: &[(&Gate, Vec<Scope>)],
    policies: &[LoadedPolicy],
    remarks: &mut Vec<Remark>,
) {
    let mut on_the_way: HashMap<Scope, Vec<&Gate>> = HashMap::new();
    for (gate, requests) in gates {
        for request in requests {
            on_the_way.entry(*request).or_default().push(gate);
        }
    }
    let mut taken = HashSet::new();
    for mut passed in on_the_way.into_values().filter(|gates| gates.len() > 1) {
        passed.sort_by_key(|gate| gate.turn());
        let mut carriers = passed.iter().map(|gate| carrier(gate, policies)).peekable();
        for gate in &passed {
            let (Some(this), Some(next)) = (carriers.next(), carriers.peek()) else {
                break;
            };
            if let (Some(this), Some(next)) = (this, next)
                && !this.forward
                && this.header == next.header
                && taken.insert(gate.place.clone())
            {
                remarks.push(Remark {
                    severity: Severity::Warning,
                    code: "token-taken",
                    policy: gate.place.clone(),
                    span: gate.at.clone(),
                    message: "this gate takes the token out, and another one comes after it, which then refuses with token_missing".into(),
                    fix: "`token: { forward: true }` in this one's policy".into(),
                });
            }
        }
    }
}

/// Where a gate finds the token; nothing of a policy with errors.
struct Carrier {
    header: String,
    forward: bool,
}

fn carrier(gate: &Gate, policies: &[LoadedPolicy]) -> Option<Carrier> {
    let policy = policies.iter().find(|policy| policy.place == gate.place)?;
    policy.compile().ok()?;
    let token = policy.value.get("token");
    let member = |name| token.and_then(|token| token.get(name));
    Some(Carrier {
        header: member("header")
            .and_then(serde_json::Value::as_str)
            .unwrap_or("authorization")
            .to_ascii_lowercase(),
        forward: member("forward")
            .and_then(serde_json::Value::as_bool)
            .unwrap_or(false),
    })
}

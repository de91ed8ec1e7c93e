//! Rules that ask for nothing but the tenant.

use super::Analysis;
use super::case::Case;
use crate::policy::compiled::{Effect, Rule};

pub(super) fn find(analysis: &mut Analysis<'_>, rule: &Rule, cases: &[Case<'_>]) {
    let asks = !rule.paths.is_empty()
        || !rule.methods.is_empty()
        || !rule.routes.is_empty()
        || !rule.hosts.is_empty()
        || rule.when.is_some()
        || rule.schedule.is_some()
        || rule.certificate.is_some();
    if asks || rule.effect == Effect::Deny {
        return;
    }
    let policy = analysis.policy;
    let any_job = cases.iter().filter(|case| case.is_whole).find_map(|case| {
        let issuer = policy.issuers.get(case.issuer)?;
        let is_tenant = |name: &str| issuer.tenant_claims.iter().any(|claim| claim == name);
        let mut names = case.tests.iter().map(|test| test.name.as_str());
        names.all(is_tenant).then_some(issuer)
    });
    if let Some(issuer) = any_job {
        let whose = match issuer.tenant_claims.is_empty() {
            true => format!("of {}", issuer.issuer),
            false => format!("of the pinned tenants of {}", issuer.issuer),
        };
        analysis.note(
            "rule-allows-all",
            &format_args!("rules[{}]", rule.place),
            &format_args!("every job {whose} may send every request that reaches the gate"),
            &"where that is too much, name paths and methods, or ask for more of the job",
        );
    }
}

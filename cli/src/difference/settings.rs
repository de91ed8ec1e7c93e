//! What the gate makes of settings, where it needs no request to tell.

use jobgate::policy::{Issuer, Mode, Policy, Replay, Rule};

/// What a change does to what is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Effect {
    /// More is let through.
    Widens,
    /// Less is let through.
    Narrows,
    /// Some more, and some less.
    WidensAndNarrows,
    /// No request was found on which it decides.
    NothingFound,
    /// It can't be judged alone: what it names comes or goes with other changes.
    WithOthers,
    /// It is about who can prove to be whom, or when, which requests don't show; or no request could be made.
    NotCompared,
    /// It decides nothing.
    Nothing,
}

impl Effect {
    pub(crate) const fn of(widens: bool, narrows: bool) -> Self {
        match (widens, narrows) {
            (true, true) => Self::WidensAndNarrows,
            (true, false) => Self::Widens,
            (false, true) => Self::Narrows,
            (false, false) => Self::NothingFound,
        }
    }

    pub(crate) const fn widens(self) -> bool {
        matches!(self, Self::Widens | Self::WidensAndNarrows)
    }

    pub(crate) const fn narrows(self) -> bool {
        matches!(self, Self::Narrows | Self::WidensAndNarrows)
    }

    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::NothingFound, other) => other,
            (known, Self::NothingFound) => known,
            (Self::NotCompared, other) | (other, Self::NotCompared) if other == Self::Nothing => {
                Self::NotCompared
            }
            (a, b) => {
                let (widens, narrows) = (a.widens() || b.widens(), a.narrows() || b.narrows());
                match Self::of(widens, narrows) {
                    Self::NothingFound => a,
                    known => known,
                }
            }
        }
    }

    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Widens => "lets more through",
            Self::Narrows => "lets less through",
            Self::WidensAndNarrows => "lets some more through and some less",
            Self::NothingFound => "no request found on which it decides",
            Self::WithOthers => "can't be judged alone",
            Self::NotCompared => "not compared",
            Self::Nothing => "decides nothing",
        }
    }
}

/// A member of the whole policy that differs.
pub(super) fn of_policy(name: &str, old: &Policy, new: &Policy) -> Effect {
    match name {
        "mode" => Effect::of(
            (old.mode, new.mode) == (Mode::Enforce, Mode::Shadow),
            (old.mode, new.mode) == (Mode::Shadow, Mode::Enforce),
        ),
        "audit" | "cache" | "headers" | "shared_data" => Effect::Nothing,
        _ => Effect::NotCompared,
    }
}

/// What of an issuer no request shows: which of its tokens are proven. `members` are those that differ.
pub(super) fn of_issuer(members: &[String], old: &Issuer, new: &Issuer) -> Effect {
    fn lists<T: PartialEq>(old: &[T], new: &[T]) -> Effect {
        Effect::of(
            new.iter().any(|item| !old.contains(item)),
            old.iter().any(|item| !new.contains(item)),
        )
    }
    let effects = members.iter().map(|member| match member.as_str() {
        "audience" => lists(&old.audiences, &new.audiences),
        "algorithms" => lists(&old.algorithms, &new.algorithms),
        "leeway" => Effect::of(new.leeway > old.leeway, new.leeway < old.leeway),
        "max_lifetime" => Effect::of(
            new.max_lifetime > old.max_lifetime,
            new.max_lifetime < old.max_lifetime,
        ),
        // Requests show it.
        "claims" | "preset" => Effect::NothingFound,
        "identity" => Effect::Nothing,
        // It is asked of policies, not of tokens.
        "tenant_claims" => Effect::NothingFound,
        _ => Effect::NotCompared,
    });
    effects.fold(Effect::NothingFound, Effect::and)
}

/// How often a rule lets a token through.
pub(super) fn of_rule(old: &Rule, new: &Rule) -> Effect {
    Effect::of(
        (old.replay, new.replay) == (Replay::Once, Replay::Allow),
        (old.replay, new.replay) == (Replay::Allow, Replay::Once),
    )
}

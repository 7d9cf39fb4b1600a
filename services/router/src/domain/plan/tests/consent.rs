//! Consent: organisation × user × request × settings × state of the own key × credits, every cell
//! against the rule as it is told to people.

use std::sync::Arc;

use super::*;
use crate::domain::policy::{Fallback, Layer, Policy, Scope};

const STATES: [&str; 8] = [
    "none", "ok", "quota", "error", "resting", "absent", "disabled", "expired",
];
const ASKED: [Allowance; 4] = [
    Allowance::Policy,
    Allowance::None,
    Allowance::OwnKeys,
    Allowance::Credits,
];
const SAID: [Option<Fallback>; 4] = [
    None,
    Some(Fallback::None),
    Some(Fallback::OwnKeys),
    Some(Fallback::Credits),
];

/// What is said of fallbacks, and what there is to fall back to.
#[derive(Debug, Clone, Copy)]
struct Cell {
    state: &'static str,
    organization: Option<Fallback>,
    user: Option<Fallback>,
    asked: Allowance,
    settings: bool,
    forbids_credits: bool,
    has_credits: bool,
}

impl Cell {
    fn all() -> Vec<Self> {
        let mut cells = vec![];
        for state in STATES {
            for (organization, user) in pairs(&SAID, &SAID) {
                for asked in ASKED {
                    for (settings, forbids_credits) in pairs(&[true, false], &[true, false]) {
                        for has_credits in [true, false] {
                            cells.push(Self {
                                state,
                                organization,
                                user,
                                asked,
                                settings,
                                forbids_credits,
                                has_credits,
                            });
                        }
                    }
                }
            }
        }
        cells
    }

    fn planned(self) -> String {
        let own = format!("u:openai:{}", self.state);
        let own = if self.state == "none" { "" } else { &own };
        let credits = if self.has_credits { "s:openai" } else { "" };
        let layer = |scope, fallback, forbids_credits| Layer {
            scope,
            policy: Arc::new(Policy {
                fallback,
                forbids_credits,
                ..Policy::default()
            }),
        };
        Case::new("gpt-4o", &format!("{own} {credits}"))
            .with(|case| {
                case.policy.fallback_to_credits = self.settings;
                case.request.allowance = self.asked;
                case.layers = vec![
                    layer(Scope::Organization, self.organization, self.forbids_credits),
                    layer(Scope::User, self.user, false),
                ];
            })
            .order()
    }

    /// An own key serves wherever it can. Credits serve where no own key is there to be used; where
    /// one is, and be it that it fails, only if settings, organisation, user and request all allow it.
    fn told(self) -> String {
        let serves = ["ok", "quota", "resting", "absent"].contains(&self.state);
        let is_there = serves || self.state == "error";
        let allowed = |said: Option<Fallback>| said.is_none_or(|said| said == Fallback::Credits);
        let consent = self.settings
            && allowed(self.organization)
            && allowed(self.user)
            && matches!(self.asked, Allowance::Policy | Allowance::Credits);
        let credits = self.has_credits && !self.forbids_credits && (!is_there || consent);
        let is_later = ["resting", "absent"].contains(&self.state);
        match (serves, credits) {
            (true, true) if is_later => "s:openai u:openai",
            (true, true) => "u:openai s:openai",
            (true, false) => "u:openai",
            (false, true) => "s:openai",
            (false, false) => "",
        }
        .to_owned()
    }
}

fn pairs<T: Copy, U: Copy>(first: &[T], second: &[U]) -> Vec<(T, U)> {
    let pair = |one: &T| {
        second
            .iter()
            .map(|other| (*one, *other))
            .collect::<Vec<_>>()
    };
    first.iter().flat_map(pair).collect()
}

#[test]
fn credits_are_spent_with_everybodys_consent_only() {
    let cells = Cell::all();
    assert_eq!(cells.len(), 8 * 16 * 4 * 4 * 2);
    for cell in cells {
        assert_eq!(cell.planned(), cell.told(), "{cell:?}");
    }
}

//! The policies that concern a request, asked as one. What narrows is asked of all of them; what
//! merely orders is the narrowest one's word, except whose keys go first.

use std::sync::Arc;

use keyward_money::Nanos;

use super::{Fallback, KeysFirst, Named, OwnKeys, Policy, Prefer, Rule, RuleFacts, Scope};
use crate::domain::task::Task;

/// What the settings say.
#[derive(Debug, Clone, Copy)]
pub struct Operator {
    /// Which of a caller's own keys goes first.
    pub prefer: Prefer,
    /// Whether a failing own key may fall back to credits.
    pub fallback_to_credits: bool,
    /// The most that such a fallback may cost.
    pub fallback_max_charge: Nanos,
}

/// One owner's policy.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Whose it is.
    pub scope: Scope,
    /// What it says.
    pub policy: Arc<Policy>,
}

/// All that is in force for a request.
#[derive(Debug, Clone, Copy)]
pub struct Layers<'a> {
    operator: &'a Operator,
    /// The broadest first.
    layers: &'a [Layer],
}

impl<'a> Layers<'a> {
    /// The settings, narrowed by these, the broadest first.
    pub fn new(operator: &'a Operator, layers: &'a [Layer]) -> Self {
        Self { operator, layers }
    }

    fn policies(self) -> impl DoubleEndedIterator<Item = &'a Policy> {
        self.layers.iter().map(|layer| &*layer.policy)
    }

    /// The broadest policy of which something holds.
    fn first(self, holds: impl Fn(&Policy) -> bool) -> Option<Scope> {
        let found = self.layers.iter().find(|layer| holds(&layer.policy));
        found.map(|layer| layer.scope)
    }

    /// Which of the own keys goes first.
    pub fn prefer(self) -> Prefer {
        let said = self.policies().rev().find_map(|policy| policy.prefer);
        said.unwrap_or(self.operator.prefer)
    }

    /// Whose keys go first: an organisation that wants its own used first is not overruled.
    pub fn keys_first(self) -> KeysFirst {
        let said = self.policies().find_map(|policy| policy.keys_first);
        said.unwrap_or_default()
    }

    /// Who forbids the keys of users.
    pub fn forbids_own_keys(self) -> Option<Scope> {
        self.first(|policy| policy.own_keys == OwnKeys::Forbidden)
    }

    /// Who forbids credits whatever the keys.
    pub fn forbids_credits(self) -> Option<Scope> {
        self.first(|policy| policy.forbids_credits || policy.own_keys == OwnKeys::Required)
    }

    /// What may serve at most where the first key fails, and who says so.
    pub fn fallback(self) -> (Fallback, Scope) {
        let operators = match self.operator.fallback_to_credits {
            true => Fallback::Credits,
            false => Fallback::OwnKeys,
        };
        let said = |layer: &Layer| Some((layer.policy.fallback?, layer.scope));
        let layers = self.layers.iter().filter_map(said);
        layers.fold((operators, Scope::Operator), |widest, said| {
            if said.0 < widest.0 { said } else { widest }
        })
    }

    /// The most that a fallback to credits may cost.
    pub fn fallback_max_charge(self) -> Nanos {
        let caps = self
            .policies()
            .filter_map(|policy| policy.fallback_max_charge);
        caps.fold(self.operator.fallback_max_charge, Nanos::min)
    }

    /// The most that a request for which these rules hold may cost in credits.
    pub fn max_charge(self, rules: &[(Scope, &Rule)]) -> Option<Nanos> {
        let whole = self.policies().filter_map(|policy| policy.max_charge);
        let ruled = rules.iter().filter_map(|(_, rule)| rule.then.max_charge);
        whole.chain(ruled).min()
    }

    /// Who forbids a provider.
    pub fn forbids_provider(self, provider: &str) -> Option<Scope> {
        self.first(|policy| !policy.providers.permits(provider))
    }

    /// Who forbids a model.
    pub fn forbids_model(self, model: Named<'_>) -> Option<Scope> {
        self.first(|policy| !policy.models.permits_model(model))
    }

    /// What a name means that is somebody's own for a model.
    pub fn alias(self, name: &str) -> Option<&'a str> {
        let meant = |policy: &'a Policy| policy.aliases.get(name).map(String::as_str);
        self.policies().rev().find_map(meant)
    }

    /// The models for a task, where somebody says so.
    pub fn task(self, task: Task) -> Option<&'a [String]> {
        let said = |policy: &'a Policy| policy.tasks.get(&task).map(Vec::as_slice);
        self.policies().rev().find_map(said)
    }

    /// The rules for requests of this kind, the broadest policy's first.
    pub fn rules(self, facts: &RuleFacts<'_>) -> impl Iterator<Item = (Scope, &'a Rule)> {
        let all = self.layers.iter().flat_map(|layer| {
            let of_layer = move |rule| (layer.scope, rule);
            layer.policy.rules.iter().map(of_layer)
        });
        let facts = *facts;
        all.filter(move |(_, rule)| rule.when.holds(&facts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATOR: Operator = Operator {
        prefer: Prefer::OpenRouter,
        fallback_to_credits: true,
        fallback_max_charge: Nanos::new(50),
    };

    fn layers(organization: Policy, user: Policy) -> [Layer; 2] {
        let layer = |scope, policy| Layer {
            scope,
            policy: Arc::new(policy),
        };
        [
            layer(Scope::Organization, organization),
            layer(Scope::User, user),
        ]
    }

    #[test]
    fn the_narrowest_says_what_is_preferred_and_the_broadest_whose_keys_go_first() {
        let organization = Policy {
            prefer: Some(Prefer::Provider),
            keys_first: Some(KeysFirst::Organization),
            ..Policy::default()
        };
        let user = Policy {
            prefer: Some(Prefer::OpenRouter),
            keys_first: Some(KeysFirst::Own),
            ..Policy::default()
        };
        let stack = layers(organization, user);
        let stack = Layers::new(&OPERATOR, &stack);
        assert_eq!(stack.prefer(), Prefer::OpenRouter);
        assert_eq!(stack.keys_first(), KeysFirst::Organization);
    }

    #[test]
    fn a_narrower_policy_never_allows_more() {
        let said = |fallback, cap| Policy {
            fallback: Some(fallback),
            fallback_max_charge: Some(Nanos::new(cap)),
            ..Policy::default()
        };
        let stack = layers(said(Fallback::OwnKeys, 60), said(Fallback::Credits, 70));
        let stack = Layers::new(&OPERATOR, &stack);
        assert_eq!(stack.fallback(), (Fallback::OwnKeys, Scope::Organization));
        assert_eq!(stack.fallback_max_charge(), Nanos::new(50));
        let stack = layers(said(Fallback::Credits, 40), said(Fallback::None, 30));
        let stack = Layers::new(&OPERATOR, &stack);
        assert_eq!(stack.fallback(), (Fallback::None, Scope::User));
        assert_eq!(stack.fallback_max_charge(), Nanos::new(30));
    }
}

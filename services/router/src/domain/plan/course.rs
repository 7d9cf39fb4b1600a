//! One model of a request with the providers that have it: what holds there whatever the key is found
//! out once.

use std::sync::Arc;

use super::asked::{Asked, Choice};
use super::reason::Ordered;
use super::steering::Steering;
use super::{Obstacle, PlanInput, PlanKey};
use crate::domain::health::Standing;
use crate::domain::providers::Keys;
use crate::domain::wire;

/// One model with what steers who serves it.
pub(super) struct Course<'a, 'b> {
    pub(super) choice: &'b Choice<'a>,
    /// By its id, or as the caller named it.
    pub(super) model: Arc<str>,
    /// Its place among the request's models.
    pub(super) number: u16,
    pub(super) steering: Steering<'a>,
    /// What put providers where they are.
    pub(super) ordered: Option<Ordered>,
    sellers: Vec<Seller>,
    /// The keys for one of these, each with its place among them.
    keys: Vec<(&'a Arc<PlanKey>, usize)>,
}

/// A provider that has the model.
pub(super) struct Seller {
    pub(super) provider: Arc<str>,
    /// The model's name there.
    pub(super) name: Arc<str>,
    /// Its place in the catalogue's order; none where only a key speaks for it.
    pub(super) listed: Option<usize>,
    /// Why it may not serve, whatever the key.
    pub(super) obstacle: Option<Obstacle>,
    /// Its place in the order that is asked for, and by what is sorted.
    pub(super) order: (u16, u64),
    /// By a rule's weights.
    pub(super) lot: u64,
    /// How the model stands at its own address.
    pub(super) standing: Standing,
    /// Whether keys have to bring an address.
    /// Whether it is the platform's own server that asks for no key.
    is_keyless: bool,
    needs_address: bool,
}

impl<'a, 'b> Course<'a, 'b> {
    /// One for each model of a request.
    pub(super) fn all(input: &'b PlanInput<'a>, asked: &'b Asked<'a>) -> Vec<Self> {
        let numbered = (0..).zip(&asked.models);
        numbered
            .map(|(number, choice)| Self::of(input, number, choice))
            .collect()
    }

    fn of(input: &'b PlanInput<'a>, number: u16, choice: &'b Choice<'a>) -> Self {
        let steering = Steering::of(input, choice);
        let mut course = Self {
            choice,
            model: Arc::from(choice.target.id()),
            number,
            ordered: steering.ordered(),
            steering,
            sellers: Vec::new(),
            keys: Vec::with_capacity(input.keys.len()),
        };
        for (place, provider) in choice.target.providers().into_iter().enumerate() {
            course.add(input, provider, Some(place));
        }
        if let Some(provider) = choice.target.inline_provider(input) {
            course.add(input, provider, None);
        }
        for key in input.keys {
            let seller = course.add(input, &key.provider, None);
            course.keys.extend(seller.map(|seller| (key, seller)));
        }
        course
    }

    /// The place of a provider among those that have the model, if it does.
    fn add(
        &mut self,
        input: &PlanInput<'_>,
        provider: &str,
        listed: Option<usize>,
    ) -> Option<usize> {
        let is_it = |seller: &Seller| *seller.provider == *provider;
        if let Some(found) = self.sellers.iter().position(is_it) {
            return Some(found);
        }
        let target = &self.choice.target;
        let name = target.name_at(provider)?;
        let (known, form) = (input.providers.get(provider), input.request.form);
        let forbidden = self.steering.obstacle(input, target, provider);
        let unavailable = || match known {
            None => Some(Obstacle::NotAvailable),
            Some(known) => match wire::form(known.listener(name, target.model()), form) {
                None => Some(Obstacle::NotCallable(form)),
                Some(_) => None,
            },
        };
        self.sellers.push(Seller {
            provider: Arc::from(provider),
            name: Arc::from(name),
            listed,
            obstacle: forbidden.or_else(unavailable),
            order: self.steering.place(input, target, provider),
            lot: self.steering.lot(input.request.affinity, provider),
            standing: input.health.standing_at(provider, name, input.now_ms),
            is_keyless: known.is_some_and(|known| known.keys == Keys::Nobodys),
            needs_address: known.is_some_and(|known| {
                known.dialect != keyward_catalog::Dialect::Sandbox && known.base_url.is_none()
            }),
        });
        Some(self.sellers.len() - 1)
    }

    /// The provider of that name, if it has the model.
    pub(super) fn seller(&self, provider: &str) -> Option<&Seller> {
        self.sellers
            .iter()
            .find(|seller| *seller.provider == *provider)
    }

    /// The keys for providers that have the model.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&'a Arc<PlanKey>, &Seller)> {
        let with_seller = |(key, seller): &(&'a Arc<PlanKey>, usize)| {
            self.sellers.get(*seller).map(|seller| (*key, seller))
        };
        self.keys.iter().filter_map(with_seller)
    }

    /// The providers that are known to have the model, in the catalogue's order.
    pub(super) fn listed(&self) -> impl Iterator<Item = &Seller> {
        self.sellers.iter().filter(|seller| seller.listed.is_some())
    }
}

impl Seller {
    /// Why it may not serve with a key of the caller's own that has this address, or none: the
    /// platform's own server serves nobody for nothing.
    pub(super) fn own_obstacle(&self, base_url: Option<&str>) -> Option<Obstacle> {
        let keyless = self.is_keyless && base_url.is_none();
        let obstacle = self.obstacle(base_url);
        obstacle.or(keyless.then_some(Obstacle::Keyless))
    }

    /// Why it may not serve with a key that has this address of its own, or none.
    pub(super) fn obstacle(&self, base_url: Option<&str>) -> Option<Obstacle> {
        let no_address = self.needs_address && base_url.is_none();
        let obstacle = self.obstacle.clone();
        obstacle.or(no_address.then_some(Obstacle::NoAddress))
    }
}

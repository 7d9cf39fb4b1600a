//! Who asks: a user of an organisation and a project or of none, with keys, policies and credits as
//! they are drawn.

use std::collections::HashMap;

use http::Method;
use keyward_testkit::{Client, Gateway, Script, Tenant, canary, tenancy};
use serde_json::{Value, json};

use super::dice::Dice;
use super::wishes::{self, PROVIDERS};
use crate::system::{Providers, System};

pub(super) struct Household {
    pub(super) client: Client,
    /// The stored keys by id.
    pub(super) secrets: HashMap<String, String>,
    pub(super) has_credits: bool,
}

/// Who keys, policies and credits may be of.
#[derive(Clone, Copy)]
struct Place<'a> {
    gateway: &'a Gateway,
    organization: Option<&'a str>,
    project: Option<&'a str>,
    tenant: &'a Tenant,
}

impl Household {
    pub(super) async fn draw(system: &System, dice: &mut Dice) -> Self {
        let gateway = &system.gateway;
        let tier = dice.one_of(&["trial", "professional", "enterprise"]);
        let tenant = Tenant::new(gateway, tier).await;
        let (mut organization, mut project) = (None, None);
        if dice.falls(50) {
            let made = tenancy::organization(gateway, tier).await;
            tenancy::member(gateway, &made, &tenant.user, "member").await;
            if dice.falls(50) {
                project = Some(tenancy::project(gateway, &made).await);
            }
            organization = Some(made);
        }
        let place = Place {
            gateway,
            organization: organization.as_deref(),
            project: project.as_deref(),
            tenant: &tenant,
        };
        let has_credits = dice.falls(75);
        if has_credits {
            tenancy::grant(&gateway.admin(), &place.account(), "1000").await;
        }
        place.draw_policies(dice).await;
        Self {
            client: place.client(dice).await,
            secrets: place.draw_keys(&system.providers, dice).await,
            has_credits,
        }
    }
}

impl Place<'_> {
    fn account(self) -> String {
        let own = self.tenant.account();
        self.organization
            .map_or(own, |id| format!("organizations/{id}"))
    }

    async fn client(self, dice: &mut Dice) -> Client {
        let mut members = json!({});
        for (name, value) in [
            ("organization", self.organization),
            ("project", self.project),
        ] {
            if let Some(value) = value {
                members[name] = value.into();
            }
        }
        if dice.falls(10) {
            members["allowed_models"] = json!(["openai/gpt-4o", "openai/gpt-oss*"]);
        }
        self.gateway.client(&self.tenant.access_key(members).await)
    }

    /// The owners, the broadest last, as policies and keys name them.
    fn owners(self) -> Vec<Value> {
        let organization = self.organization.into_iter();
        let organizations = organization.map(|id| json!({"organization": id}));
        let project = self.organization.zip(self.project).into_iter();
        let projects = project.map(|(id, project)| json!({"organization": id, "project": project}));
        let user = json!({"user": self.tenant.user});
        [user]
            .into_iter()
            .chain(projects)
            .chain(organizations)
            .collect()
    }

    async fn draw_policies(self, dice: &mut Dice) {
        for owner in self.owners() {
            if dice.falls(45) {
                continue;
            }
            let names = owner.as_object().unwrap().iter();
            let names = names.map(|(name, value)| format!("{name}={}", value.as_str().unwrap()));
            let query = names.collect::<Vec<_>>().join("&");
            let path = format!("/api/v1/routing-policy?{query}");
            let policy = wishes::policy(dice).to_string();
            let admin = self.gateway.admin();
            let _ = admin.send(Method::PUT, &path, policy).await.ok();
        }
    }

    async fn draw_keys(self, providers: &Providers, dice: &mut Dice) -> HashMap<String, String> {
        let mut secrets = HashMap::new();
        for owner in self.owners() {
            for _ in 0..dice.below(4) {
                let (id, key) = self.draw_key(&owner, providers, dice).await;
                secrets.insert(id, key);
            }
        }
        secrets
    }

    async fn draw_key(
        self,
        owner: &Value,
        providers: &Providers,
        dice: &mut Dice,
    ) -> (String, String) {
        let provider = dice.one_of(&PROVIDERS);
        let key = canary::provider_key(provider);
        let mut body = owner.clone();
        body["provider"] = provider.into();
        body["key"] = key.clone().into();
        if dice.falls(20) {
            body["weight"] = dice.one_of(&[2, 9]).into();
        }
        if dice.falls(15) {
            body["allowed_models"] = json!(["openai/*"]);
        }
        let admin = self.gateway.admin();
        let stored = admin.post("/api/v1/provider-keys", body).await.ok();
        let id = stored.json()["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/provider-keys/{id}");
        if dice.falls(10) {
            let _ = admin.patch(&path, json!({"enabled": false})).await.ok();
        } else if dice.falls(15) && self.is_users(owner) {
            // The owner tests it: admins may do so ten times a minute only.
            let refused = Script::unauthorized();
            providers.named(provider).script(&key, refused);
            let test = format!("{path}/test");
            let _ = self.tenant.client.post(&test, json!({})).await.ok();
        }
        (id, key)
    }

    fn is_users(self, owner: &Value) -> bool {
        owner["user"] == self.tenant.user.as_str()
    }
}

//! Tenants made through the management API, and what they can look up.

use serde_json::{Value, json};

use crate::canary;
use crate::client::{Answer, Client};
use crate::gateway::Gateway;

/// The scopes of a tenant's access key.
const SCOPES: [&str; 4] = ["inference", "keys", "usage", "billing"];

/// A user with an access key.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// The user's id.
    pub user: String,
    /// The user's calls.
    pub client: Client,
    admin: Client,
}

impl Tenant {
    /// A new user of this tier, with an access key and no credits.
    pub async fn new(gateway: &Gateway, tier: &str) -> Self {
        let admin = gateway.admin();
        let user = canary::name("user");
        let body = json!({"id": user, "tier": tier});
        let _ = admin.post("/api/v1/users", body).await.ok();
        let access_key = issue(&admin, json!({"user": user, "scopes": SCOPES})).await;
        Self {
            client: gateway.client(&access_key),
            user,
            admin,
        }
    }

    /// The name of its account.
    pub fn account(&self) -> String {
        format!("users/{}", self.user)
    }

    /// Gives its account credits.
    pub async fn grant(&self, amount: &str) {
        grant(&self.admin, &self.account(), amount).await;
    }

    /// Stores a new provider key of its own, and gives id and key.
    pub async fn own_key(&self, provider: &str) -> (String, String) {
        let key = canary::provider_key(provider);
        let id = self
            .add_key(json!({"provider": provider, "key": key}))
            .await;
        (id, key)
    }

    /// Stores a provider key, and gives its id.
    pub async fn add_key(&self, body: Value) -> String {
        let answer = self.client.post("/api/v1/provider-keys", body).await.ok();
        assert_eq!(answer.status.as_u16(), 201);
        text(&answer.json()["id"])
    }

    /// One of its provider keys.
    pub async fn key(&self, id: &str) -> Value {
        let path = format!("/api/v1/provider-keys/{id}");
        self.client.get(&path).await.ok().json()
    }

    /// Balance, held and available.
    pub async fn credits(&self) -> Value {
        self.client.get("/api/v1/credits").await.ok().json()
    }

    /// Its balance.
    pub async fn balance(&self) -> String {
        text(&self.credits().await["balance"])
    }

    /// All its transactions, newest first.
    pub async fn transactions(&self) -> Vec<Value> {
        all(&self.client, "/api/v1/credits/transactions", "transactions").await
    }

    /// All its usage records, newest first.
    pub async fn records(&self) -> Vec<Value> {
        all(&self.client, "/api/v1/usage/records", "records").await
    }

    /// The receipt of a request.
    pub async fn receipt(&self, request_id: &str) -> Value {
        let path = format!("/api/v1/requests/{request_id}");
        self.client.get(&path).await.ok().json()
    }

    /// What would serve this model.
    pub async fn explain(&self, model: &str) -> Value {
        let body = json!({"model": model});
        let answer = self.client.post("/api/v1/routes/explain", body).await;
        answer.ok().json()
    }

    /// A further access key of this user, with further members such as `organization` or `project`.
    pub async fn access_key(&self, members: Value) -> String {
        let mut body = json!({"user": self.user, "scopes": SCOPES});
        for (name, value) in members.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        issue(&self.admin, body).await
    }
}

/// Makes an organisation of this tier, and gives its id.
pub async fn organization(gateway: &Gateway, tier: &str) -> String {
    let id = canary::name("org");
    let body = json!({"id": id, "tier": tier});
    let _ = gateway
        .admin()
        .post("/api/v1/organizations", body)
        .await
        .ok();
    id
}

/// Makes a user a member of an organisation.
pub async fn member(gateway: &Gateway, organization: &str, user: &str, role: &str) {
    let path = format!("/api/v1/organizations/{organization}/members");
    let body = json!({"user": user, "role": role});
    let _ = gateway.admin().post(&path, body).await.ok();
}

/// Makes a project within an organisation, and gives its id.
pub async fn project(gateway: &Gateway, organization: &str) -> String {
    let id = canary::name("project");
    let body = json!({"id": id, "organization": organization});
    let _ = gateway.admin().post("/api/v1/projects", body).await.ok();
    id
}

/// Gives an account credits.
pub async fn grant(admin: &Client, account: &str, amount: &str) {
    let body = json!({
        "account": account, "amount": amount, "idempotency_key": canary::name("grant"),
    });
    let _ = admin.post("/api/v1/credits/grants", body).await.ok();
}

async fn issue(admin: &Client, body: Value) -> String {
    let answer = admin.post("/api/v1/access-keys", body).await.ok();
    assert_eq!(answer.status.as_u16(), 201);
    text(&answer.json()["secret"])
}

/// Every row of a list.
pub async fn all(client: &Client, path: &str, member: &str) -> Vec<Value> {
    all_by(client, path, member, 200).await
}

/// Every row of a list, read in pages of this size.
pub async fn all_by(client: &Client, path: &str, member: &str, page_size: usize) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut token = String::new();
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let page = format!("{path}{separator}page_size={page_size}&page_token={token}");
        let answer: Answer = client.get(&page).await.ok();
        let json = answer.json();
        let more = json[member].as_array();
        rows.extend(more.expect("a list of what was asked for").iter().cloned());
        match json["next_page_token"].as_str() {
            None | Some("") => return rows,
            Some(next) => next.clone_into(&mut token),
        }
    }
}

#[track_caller]
fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

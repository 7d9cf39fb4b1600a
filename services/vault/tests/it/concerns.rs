//! What metering hears of keys that somebody should look at.

use keyward_auth::Peer;
use keyward_proto::vault::v1::identity_service_client::IdentityServiceClient;
use keyward_proto::vault::v1::vault_service_client::VaultServiceClient;
use keyward_proto::vault::v1::{self as proto, OwnerKind};
use keyward_runtime::error::Reason;
use tonic::Request;

use crate::rig::{ADMIN_KEY, Rig, new_key, ok, openai_key, reason, with};

const DAY: i64 = 24 * 3600;

/// Somebody who asks again and again.
struct Asker<'a> {
    rig: &'a Rig,
    page_size: u32,
    token: String,
}

impl<'a> Asker<'a> {
    fn new(rig: &'a Rig) -> Self {
        Self {
            rig,
            page_size: 1,
            token: String::new(),
        }
    }

    /// What there is until nothing more is; in the order of the keys' names.
    async fn ask(&mut self) -> Vec<(String, Vec<&'static str>, Vec<String>)> {
        let mut vault = VaultServiceClient::new(self.rig.connect(Peer::Metering));
        let mut concerns = Vec::new();
        loop {
            let request = proto::ListKeyConcernsRequest {
                page_size: self.page_size,
                page_token: self.token.clone(),
            };
            let page = ok(vault.list_key_concerns(Request::new(request)).await);
            concerns.extend(page.key_concerns.into_iter().map(shown));
            self.token = page.next_page_token;
            if page.caught_up {
                concerns.sort();
                return concerns;
            }
        }
    }
}

fn shown(concern: proto::KeyConcern) -> (String, Vec<&'static str>, Vec<String>) {
    let key = concern.provider_key.unwrap();
    let hygiene = key.hygiene.unwrap();
    let matters = [
        (hygiene.failing_since_time.is_some(), "failing"),
        (hygiene.rotation_due, "due"),
        (hygiene.expiring, "expiring"),
    ];
    let matters = matters
        .into_iter()
        .filter_map(|(is, what)| is.then_some(what));
    (key.label, matters.collect(), concern.accounts)
}

/// Stores a key with a name.
async fn key(
    rig: &Rig,
    by: &str,
    name: &str,
    owner: Option<(OwnerKind, &str)>,
) -> proto::ProviderKey {
    let mut request = new_key(owner, &openai_key(name));
    request.label = name.to_owned();
    let made = ok(rig.keys().create_provider_key(with(by, request)).await);
    made.provider_key.unwrap()
}

async fn refuse(rig: &Rig, key: &proto::ProviderKey) {
    let request = proto::ReportKeyOutcomeRequest {
        provider_key_id: key.provider_key_id.clone(),
        version: key.version,
        outcome: proto::KeyOutcome::Rejected.into(),
        reason: "revoked".to_owned(),
        ..Default::default()
    };
    ok(rig.router().report_key_outcome(Request::new(request)).await);
}

async fn account(rig: &Rig, name: &str) -> String {
    let request = proto::ResolveAccountRequest {
        account: name.to_owned(),
    };
    let mut identity = IdentityServiceClient::new(rig.connect(Peer::Metering));
    let uid = ok(identity.resolve_account(Request::new(request)).await).uid;
    format!("{}/{uid}", name.split_once('/').unwrap().0)
}

#[tokio::test]
async fn a_key_is_told_of_once_it_fails_grows_old_or_is_about_to_expire() {
    let rig = Rig::start().await;
    let (bob, eve) = (rig.user("bob").await, rig.user("eve").await);
    let one = key(&rig, &bob, "one", None).await;
    let _two = key(&rig, &eve, "two", None).await;
    let accounts = |name| account(&rig, name);
    let (bobs, eves) = (accounts("users/bob").await, accounts("users/eve").await);
    let failing = || ("one".to_owned(), vec!["failing"], vec![bobs.clone()]);

    let mut asker = Asker::new(&rig);
    assert_eq!(asker.ask().await, []);
    refuse(&rig, &one).await;
    assert_eq!(asker.ask().await, [failing()]);
    assert_eq!(asker.ask().await, [], "nothing has changed since");
    assert_eq!(Asker::new(&rig).ask().await, [failing()], "asked anew");

    rig.advance(90 * DAY);
    let due = ("two".to_owned(), vec!["due"], vec![eves]);
    let both = ("one".to_owned(), vec!["failing", "due"], vec![bobs.clone()]);
    assert_eq!(asker.ask().await, [], "time changes no key");
    assert_eq!(Asker::new(&rig).ask().await, [both, due]);
}

#[tokio::test]
async fn keys_of_projects_and_of_the_platform_are_told_of_to_those_behind_them() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let project = proto::CreateProjectRequest {
        project: Some(proto::Project {
            project_id: "app".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    ok(rig.identity().create_project(with(&bob, project)).await);
    let in_project = Some((OwnerKind::Project, "app"));
    let of_platform = Some((OwnerKind::System, ""));
    let mut asker = Asker::new(&rig);
    for (by, name, owner) in [
        (bob.as_str(), "in-project", in_project),
        (ADMIN_KEY, "of-platform", of_platform),
    ] {
        refuse(&rig, &key(&rig, by, name, owner).await).await;
    }
    let bobs = account(&rig, "users/bob").await;
    let admins = account(&rig, "users/admin").await;
    assert_eq!(
        asker.ask().await,
        [
            ("in-project".to_owned(), vec!["failing"], vec![bobs]),
            ("of-platform".to_owned(), vec!["failing"], vec![admins]),
        ]
    );
}

#[tokio::test]
async fn nobody_else_hears_of_them_and_a_foreign_place_is_refused() {
    let rig = Rig::start().await;
    for peer in [Peer::Edge, Peer::Router, Peer::Outside] {
        let mut vault = VaultServiceClient::new(rig.connect(peer));
        let request = with(ADMIN_KEY, proto::ListKeyConcernsRequest::default());
        let refused = vault.list_key_concerns(request).await;
        assert_eq!(reason(refused), Reason::PeerNotAllowed, "{peer:?}");
    }
    let mut vault = VaultServiceClient::new(rig.connect(Peer::Metering));
    let request = proto::ListKeyConcernsRequest {
        page_token: "nonsense".to_owned(),
        ..Default::default()
    };
    let refused = vault.list_key_concerns(Request::new(request)).await;
    assert_eq!(reason(refused), Reason::InvalidRequest);
}

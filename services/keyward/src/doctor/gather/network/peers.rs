//! The roles elsewhere that the roles here call.

use futures::future::join_all;
use url::Url;

use super::{Health, health};
use crate::doctor::gather::Subject;
use crate::doctor::judge::peers::{Facts, State};
use crate::roles::{Role, Roles};

/// Asks each of them how it is.
pub(crate) async fn gather(subject: &Subject) -> Vec<Facts> {
    let urls = &subject.settings.urls;
    let peers = [
        (Role::Router, "router", &urls.router),
        (Role::Vault, "vault", &urls.vault),
        (Role::Metering, "metering", &urls.metering),
    ];
    let needed = peers
        .into_iter()
        .filter(|(role, ..)| is_needed(*role, &subject.roles));
    join_all(needed.map(|(role, name, url)| ask(subject, role, name, url.as_ref()))).await
}

/// Everybody calls the vault; the edge and the router call metering; the edge calls the router.
fn is_needed(role: Role, here: &Roles) -> bool {
    let callers: &[Role] = match role {
        Role::Vault => &[Role::Edge, Role::Router, Role::Metering],
        Role::Metering => &[Role::Edge, Role::Router],
        Role::Router => &[Role::Edge],
        Role::Edge => &[],
    };
    !here.has(role) && callers.iter().any(|caller| here.has(*caller))
}

async fn ask(subject: &Subject, called: Role, role: &'static str, url: Option<&Url>) -> Facts {
    let Some(url) = url else {
        return Facts {
            role,
            address: String::new(),
            state: State::NotSet,
        };
    };
    // Without what else may stand in it: user names, paths.
    let address = url.origin().ascii_serialization();
    let state = match health(subject, called.peer(), &address, "").await {
        Health::Serves => State::Serves,
        Health::NotReady | Health::Unknown => State::NotReady,
        Health::None(problem) => State::Away(problem),
    };
    Facts {
        role,
        address,
        state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_called_is_asked() {
        for (here, needed) in [
            (vec![], vec![]),
            (vec![Role::Vault], vec![]),
            (vec![Role::Metering], vec![Role::Vault]),
            (vec![Role::Router], vec![Role::Vault, Role::Metering]),
            (
                vec![Role::Edge],
                vec![Role::Router, Role::Vault, Role::Metering],
            ),
            (
                vec![Role::Edge, Role::Router],
                vec![Role::Vault, Role::Metering],
            ),
        ] {
            let roles = Roles::of(&here);
            let all = [Role::Router, Role::Vault, Role::Metering];
            let found: Vec<Role> = all
                .into_iter()
                .filter(|role| is_needed(*role, &roles))
                .collect();
            assert_eq!(found, needed, "{here:?}");
        }
    }
}

//! The transit engine that keeps a master key, if one is set.

use keyward_vault::KekError;
use keyward_vault::inspect::inspect_transit;
use tokio::time::timeout;

use super::LIMIT;
use crate::configs;
use crate::doctor::gather::Subject;
use crate::doctor::judge::transit::Facts;
use crate::roles::Role;

/// Asks it what its key is like, as a start does.
pub(crate) async fn gather(subject: &Subject) -> Option<Facts> {
    if !subject.roles.has(Role::Vault) {
        return None;
    }
    let setting = configs::vault(&subject.settings).ok()?.transit?;
    Some(match timeout(LIMIT, inspect_transit(&setting)).await {
        Ok(Ok(id)) => Facts::Answers(id),
        Ok(Err(KekError::Unfit(problem))) => Facts::Unfit(problem),
        Ok(Err(error)) => Facts::Away(error.to_string()),
        Err(_) => Facts::Away(format!("transit: no answer within {} s", LIMIT.as_secs())),
    })
}

//! Notices, listed. They are written with what they tell of.

use keyward_runtime::page;

use super::App;
use crate::MeteringError;
use crate::domain::requester::Requester;
use crate::store::notices::ListedNotice;

impl App {
    /// A page of an account's notices, newest first, and the account's name. They tell of everybody
    /// there, so they are not for those who see only their own usage.
    pub(crate) async fn notices(
        &self,
        requester: &Requester,
        account: &str,
        page_size: u32,
        page_token: &str,
    ) -> Result<(String, Vec<ListedNotice>, String), MeteringError> {
        let access = self.access(requester, account).await?;
        if access.only_user.is_some() {
            return Err(MeteringError::RoleNotAllowed("see its notices"));
        }
        let size = page::size(page_size);
        let before = super::credits::before(page_token)?;
        let rows = self.store.notices(access.key, before, size + 1).await?;
        let (rows, next) = page::cut(rows, size, |row| row.sequence.to_string());
        Ok((access.name.to_string(), rows, next))
    }
}

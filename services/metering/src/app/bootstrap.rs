//! The credits with which a first start can be tried.

use std::time::Duration;

use keyward_money::Nanos;
use keyward_runtime::error;
use tokio_util::sync::CancellationToken;

use super::{App, Grant};
use crate::MeteringError;
use crate::domain::account::{AccountKind, AccountName};

/// Who gets them.
const ADMIN: &str = "admin";

/// How much: 10.00 credits.
const AMOUNT: Nanos = Nanos::new(10_000_000_000);

/// How long to wait between tries, at first and at most. The vault may start later than metering.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// How often the vault may say that there is no admin before that is taken for an answer: the user
/// was deleted since, and there is nobody to grant anything to.
const NOT_FOUND_MAX: u32 = 5;

impl App {
    /// Grants the first user its first credits, once for ever: the idempotency key is bound to the
    /// user's internal id.
    pub(crate) async fn grant_first_credits(&self) -> Result<(), MeteringError> {
        let name = AccountName::new(AccountKind::User, ADMIN);
        let account = self.directory.resolve(&name).await?;
        let grant = Grant {
            account: name.to_string(),
            amount: AMOUNT,
            priority: 0,
            expire_time: None,
            request_id: format!("first-start:{}", account.uid),
            note: "first start".to_owned(),
        };
        let (_, duplicate) = self.post_grant(account, grant).await?;
        if !duplicate {
            tracing::info!(account = %name, credits = %AMOUNT, "first credits granted");
        }
        Ok(())
    }

    /// Tries until the vault has answered or it is told to stop; says whether the vault has.
    pub(crate) async fn grant_first_credits_until(&self, stop: CancellationToken) -> bool {
        let mut wait = RETRY_FIRST;
        let mut not_found = 0;
        loop {
            match self.grant_first_credits().await {
                Err(MeteringError::NotFound(_)) if not_found < NOT_FOUND_MAX => not_found += 1,
                Ok(()) | Err(MeteringError::NotFound(_)) => return true,
                Err(fault) => {
                    tracing::debug!(error.chain = %error::chain(&fault), "first credits must wait");
                }
            }
            if stop
                .run_until_cancelled(tokio::time::sleep(wait))
                .await
                .is_none()
            {
                return false;
            }
            wait = (wait * 2).min(RETRY_MAX);
        }
    }
}

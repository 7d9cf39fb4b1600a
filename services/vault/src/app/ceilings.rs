//! Each router's ceiling. Kept by who the router is, not by its connection: neither a restart of the
//! router nor another connection gives it room.

use std::collections::HashMap;

use jiff::Timestamp;
use keyward_auth::Instance;
use parking_lot::Mutex;
use uuid::Uuid;

use super::Context;
use crate::domain::ceiling::Window;
use crate::error::{Result, VaultError};

/// How many routers are told apart; further ones share what those without a certificate have.
const ROUTERS_MAX: usize = 1_000;

/// The ceilings of all routers.
#[derive(Debug)]
pub(crate) struct Ceilings {
    /// Distinct secrets a minute for each.
    ceiling: usize,
    /// `None` for all without a certificate.
    windows: Mutex<HashMap<Option<Instance>, Window>>,
}

impl Ceilings {
    pub(crate) fn new(ceiling: usize) -> Self {
        Self {
            ceiling,
            windows: Mutex::default(),
        }
    }

    /// Counts a secret as given.
    ///
    /// # Errors
    /// [`VaultError::SecretCeiling`] if the router may have no other secret now.
    pub(super) fn admit(&self, context: &Context, secret: Uuid) -> Result<()> {
        match self.admits(context.instance, secret, context.now) {
            true => Ok(()),
            false => Err(VaultError::SecretCeiling(self.ceiling)),
        }
    }

    fn admits(&self, router: Option<Instance>, secret: Uuid, now: Timestamp) -> bool {
        let mut windows = self.windows.lock();
        if !windows.contains_key(&router) && windows.len() >= ROUTERS_MAX {
            windows.retain(|_, window| !window.is_empty(now));
        }
        let known = windows.contains_key(&router) || windows.len() < ROUTERS_MAX;
        let window = windows.entry(router.filter(|_| known)).or_default();
        window.admit(secret, now, self.ceiling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000).unwrap()
    }

    fn router(number: usize) -> Instance {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        Instance(key)
    }

    #[test]
    fn one_router_over_its_ceiling_is_nothing_to_another() {
        let ceilings = Ceilings::new(2);
        let asks = |router: Option<Instance>, secret| {
            ceilings.admits(router, Uuid::from_u128(secret), now())
        };
        assert!(asks(Some(router(1)), 1) && asks(Some(router(1)), 2) && !asks(Some(router(1)), 3));
        assert!(asks(Some(router(2)), 3) && asks(None, 4));
        assert!(!asks(Some(router(1)), 4));
    }

    #[test]
    fn ever_new_certificates_share_one_ceiling_in_the_end() {
        let ceilings = Ceilings::new(1);
        let asks = |router: Option<Instance>, secret| {
            ceilings.admits(router, Uuid::from_u128(secret), now())
        };
        for number in 0..ROUTERS_MAX {
            assert!(asks(Some(router(number)), 1));
        }
        assert!(asks(Some(router(ROUTERS_MAX)), 1));
        assert!(!asks(Some(router(ROUTERS_MAX + 1)), 2));
        assert!(ceilings.windows.lock().len() <= ROUTERS_MAX + 1);
    }
}

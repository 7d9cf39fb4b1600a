//! What the stores hold, as the services that own them say.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use keyward_vault::inspect::{Destination, Inspection, inspect, inspect_postgres};
use keyward_vault::{KeyFileError, PostgresUrl, StartError, VaultConfig};

use super::Subject;
use crate::configs;
use crate::doctor::judge::master_key::{self, Refusal};
use crate::doctor::judge::stores;
use crate::roles::Role;

/// How long SQLite's own check of one file may take.
const CHECK_LIMIT: Duration = Duration::from_secs(5);

/// What was found in the stores of the roles that run here.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Each store.
    pub(crate) stores: Vec<stores::Facts>,
    /// The master key, where the vault runs here.
    pub(crate) master_key: Option<master_key::Facts>,
    /// The newest time in any of them, and whose it is.
    pub(crate) last_write: Option<(&'static str, Timestamp)>,
    /// Where stored keys are sent.
    pub(crate) destinations: BTreeSet<Destination>,
}

/// Looks into all stores at once.
pub(crate) async fn gather(subject: Arc<Subject>) -> Kept {
    let vault = vault(Arc::clone(&subject));
    let (vault, metering, router) = tokio::join!(vault, metering(&subject), router(&subject));
    let mut kept = Kept::default();
    for found in [vault, metering, router].into_iter().flatten() {
        kept.add(found);
    }
    kept
}

impl Kept {
    fn add(&mut self, other: Self) {
        self.stores.extend(other.stores);
        self.master_key = self.master_key.take().or(other.master_key);
        self.destinations.extend(other.destinations);
        let both = [self.last_write, other.last_write];
        self.last_write = both.into_iter().flatten().max_by_key(|(_, time)| *time);
    }
}

async fn vault(subject: Arc<Subject>) -> Option<Kept> {
    if !subject.roles.has(Role::Vault) {
        return None;
    }
    let config = configs::vault(&subject.settings).ok()?;
    let has_transit = config.transit.is_some();
    let kept = match config.postgres.clone() {
        Some(url) => in_postgres(&config, &url).await,
        // It does not panic, and is not cancelled while it is waited for.
        None => tokio::task::spawn_blocking(move || in_a_file(&config))
            .await
            .ok()?,
    };
    // Where there is a key in transit, none is made.
    let is_told = |key: &master_key::Facts| key.current.is_some() || !has_transit;
    Some(Kept {
        master_key: kept.master_key.filter(is_told),
        ..kept
    })
}

async fn in_postgres(config: &VaultConfig, url: &PostgresUrl) -> Kept {
    kept_of(inspect_postgres(config, url).await, |store| {
        let found = store.unwrap_or_else(|| Err("there is none".to_owned()));
        stores::Place::Postgres(url.to_string(), found)
    })
}

fn in_a_file(config: &VaultConfig) -> Kept {
    let file = config.data_dir.join("vault.db").display().to_string();
    kept_of(inspect(config, CHECK_LIMIT), |store| {
        stores::Place::File(file, store)
    })
}

fn kept_of<F>(
    found: Inspection<F>,
    place: impl FnOnce(Option<Result<F, String>>) -> stores::Place,
) -> Kept {
    let store = found.store.map(|store| store.map_err(|error| said(&error)));
    let key = found
        .master_key
        .map(|key| key.map_err(|error| refusal(&error)));
    Kept {
        stores: vec![stores::Facts {
            service: "vault",
            place: place(store),
        }],
        master_key: Some(master_key::Facts {
            current: key,
            data_keys: found.data_keys,
        }),
        last_write: found.last_write.map(|time| ("vault", time)),
        destinations: found.destinations,
    }
}

async fn metering(subject: &Subject) -> Option<Kept> {
    if !subject.roles.has(Role::Metering) {
        return None;
    }
    let config = configs::metering(&subject.settings).ok()?;
    Some(match config.postgres {
        Some(url) => metering_in_postgres(&url).await,
        // It does not panic, and is not cancelled while it is waited for.
        None => tokio::task::spawn_blocking(move || metering_in_a_file(&config.database))
            .await
            .ok()?,
    })
}

async fn metering_in_postgres(url: &PostgresUrl) -> Kept {
    let found = keyward_metering::inspect::inspect_postgres(url).await;
    let last_write = found.as_ref().ok().and_then(|found| found.last_write);
    let store = found.map(|found| found.store).map_err(|error| said(&error));
    kept_of_metering(stores::Place::Postgres(url.to_string(), store), last_write)
}

fn metering_in_a_file(path: &Path) -> Kept {
    let found = keyward_metering::inspect::inspect(path, CHECK_LIMIT);
    let last_write = match &found {
        Some(Ok(found)) => found.last_write,
        _ => None,
    };
    let store = found.map(|found| found.map(|found| found.store).map_err(|error| said(&error)));
    let file = path.display().to_string();
    kept_of_metering(stores::Place::File(file, store), last_write)
}

fn kept_of_metering(place: stores::Place, last_write: Option<Timestamp>) -> Kept {
    Kept {
        stores: vec![stores::Facts {
            service: "metering",
            place,
        }],
        last_write: last_write.map(|time| ("metering", time)),
        ..Kept::default()
    }
}

async fn router(subject: &Subject) -> Option<Kept> {
    if !subject.roles.has(Role::Router) {
        return None;
    }
    let place = if let Some(url) = configs::router_postgres(&subject.settings).ok()? {
        let found = keyward_router::inspect::inspect_postgres(&url).await;
        stores::Place::Postgres(url.to_string(), found.map_err(|error| said(&error)))
    } else {
        // It does not panic, and is not cancelled while it is waited for.
        let path = configs::router_file(&subject.settings);
        tokio::task::spawn_blocking(move || router_in_a_file(&path))
            .await
            .ok()?
    };
    Some(Kept {
        stores: vec![stores::Facts {
            service: "router",
            place,
        }],
        ..Kept::default()
    })
}

fn router_in_a_file(path: &Path) -> stores::Place {
    let found = keyward_router::inspect::inspect(path, CHECK_LIMIT);
    let found = found.map(|found| found.map_err(|error| said(&error)));
    stores::Place::File(path.display().to_string(), found)
}

/// What to do about a master key that cannot be used.
fn refusal(error: &StartError) -> Refusal {
    let mend = match error {
        StartError::KeyFile(KeyFileError::Readable(path)) => format!(
            "chmod 600 '{}'; if somebody may have read it, replace the keys that it protects",
            path.display()
        ),
        StartError::KeyFile(KeyFileError::Missing(path)) => {
            format!(
                "put it back to {}, or set vault.master_keys",
                path.display()
            )
        }
        _ => "give the vault a key of 32 random bytes in base64, as `openssl rand -base64 32` \
              makes them; the one that the store was made with, if there is a store"
            .to_owned(),
    };
    Refusal {
        problem: said(error),
        mend,
    }
}

fn said(error: &dyn std::error::Error) -> String {
    keyward_runtime::error::chain(error)
}

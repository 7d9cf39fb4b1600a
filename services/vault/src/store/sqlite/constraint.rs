//! The one place that maps violated constraints to what they mean.

use keyward_storage::StorageError;

use crate::store::StoreError;

/// Unique constraints, as SQLite names them: by their columns.
const EXISTS: [&str; 7] = [
    "master_keys.id",
    "accounts.kind, accounts.id",
    "projects.holder_uid, projects.id",
    "members.organization_uid, members.user_uid",
    "access_keys.id",
    "access_keys.hash",
    "provider_keys.owner_kind, provider_keys.owner_uid, provider_keys.provider, provider_keys.fingerprint",
];

/// Turns SQLite's error into the store's.
pub(super) fn to_store_error(error: rusqlite::Error) -> StoreError {
    let error = StorageError::from(error);
    match error.constraint() {
        Some(message) if is_taken(message) => StoreError::Exists,
        Some(message) if message.starts_with("FOREIGN KEY") => StoreError::OwnerGone,
        _ => StoreError::Fault(error),
    }
}

fn is_taken(message: &str) -> bool {
    message
        .strip_prefix("UNIQUE constraint failed: ")
        .is_some_and(|columns| EXISTS.contains(&columns))
}

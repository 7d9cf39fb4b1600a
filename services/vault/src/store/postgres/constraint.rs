//! The one place that maps violated constraints to what they mean.

use keyward_storage::{PostgresError, StorageError};

use crate::store::StoreError;

/// Unique constraints, by their names. A member who is added twice may be found by either of two.
const EXISTS: [&str; 8] = [
    "master_keys_pkey",
    "accounts_id_unique",
    "projects_id_unique",
    "members_pkey",
    "members_unique",
    "access_keys_id_unique",
    "access_keys_hash_unique",
    "provider_keys_fingerprint_unique",
];

/// The SQLSTATE of a reference to a row that is not there.
const FOREIGN_KEY_VIOLATION: &str = "23503";

/// Turns Postgres' error into the store's.
pub(super) fn to_store_error(error: StorageError) -> StoreError {
    if is_foreign_key(&error) {
        return StoreError::OwnerGone;
    }
    match error.constraint() {
        Some(name) if EXISTS.contains(&name) => StoreError::Exists,
        _ => StoreError::Fault(error),
    }
}

fn is_foreign_key(error: &StorageError) -> bool {
    let code = match error {
        StorageError::Postgres(error) => PostgresError::code(error),
        _ => None,
    };
    code == Some(FOREIGN_KEY_VIOLATION)
}

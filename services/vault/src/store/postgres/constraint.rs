//! The one place that maps violated constraints to what they mean.

use keyward_storage::StorageError;

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

/// The SQLSTATE of a text with a character that Postgres has not: NUL, as all else is UTF-8.
const NOT_IN_THE_ENCODING: &str = "22021";

/// Turns Postgres' error into the store's.
pub(super) fn to_store_error(error: StorageError) -> StoreError {
    match (code(&error), error.constraint()) {
        (Some(FOREIGN_KEY_VIOLATION), _) => StoreError::OwnerGone,
        (Some(NOT_IN_THE_ENCODING), _) => StoreError::Text,
        (_, Some(name)) if EXISTS.contains(&name) => StoreError::Exists,
        _ => StoreError::Fault(error),
    }
}

fn code(error: &StorageError) -> Option<&str> {
    match error {
        StorageError::Postgres(error) => error.code(),
        _ => None,
    }
}

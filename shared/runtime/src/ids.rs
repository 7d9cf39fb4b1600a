//! Ids of our own making: UUIDv7, so that they sort by time.

use uuid::Uuid;

/// A new UUIDv7 (RFC 9562).
pub fn new() -> Uuid {
    Uuid::now_v7()
}

/// A new UUIDv7 as text.
pub fn new_text() -> String {
    new().to_string()
}

//! All that the router's store holds, for copies: the one list, which a test holds against both
//! schemas.

use keyward_storage::copy::{Layout, Table};
use keyward_storage::tables;

use super::{postgres, sqlite};

/// All that the router's store holds.
pub static LAYOUT: Layout = Layout {
    tables: TABLES,
    used: &["routing_policy"],
    migrations: sqlite::MIGRATIONS,
    schema: postgres::SCHEMA,
    finish: &[],
};

const TABLES: &[Table] = tables! {
    routing_policy { owner_kind, owner_uid, sequence, revision, document, update_ms }
    policy_answer { caller, request_id, request, revision, answer_ms }
};

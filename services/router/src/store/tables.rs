//! What of the router's store is copied: the one list, which a test holds against both schemas.

use keyward_storage::copy::{Layout, Table};
use keyward_storage::tables;

use super::{postgres, sqlite};

/// All that the router's store holds, but for answers to repeatable requests: they are
/// large, and forgotten after a day anyway. Who repeats one then is served anew.
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

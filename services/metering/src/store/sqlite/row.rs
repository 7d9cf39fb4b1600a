//! Between rows and what they mean.

pub(super) use super::super::columns::{
    account, amount, budgets, budgets_text, corrupt, event, markup, prices, prices_text, signed,
    tags_text, transfer_kind, unsigned, uuid, whole_millis_from,
};

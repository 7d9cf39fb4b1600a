//! All that metering owns, for copies: the one list, which a test holds against both schemas. What
//! follows from other tables is in Postgres alone, and made anew there.

use keyward_storage::copy::{Layout, Partitions, Table};
use keyward_storage::{Value, tables};
use uuid::Uuid;

use super::{postgres, sqlite};
use crate::domain::day::Day;

/// All that metering owns.
pub static LAYOUT: Layout = Layout {
    tables: TABLES,
    used: &["transfer", "hold", "usage_record", "quarantine"],
    migrations: sqlite::MIGRATIONS,
    schema: postgres::SCHEMA,
    finish: FINISH,
};

/// By the id that each has first.
const BY_ID: Partitions = Partitions {
    of: day,
    make: "SELECT partition_make(day::integer) FROM unnest($1::bigint[]) AS wanted (day)",
};

fn day(row: &[Value]) -> i64 {
    let id = match row.first() {
        Some(Value::Text(text)) => Uuid::parse_str(text).ok(),
        Some(Value::Bytes(bytes)) => Uuid::from_slice(bytes).ok(),
        _ => None,
    };
    id.map_or(Day::NONE, Day::of_id).get().into()
}

const TABLES: &[Table] = tables! {
    account read "
        SELECT name, balance, held, leased, frozen FROM account
        UNION ALL SELECT name, sum(balance)::bigint, 0::bigint, 0::bigint, false FROM platform_balance
        GROUP BY name"
    { name, balance, held, leased, frozen }
    lease {
        lease_id, account, router, start, price_version, markup_basis_points, granted, returned,
        remaining, state, create_ms, expire_ms,
    }
    hold {
        hold_id as text, account, user_uid, organization_uid, project_uid, access_key_id,
        inference_id, provider, model, amount, charge_cap, price_version, prices as text,
        markup_basis_points, state, create_ms, expire_ms, user_id, project_id, budgets as text,
        event_id as text,
    }
    hold_forgotten { until_ms }
    transfer in day by BY_ID {
        transfer_id, sequence, kind, account, amount, overrun, late, event_id, inference_id,
        request_id, note, post_ms,
    }
    transfer_carried { account, amount }
    usage_carried { account, attempts, list_cost, charge }
    partition_dropped { day }
    lot { account, lot_id, remaining, priority, expire_ms }
    budget {
        budget_id, account, account_name, amount, period, time_zone, action, user_id, project_id,
        access_key_id, model, tag, revision, create_ms, update_ms,
    }
    budget_period { budget_id, start_ms, amount_limit, spent, held }
    usage_record in day by BY_ID {
        event_id as text, sequence, inference_id, attempt, client_request_id, account, user_uid,
        organization_uid, project_uid, access_key_id, provider, model, key_source,
        provider_key_id, status, hold_id as text, list_cost, charge, absorbed, price_version,
        markup_basis_points, record_ms, event, start_ms, user_id, project_id, tags as text,
    }
    quarantine { sequence, event_id, hold_id as text, reason, body, quarantine_ms }
    tier {
        name, markup_basis_points, organization_keys, requests_per_minute, tokens_per_minute,
        concurrency, revision, create_ms, update_ms,
    }
    price_book { version, create_ms, prices, added, removed, changed }
    price_active { slot, active, catalog }
    price { version, provider, model, prices as text }
    usage_hour {
        account, hour, user_uid, user_id, project_id, provider, model, key_source,
        provider_key_id, requests, attempts, failed_attempts, unpriced_attempts, list_cost,
        charge, own_key_list_cost, input_tokens, cache_read_tokens, cache_write_5m_tokens,
        cache_write_1h_tokens, input_audio_tokens, input_image_tokens, output_tokens,
        reasoning_tokens, output_audio_tokens, output_image_tokens, searches, images, audio_ms,
        characters,
    }
    usage_hour_tag {
        account, hour, tag_name, tag_value, user_uid, user_id, project_id, provider, model,
        key_source, provider_key_id, requests, attempts, failed_attempts, unpriced_attempts,
        list_cost, charge, own_key_list_cost, input_tokens, cache_read_tokens,
        cache_write_5m_tokens, cache_write_1h_tokens, input_audio_tokens, input_image_tokens,
        output_tokens, reasoning_tokens, output_audio_tokens, output_image_tokens, searches,
        images, audio_ms, characters,
    }
    usage_sum_day {
        account, hour, user_uid, user_id, project_id, provider, model, key_source,
        provider_key_id, requests, attempts, failed_attempts, unpriced_attempts, list_cost,
        charge, own_key_list_cost, input_tokens, cache_read_tokens, cache_write_5m_tokens,
        cache_write_1h_tokens, input_audio_tokens, input_image_tokens, output_tokens,
        reasoning_tokens, output_audio_tokens, output_image_tokens, searches, images, audio_ms,
        characters,
    }
    usage_sum_day_tag {
        account, hour, tag_name, tag_value, user_uid, user_id, project_id, provider, model,
        key_source, provider_key_id, requests, attempts, failed_attempts, unpriced_attempts,
        list_cost, charge, own_key_list_cost, input_tokens, cache_read_tokens,
        cache_write_5m_tokens, cache_write_1h_tokens, input_audio_tokens, input_image_tokens,
        output_tokens, reasoning_tokens, output_audio_tokens, output_image_tokens, searches,
        images, audio_ms, characters,
    }
    notice {
        sequence, notice_id, account, kind, rule, period, threshold, subject, message, data,
        create_ms,
    }
    webhook {
        webhook_id, account, account_name, url, kinds, label, enabled, secret, revision, create_ms,
        update_ms, success_ms, failure_ms, failure, rest_until_ms, test_ms,
    }
    outbox { outbox_id, notice_id, webhook_id, state, tries, due_ms, create_ms, end_ms }
    answer { caller, method, request_id, request, answer, answer_ms }
};

const FINISH: &[&str] = &[
    "WITH moved AS (DELETE FROM account WHERE name LIKE 'platform/%' RETURNING name, balance)
     UPDATE platform_balance SET balance = CASE shard WHEN 0 THEN moved.balance ELSE 0 END
     FROM moved WHERE moved.name = platform_balance.name",
    "INSERT INTO posting (account, request_id, day, transfer_id)
     SELECT account, request_id, day, transfer_id FROM transfer WHERE request_id IS NOT NULL",
    "INSERT INTO refunded (event_id, day, amount)
     SELECT transfer.event_id, usage_record.day, sum(transfer.amount)::bigint
     FROM transfer JOIN usage_record ON usage_record.event_id = transfer.event_id
     WHERE kind = 'refund' GROUP BY 1, 2",
    "INSERT INTO transfer_day (account, post_day, day, first_sequence)
     SELECT account, floor(post_ms / 86400000.0)::integer, day, min(sequence)
     FROM transfer WHERE kind <> 'absorbed' GROUP BY 1, 2, 3",
    "INSERT INTO usage_day (account, start_day, day)
     SELECT DISTINCT account, floor(start_ms / 86400000.0)::integer, day FROM usage_record",
    "SELECT setval('transfer_sequence', 1 + (SELECT coalesce(max(sequence), 0) FROM transfer),
         false)",
    "SELECT setval('usage_record_sequence',
         1 + (SELECT coalesce(max(sequence), 0) FROM usage_record), false)",
    "SELECT setval(pg_get_serial_sequence('notice', 'sequence'),
         1 + (SELECT coalesce(max(sequence), 0) FROM notice), false)",
    "SELECT setval(pg_get_serial_sequence('outbox', 'outbox_id'),
         1 + (SELECT coalesce(max(outbox_id), 0) FROM outbox), false)",
    "SELECT setval(pg_get_serial_sequence('quarantine', 'sequence'),
         1 + (SELECT coalesce(max(sequence), 0) FROM quarantine), false)",
];

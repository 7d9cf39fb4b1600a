//! Between the application's types and the messages of the contract.

use keyward_money::{BasisPoints, Nanos, Prices, Rates};
use keyward_proto::metering::v1 as wire;
use keyward_runtime::time;
use uuid::Uuid;

use crate::MeteringError;
use crate::app::Receipt;
use crate::domain::receipt::Record;
use crate::domain::tier::Tier;
use crate::store::{Transaction, TransactionKind};

pub(super) fn uuid(param: &'static str, text: &str) -> Result<Uuid, MeteringError> {
    Uuid::parse_str(text)
        .map_err(|_| MeteringError::invalid(param, format_args!("`{param}` is not a UUID")))
}

pub(super) fn transaction(transaction: Transaction) -> wire::Transaction {
    let kind = match transaction.kind {
        TransactionKind::Grant => wire::TransactionKind::Grant,
        TransactionKind::Charge => wire::TransactionKind::Charge,
    };
    wire::Transaction {
        transaction_id: transaction.id,
        post_time: Some(time::to_proto(transaction.post_time)),
        kind: kind.into(),
        amount_nanos: transaction.amount.get(),
        inference_id: transaction.inference_id,
        note: transaction.note,
        request_id: transaction.request_id,
    }
}

pub(super) fn tier(tier: Tier) -> wire::Tier {
    wire::Tier {
        tier: tier.name,
        markup_basis_points: tier.markup.get(),
        organization_keys: tier.organization_keys,
        ..wire::Tier::default()
    }
}

pub(super) fn rates(rates: Rates) -> wire::Prices {
    wire::Prices {
        input: rates.input,
        output: rates.output,
        cache_read: rates.cache_read,
        cache_write_5m: rates.cache_write_5m,
        cache_write_1h: rates.cache_write_1h,
        input_audio: rates.input_audio,
        input_image: rates.input_image,
        reasoning: rates.reasoning,
        output_audio: rates.output_audio,
        output_image: rates.output_image,
        search_fee: rates.search_fee,
        request_fee: rates.request_fee,
        ..wire::Prices::default()
    }
}

pub(super) fn usage_record(record: Record) -> wire::UsageRecord {
    wire::UsageRecord {
        event: Some(record.event.message),
        record_time: Some(time::to_proto(record.time)),
        list_cost_nanos: record.priced.list_cost.map(Nanos::get),
        charge_nanos: record.priced.charge.get(),
        price_version: record.price_version,
        markup_basis_points: record.markup.get(),
    }
}

/// The prices shown are those that held for the length of the prompt.
pub(super) fn receipt(receipt: Receipt) -> wire::Receipt {
    let Receipt {
        attempts,
        summary,
        prices,
    } = receipt;
    let served = attempts.get(summary.served);
    let prompt_tokens = served.map_or(0, |record| record.event.usage.prompt_tokens());
    let prices = prices.map(|prices: Prices| rates(prices.rates_for(prompt_tokens)));
    wire::Receipt {
        inference_id: served
            .map(|r| r.event.message.inference_id.clone())
            .unwrap_or_default(),
        price_version: served.map_or(0, |record| record.price_version),
        prices,
        markup_basis_points: served
            .map_or(BasisPoints::ZERO, |record| record.markup)
            .get(),
        markup_nanos: summary.markup.get(),
        charge_nanos: summary.charge.get(),
        saved_nanos: summary.saved.map(Nanos::get),
        usage_source: served.map_or(0, |record| record.event.message.usage_source),
        attempts: attempts.into_iter().map(usage_record).collect(),
    }
}

//! Between the application's types and the messages of the contract.

use std::sync::Arc;

use keyward_money::{BasisPoints, LongContextTier, Nanos, Prices, Rates, ServiceTier};
use keyward_proto::metering::v1 as wire;
use keyward_runtime::time;
use uuid::Uuid;

use crate::MeteringError;
use crate::app::Receipt;
use crate::domain::filter::{Filter, TagFilter};
use crate::domain::ledger::{Transfer, TransferKind};
use crate::domain::receipt::Record;
use crate::store::Transaction;

pub(super) fn uuid(param: &'static str, text: &str) -> Result<Uuid, MeteringError> {
    Uuid::parse_str(text)
        .map_err(|_| MeteringError::invalid(param, format_args!("`{param}` is not a UUID")))
}

/// A transfer as its account sees it.
pub(super) fn transfer(transfer: Transfer) -> wire::Transaction {
    wire::Transaction {
        transaction_id: transfer.id.to_string(),
        post_time: Some(time::to_proto(transfer.time)),
        kind: kind(transfer.kind).into(),
        amount_nanos: transfer.gain().get(),
        inference_id: transfer.inference_id,
        note: transfer.note,
        request_id: transfer.request_id.unwrap_or_default(),
    }
}

fn kind(kind: TransferKind) -> wire::TransactionKind {
    match kind {
        TransferKind::Grant => wire::TransactionKind::Grant,
        TransferKind::Charge => wire::TransactionKind::Charge,
        TransferKind::Refund => wire::TransactionKind::Refund,
        TransferKind::Expiry => wire::TransactionKind::Expiry,
        // The platform's own business, which no account's list shows.
        TransferKind::Absorbed => wire::TransactionKind::Unspecified,
    }
}

pub(super) fn transaction(transaction: Transaction) -> wire::Transaction {
    wire::Transaction {
        transaction_id: transaction.id,
        post_time: Some(time::to_proto(transaction.post_time)),
        kind: kind(transaction.kind).into(),
        amount_nanos: transaction.amount.get(),
        inference_id: transaction.inference_id,
        note: transaction.note,
        request_id: transaction.request_id,
    }
}

/// All that is given for a model.
pub(super) fn prices(prices: &Prices) -> wire::Prices {
    wire::Prices {
        long_context: long_context(&prices.long_context),
        service_tiers: prices.service_tiers.iter().map(service_tier).collect(),
        ..rates(&prices.rates)
    }
}

fn long_context(tiers: &[LongContextTier]) -> Vec<wire::LongContextPrices> {
    tiers
        .iter()
        .map(|tier| wire::LongContextPrices {
            above_tokens: tier.above_tokens,
            inclusive: tier.inclusive,
            prices: Some(rates(&tier.prices)),
        })
        .collect()
}

fn service_tier(tier: &ServiceTier) -> wire::ServiceTierPrices {
    wire::ServiceTierPrices {
        service_tier: tier.service_tier.clone(),
        prices: Some(wire::Prices {
            long_context: long_context(&tier.long_context),
            ..rates(&tier.rates)
        }),
    }
}

/// The plain prices among them.
pub(super) fn rates(rates: &Rates) -> wire::Prices {
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
        image_fee: rates.image_fee,
        audio_ms: rates.audio_ms,
        characters: rates.characters,
        ..wire::Prices::default()
    }
}

pub(super) fn filter(filter: Option<wire::UsageFilter>) -> Result<Filter, MeteringError> {
    let filter = filter.unwrap_or_default();
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let key_source = wire::KeySource::try_from(filter.key_source)
        .map_err(|_| MeteringError::invalid("key_source", "`key_source` is not known"))?;
    Ok(Filter {
        start: moment("start_time", filter.start_time)?,
        end: moment("end_time", filter.end_time)?,
        model: given(filter.model),
        provider: given(filter.provider),
        key_source: Some(key_source.into()).filter(|source| *source != 0),
        provider_key_id: given(filter.provider_key_id),
        user: given(filter.user),
        project: given(filter.project),
        tag: given(filter.tag).map(|tag| TagFilter::parse(&tag)),
    })
}

pub(super) fn moment(
    param: &'static str,
    time: Option<prost_types::Timestamp>,
) -> Result<Option<jiff::Timestamp>, MeteringError> {
    let out_of_range =
        || MeteringError::invalid(param, format_args!("`{param}` is not a time that is known"));
    time.map(|time| time::from_proto(&time).ok_or_else(out_of_range))
        .transpose()
}

/// A record as lists have it: without the candidates, which are the receipt's.
pub(super) fn usage_record(record: Record) -> wire::UsageRecord {
    let event = wire::UsageEvent {
        candidates: Vec::new(),
        candidates_omitted: 0,
        ..Arc::unwrap_or_clone(record.event.message)
    };
    wire::UsageRecord {
        event: Some(event),
        record_time: Some(time::to_proto(record.time)),
        list_cost_nanos: record.priced.list_cost.map(Nanos::get),
        charge_nanos: record.priced.charge.get(),
        price_version: record.price_version,
        markup_basis_points: record.markup.get(),
    }
}

/// The prices shown are those that held: for the length of the prompt, in the service tier that
/// served.
pub(super) fn receipt(receipt: Receipt) -> wire::Receipt {
    let Receipt {
        mut attempts,
        summary,
        prices,
    } = receipt;
    let asked = attempts.first_mut().map(|record| {
        let message = Arc::make_mut(&mut record.event.message);
        let candidates = std::mem::take(&mut message.candidates);
        let omitted = std::mem::take(&mut message.candidates_omitted);
        (message.requested_model.clone(), candidates, omitted)
    });
    let (requested_model, candidates, candidates_omitted) = asked.unwrap_or_default();
    let served = attempts.get(summary.served);
    let prices = served.zip(prices).map(|(record, prices)| {
        let event = &record.event;
        let prompt_tokens = event.usage.prompt_tokens();
        rates(&prices.rates_for(prompt_tokens, &event.message.service_tier))
    });
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
        requested_model,
        candidates,
        candidates_omitted,
    }
}

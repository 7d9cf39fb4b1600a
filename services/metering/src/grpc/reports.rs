//! Key statistics, savings, statements and re-ratings, between the application's types and the messages
//! of the contract.

use keyward_money::BasisPoints;
use keyward_proto::metering::v1 as wire;
use keyward_runtime::time;

use super::{convert, sums};
use crate::MeteringError;
use crate::app::{AccountSavings, KeysPage, KeysRequest, RerateRequest, Rerating, Statement};
use crate::domain::rerating::Rerated;
use crate::domain::statement::LedgerSums;
use crate::domain::sums::{GroupSum, Sum};

pub(super) fn keys_request(
    asked: wire::ListKeyStatisticsRequest,
) -> Result<KeysRequest, MeteringError> {
    Ok(KeysRequest {
        account: asked.account,
        filter: convert::filter(asked.filter)?,
        page_size: asked.page_size,
        page_token: asked.page_token,
    })
}

pub(super) fn keys(page: KeysPage) -> wire::ListKeyStatisticsResponse {
    let markup = page.markup;
    let keys = page.keys.into_iter().map(|key| wire::KeyStatistics {
        sum: Some(sums::group_sum(key.sum.group, &key.sum.sum, markup)),
        last_used_time: key.last_used.map(time::to_proto),
    });
    wire::ListKeyStatisticsResponse {
        keys: keys.collect(),
        next_page_token: page.next_page_token,
        start_time: Some(time::to_proto(page.start)),
        end_time: Some(time::to_proto(page.end)),
    }
}

pub(super) fn savings(of: &AccountSavings) -> wire::Savings {
    let (own, credits) = (&of.savings.own, &of.savings.credits);
    wire::Savings {
        tier: of.tier.clone(),
        markup_basis_points: of.markup.get(),
        own_key_attempts: own.attempts,
        own_key_list_cost_nanos: own.own_key_list_cost.get(),
        own_key_credit_cost_nanos: of.savings.credit_cost.get(),
        own_key_charge_nanos: own.charge.get(),
        saved_nanos: of.savings.saved().get(),
        credit_attempts: credits.attempts,
        credit_list_cost_nanos: credits.list_cost.get(),
        credit_charge_nanos: credits.charge.get(),
    }
}

pub(super) fn statement(statement: &Statement) -> wire::Statement {
    let markup = statement.savings.markup;
    let lines = statement.lines.iter().map(|group| line(group, markup));
    let lines: Vec<_> = lines.collect();
    let total = wire::StatementLine {
        saved_nanos: statement.savings.savings.saved().get(),
        ..figures(&statement.total)
    };
    wire::Statement {
        account: statement.account.to_string(),
        month: statement.month.to_string(),
        start_time: Some(time::to_proto(statement.month.start())),
        end_time: Some(time::to_proto(statement.month.end())),
        create_time: Some(time::to_proto(statement.create_time)),
        credits: Some(wire::StatementCredits {
            other_months_nanos: statement.other_months.get(),
            ..credits(&statement.ledger)
        }),
        lines,
        total: Some(total),
        savings: Some(savings(&statement.savings)),
    }
}

fn credits(ledger: &LedgerSums) -> wire::StatementCredits {
    wire::StatementCredits {
        opening_balance_nanos: ledger.opening().get(),
        grants_nanos: ledger.during.grants.get(),
        refunds_nanos: ledger.during.refunds.get(),
        charges_nanos: ledger.during.charges.get(),
        expiries_nanos: ledger.during.expiries.get(),
        closing_balance_nanos: ledger.closing().get(),
        other_months_nanos: 0,
    }
}

fn line(GroupSum { group, sum }: &GroupSum, markup: BasisPoints) -> wire::StatementLine {
    wire::StatementLine {
        model: group.model.clone().unwrap_or_default(),
        provider: group.provider.clone().unwrap_or_default(),
        key_source: group.key_source.unwrap_or_default(),
        saved_nanos: sum.saved(markup).get(),
        ..figures(sum)
    }
}

fn figures(sum: &Sum) -> wire::StatementLine {
    wire::StatementLine {
        requests: sum.requests,
        attempts: sum.attempts,
        failed_attempts: sum.failed_attempts,
        usage: Some(sum.usage.into()),
        list_cost_nanos: sum.list_cost.get(),
        charge_nanos: sum.charge.get(),
        ..wire::StatementLine::default()
    }
}

pub(super) fn rerate_request(
    asked: wire::RerateUsageRequest,
) -> Result<RerateRequest, MeteringError> {
    Ok(RerateRequest {
        account: asked.account,
        start: convert::moment("start_time", asked.start_time)?,
        end: convert::moment("end_time", asked.end_time)?,
        price_version: asked.price_version,
        tier: asked.tier,
    })
}

pub(super) fn rerating(rerating: Rerating) -> wire::RerateUsageResponse {
    let models = rerating.models.into_iter();
    wire::RerateUsageResponse {
        price_version: rerating.price_version,
        models: models
            .map(|((model, provider), rerated)| wire::RatedModel {
                model,
                provider,
                ..rated(&rerated)
            })
            .collect(),
        total: Some(rated(&rerating.total)),
        start_time: Some(time::to_proto(rerating.start)),
        end_time: Some(time::to_proto(rerating.end)),
    }
}

fn rated(rerated: &Rerated) -> wire::RatedModel {
    wire::RatedModel {
        records: rerated.records,
        list_cost_nanos: rerated.list_cost.get(),
        charge_nanos: rerated.charge.get(),
        rerated_list_cost_nanos: rerated.new_list_cost.get(),
        rerated_charge_nanos: rerated.new_charge.get(),
        unrated_records: rerated.unrated_records,
        unrated_charge_nanos: rerated.unrated_charge.get(),
        ..wire::RatedModel::default()
    }
}

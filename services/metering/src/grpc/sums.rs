//! Sums, between the application's types and the messages of the contract.

use keyward_money::BasisPoints;
use keyward_proto::metering::v1 as wire;
use keyward_runtime::time;

use super::convert;
use crate::MeteringError;
use crate::app::{SumPage, SumRequest};
use crate::domain::filter::Hour;
use crate::domain::sums::{Dimension, Dimensions, Group, GroupSum, Sum};

pub(super) fn request(asked: wire::QueryUsageRequest) -> Result<SumRequest, MeteringError> {
    let by: Result<Dimensions, MeteringError> = asked.group_by.into_iter().map(dimension).collect();
    Ok(SumRequest {
        account: asked.account,
        filter: convert::filter(asked.filter)?,
        by: by?,
        page_size: asked.page_size,
        page_token: asked.page_token,
    })
}

fn dimension(number: i32) -> Result<Dimension, MeteringError> {
    let known = wire::UsageDimension::try_from(number).unwrap_or_default();
    Ok(match known {
        wire::UsageDimension::Unspecified => {
            let message = "`group_by` has a dimension that is not known";
            return Err(MeteringError::invalid("group_by", message));
        }
        wire::UsageDimension::Hour => Dimension::Hour,
        wire::UsageDimension::Day => Dimension::Day,
        wire::UsageDimension::Model => Dimension::Model,
        wire::UsageDimension::Provider => Dimension::Provider,
        wire::UsageDimension::ProviderKey => Dimension::ProviderKey,
        wire::UsageDimension::User => Dimension::User,
        wire::UsageDimension::Project => Dimension::Project,
        wire::UsageDimension::Tag => Dimension::Tag,
        wire::UsageDimension::KeySource => Dimension::KeySource,
    })
}

pub(super) fn response(page: SumPage) -> wire::QueryUsageResponse {
    let markup = page.markup;
    wire::QueryUsageResponse {
        sums: page
            .sums
            .into_iter()
            .map(|GroupSum { group, sum }| group_sum(group, &sum, markup))
            .collect(),
        total: Some(usage_sum(&page.total, markup)),
        next_page_token: page.next_page_token,
        start_time: Some(time::to_proto(page.start)),
        end_time: Some(time::to_proto(page.end)),
    }
}

pub(super) fn group_sum(group: Group, sum: &Sum, markup: BasisPoints) -> wire::UsageSum {
    wire::UsageSum {
        time: group
            .hour
            .map(|hour| time::to_proto(Hour::new(hour).start())),
        model: group.model.unwrap_or_default(),
        provider: group.provider.unwrap_or_default(),
        provider_key_id: group.provider_key_id.unwrap_or_default(),
        user: group.user.unwrap_or_default(),
        project: group.project.unwrap_or_default(),
        key_source: group.key_source.unwrap_or_default(),
        tag: group.tag.unwrap_or_default(),
        ..usage_sum(sum, markup)
    }
}

fn usage_sum(sum: &Sum, markup: BasisPoints) -> wire::UsageSum {
    wire::UsageSum {
        requests: sum.requests,
        attempts: sum.attempts,
        failed_attempts: sum.failed_attempts,
        usage: Some(sum.usage.into()),
        list_cost_nanos: sum.list_cost.get(),
        charge_nanos: sum.charge.get(),
        own_key_list_cost_nanos: sum.own_key_list_cost.get(),
        unpriced_attempts: sum.unpriced_attempts,
        saved_nanos: sum.saved(markup).get(),
        ..wire::UsageSum::default()
    }
}

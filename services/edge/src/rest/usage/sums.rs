//! What some records add up to, as it is shown.

use jiff::tz::TimeZone;
use keyward_proto::metering::v1::{QueryUsageResponse, UsageDimension, UsageSum};
use keyward_runtime::time;
use prost_types::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::csv::Row;
use super::group_by::GroupBy;
use super::units::UsageView;
use crate::rest::values::{Amount, Time, present};
use crate::rest::words;

/// What was used in a period.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UsageSums {
    /// The sums, one for each thing that was asked for.
    usage: Vec<SumView>,
    /// The sum of everything, whatever the page.
    total: Figures,
    /// Where the period begins.
    #[schema(required)]
    from: Option<Time>,
    /// Where it ends.
    #[schema(required)]
    to: Option<Time>,
    /// Where the next page starts, for `page_token`; empty on the last.
    next_page_token: String,
}

impl UsageSums {
    pub(super) fn new(answer: QueryUsageResponse, group_by: &GroupBy) -> Self {
        let sums = answer.sums.into_iter();
        Self {
            usage: sums.map(|sum| SumView::new(sum, group_by)).collect(),
            total: answer.total.unwrap_or_default().into(),
            from: Time::from_proto(answer.start_time.as_ref()),
            to: Time::from_proto(answer.end_time.as_ref()),
            next_page_token: answer.next_page_token,
        }
    }
}

/// What some of it adds up to. It has the members that were asked for with `group_by`; `null` stands
/// for what has none, such as usage outside of projects.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageSum)]
#[allow(
    clippy::option_option,
    reason = "not asked for, and asked for where there is none"
)]
struct SumView {
    /// The day in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, examples("2026-11-21"))]
    day: Option<Option<String>>,
    /// The beginning of the hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Time>)]
    hour: Option<Option<Time>>,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    model: Option<Option<String>>,
    /// The provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    provider: Option<Option<String>>,
    /// The provider key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    key: Option<Option<String>>,
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    user: Option<Option<String>>,
    /// The project.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    project: Option<Option<String>>,
    /// The tag, `name=value`. What has several counts for each, so that these sums may exceed the
    /// total.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    tag: Option<Option<String>>,
    /// Whose key: `inline`, `user`, `project`, `organization` or `system`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    source: Option<Option<String>>,
    #[serde(flatten)]
    figures: Figures,
}

impl SumView {
    fn new(mut sum: UsageSum, group_by: &GroupBy) -> Self {
        let time = sum.time.take();
        let text = |dimension, text: &mut String| {
            group_by
                .has(dimension)
                .then(|| present(std::mem::take(text)))
        };
        Self {
            day: group_by
                .has(UsageDimension::Day)
                .then(|| day(time.as_ref())),
            hour: group_by
                .has(UsageDimension::Hour)
                .then(|| Time::from_proto(time.as_ref())),
            model: text(UsageDimension::Model, &mut sum.model),
            provider: text(UsageDimension::Provider, &mut sum.provider),
            key: text(UsageDimension::ProviderKey, &mut sum.provider_key_id),
            user: text(UsageDimension::User, &mut sum.user),
            project: text(UsageDimension::Project, &mut sum.project),
            tag: text(UsageDimension::Tag, &mut sum.tag),
            source: group_by
                .has(UsageDimension::KeySource)
                .then(|| words::key_source_word(sum.key_source).map(str::to_owned)),
            figures: sum.into(),
        }
    }
}

fn day(time: Option<&Timestamp>) -> Option<String> {
    let time = time.and_then(time::from_proto)?;
    Some(time.to_zoned(TimeZone::UTC).date().to_string())
}

/// Figures of some records together.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageFigures)]
pub(super) struct Figures {
    /// Requests.
    requests: i64,
    /// Attempts at providers; a request has several where the first failed.
    attempts: i64,
    /// Attempts that delivered nothing.
    failed_attempts: i64,
    /// What was used.
    usage: UsageView,
    /// What it costs at list price; what has no known price counts as nothing.
    list_cost: Amount,
    /// What was charged.
    charge: Amount,
    /// What own keys served, at list price.
    own_key_list_cost: Amount,
    /// What own keys saved: their list cost with the markup of the reader's tier now, which the same
    /// would have been charged on credits.
    saved: Amount,
    /// Attempts whose price is unknown.
    unpriced_attempts: i64,
}

impl From<UsageSum> for Figures {
    fn from(sum: UsageSum) -> Self {
        Self {
            requests: sum.requests,
            attempts: sum.attempts,
            failed_attempts: sum.failed_attempts,
            usage: sum.usage.unwrap_or_default().into(),
            list_cost: Amount::new(sum.list_cost_nanos),
            charge: Amount::new(sum.charge_nanos),
            own_key_list_cost: Amount::new(sum.own_key_list_cost_nanos),
            saved: Amount::new(sum.saved_nanos),
            unpriced_attempts: sum.unpriced_attempts,
        }
    }
}

/// The columns of sums.
pub(super) fn sum_columns(group_by: &GroupBy) -> Vec<String> {
    let before = ["requests", "attempts", "failed_attempts"];
    let after = [
        "list_cost",
        "charge",
        "own_key_list_cost",
        "saved",
        "unpriced_attempts",
    ];
    let dimensions = group_by.shown().map(|(name, _)| name);
    dimensions
        .chain(before)
        .chain(UsageView::COLUMNS)
        .chain(after)
        .map(str::to_owned)
        .collect()
}

/// A sum as a line.
pub(super) fn sum_row(sum: UsageSum, group_by: &GroupBy) -> Row {
    let SumView {
        day,
        hour,
        model,
        provider,
        key,
        user,
        project,
        tag,
        source,
        figures,
    } = SumView::new(sum, group_by);
    let mut row = Row::default();
    for text in [day, hour.map(|hour| hour.map(|hour| hour.to_string()))]
        .into_iter()
        .chain([model, provider, key, user, project, tag, source])
        .flatten()
    {
        row.text(&text.unwrap_or_default());
    }
    row.value(&figures.requests);
    row.value(&figures.attempts);
    row.value(&figures.failed_attempts);
    figures.usage.write(&mut row);
    row.value(&figures.list_cost);
    row.value(&figures.charge);
    row.value(&figures.own_key_list_cost);
    row.value(&figures.saved);
    row.value(&figures.unpriced_attempts);
    row
}

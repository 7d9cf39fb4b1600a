//! Which usage a caller asks for.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use keyward_proto::metering::v1::{KeySource, UsageFilter};
use keyward_runtime::time;
use prost_types::Timestamp;
use serde::Deserialize;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::group_by::GroupBy;
use crate::failure::Failure;
use crate::rest::parameters::{AccountNames, PageSize};
use crate::rest::values::from_text;
use crate::rest::words;

/// A time, or a date, which stands for its beginning in UTC.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment(jiff::Timestamp);

impl Moment {
    pub(super) fn to_proto(self) -> Timestamp {
        time::to_proto(self.0)
    }
}

from_text!(
    Moment,
    "a time in RFC 3339 or a date, such as \"2026-11-21T16:00:00Z\" or \"2026-11-21\"",
    read_moment
);

fn read_moment(text: &str) -> Option<Moment> {
    if let Some(time) = time::from_text(text) {
        return Some(Moment(time));
    }
    let date: Date = text.parse().ok().filter(|_| text.len() == 10)?;
    let begin = date.to_zoned(TimeZone::UTC).ok()?;
    Some(Moment(begin.timestamp()))
}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .examples(["2026-11-21", "2026-11-21T16:00:00Z"])
            .build()
            .into()
    }
}

impl ToSchema for Moment {}

/// Whose key, as asked for.
#[derive(Debug, Clone, Copy)]
struct SourceName(KeySource);

from_text!(
    SourceName,
    "one of `inline`, `user`, `project`, `organization`, `system`",
    |text| words::key_source_of(text).map(SourceName)
);

impl PartialSchema for SourceName {
    fn schema() -> RefOr<Schema> {
        let words = ["inline", "user", "project", "organization", "system"];
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(words))
            .build()
            .into()
    }
}

impl ToSchema for SourceName {}

/// Declares a query over usage: what all of them have, and what is its own.
macro_rules! usage_query {
    ($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize, IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(super) struct $name {
            $($(#[$attribute])* pub(super) $field: $type,)*
            /// An account, `users/{user}` or `organizations/{organization}`.
            account: Option<String>,
            /// A user: all of its own account; its part, beside `organization` or `account`.
            user: Option<String>,
            /// An organization.
            organization: Option<String>,
            /// From then on: a time, or a date in UTC.
            #[param(inline)]
            from: Option<Moment>,
            /// Before then: a time, or the beginning of a date in UTC.
            #[param(inline)]
            to: Option<Moment>,
            /// Only this model, by its id.
            model: Option<String>,
            /// Only at this provider.
            provider: Option<String>,
            /// Only with a key of this source.
            #[param(inline)]
            source: Option<SourceName>,
            /// Only with this provider key, by its id.
            key: Option<String>,
            /// Only in this project.
            project: Option<String>,
            /// Only with this tag, `name=value`, or any of that `name`.
            tag: Option<String>,
        }

        impl $name {
            /// Whose usage, and which of it.
            pub(super) fn scope(self) -> Result<(String, UsageFilter), Failure> {
                let names = AccountNames {
                    account: self.account,
                    user: self.user,
                    organization: self.organization,
                };
                let (account, user) = names.account_and_user()?;
                let source = self.source.map_or(KeySource::Unspecified, |source| source.0);
                let filter = UsageFilter {
                    start_time: self.from.map(Moment::to_proto),
                    end_time: self.to.map(Moment::to_proto),
                    model: self.model.unwrap_or_default(),
                    provider: self.provider.unwrap_or_default(),
                    key_source: source.into(),
                    provider_key_id: self.key.unwrap_or_default(),
                    user,
                    project: self.project.unwrap_or_default(),
                    tag: self.tag.unwrap_or_default(),
                };
                Ok((account, filter))
            }
        }
    };
}

usage_query!(
    /// Which records, and which page of them.
    RecordsQuery {
        /// Only those of this request, by its `x-request-id` or the caller's own id.
        request_id: Option<String>,
        /// At most this many.
        #[serde(default)]
        #[param(inline)]
        page_size: PageSize<1000>,
        /// Where the page before ended: its `next_page_token`.
        #[serde(default)]
        page_token: String,
    }
);

usage_query!(
    /// What to sum, by what, and which page of the sums.
    SumsQuery {
        /// What to sum by; one sum of everything where absent.
        #[serde(default)]
        #[param(inline, style = Form, explode = false)]
        group_by: GroupBy,
        /// At most this many.
        #[serde(default)]
        #[param(inline)]
        page_size: PageSize<1000>,
        /// Where the page before ended: its `next_page_token`.
        #[serde(default)]
        page_token: String,
    }
);

usage_query!(
    /// Which provider keys, and which page of them.
    KeysQuery {
        /// At most this many.
        #[serde(default)]
        #[param(inline)]
        page_size: PageSize,
        /// Where the page before ended: its `next_page_token`.
        #[serde(default)]
        page_token: String,
    }
);

usage_query!(
    /// Which usage to compare.
    SavingsQuery {}
);

#[cfg(test)]
mod tests {
    use super::read_moment;

    #[test]
    fn a_date_stands_for_its_beginning() {
        let read = |text| read_moment(text).map(|moment| moment.0.to_string());
        let midnight = Some("2026-11-21T00:00:00Z".to_owned());
        assert_eq!(read("2026-11-21"), midnight);
        assert_eq!(read("2026-11-21T00:00:00Z"), midnight);
        assert_eq!(read("2026-11-21T01:00:00+01:00"), midnight);
        for wrong in [
            "",
            "2026-11",
            "2026-13-01",
            "yesterday",
            "2026-11-21T00:00:00",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}

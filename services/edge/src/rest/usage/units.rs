//! The units of usage, by their names in JSON and CSV.

use keyward_proto::metering::v1::Usage;
use serde::Serialize;
use utoipa::ToSchema;

use super::csv::Row;

/// Declares the units: those that are always shown, and those that are shown where there are any.
macro_rules! units {
    (
        always { $($(#[$doc:meta])* $always:ident = $always_field:ident,)+ }
        where_used { $($(#[$used_doc:meta])* $used:ident = $used_field:ident,)+ }
    ) => {
        /// What was used. No unit is counted twice: a cached token is not also an input token, a
        /// reasoning token not also an output token.
        #[derive(Debug, Serialize, ToSchema)]
        #[schema(as = Usage)]
        pub(crate) struct UsageView {
            $($(#[$doc])* pub(super) $always: i64,)+
            $(
                $(#[$used_doc])*
                #[serde(skip_serializing_if = "is_zero")]
                $used: i64,
            )+
        }

        impl From<Usage> for UsageView {
            fn from(usage: Usage) -> Self {
                Self {
                    $($always: usage.$always_field,)+
                    $($used: usage.$used_field,)+
                }
            }
        }

        impl UsageView {
            /// The names of the columns.
            pub(super) const COLUMNS: [&str; 14] =
                [$(stringify!($always),)+ $(stringify!($used),)+];

            /// Adds the figures to a line.
            pub(super) fn write(&self, row: &mut Row) {
                $(row.value(&self.$always);)+
                $(row.value(&self.$used);)+
            }
        }
    };
}

units! {
    always {
    /// Text tokens of the prompt that were not read from or written to a cache.
    input = input_tokens,
    /// Text tokens of the answer, without reasoning.
    output = output_tokens,
    /// Prompt tokens read from the provider's cache.
    cache_read = cache_read_tokens,
    /// Prompt tokens written to a cache that lives five minutes.
    cache_write_5m = cache_write_5m_tokens,
    /// Prompt tokens written to a cache that lives an hour.
    cache_write_1h = cache_write_1h_tokens,
    /// Reasoning tokens of the answer.
    reasoning = reasoning_tokens,
    }
    where_used {
    /// Audio tokens of the prompt.
    input_audio = input_audio_tokens,
    /// Image tokens of the prompt.
    input_image = input_image_tokens,
    /// Audio tokens of the answer.
    output_audio = output_audio_tokens,
    /// Image tokens of the answer.
    output_image = output_image_tokens,
    /// Web searches.
    searches = searches,
    /// Images made.
    images = images,
    /// Milliseconds of audio heard or made.
    audio_ms = audio_ms,
    /// Characters spoken.
    characters = characters,
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_zero(units: &i64) -> bool {
    *units == 0
}

//! Usage in the contract and in arithmetic: the same buckets, field by field.

use keyward_money::Usage;

use crate::metering::v1 as wire;

/// Converts field by field, so that a bucket that one side lacks does not compile.
macro_rules! same_fields {
    ($from:ty => $into:ty { $($field:ident),* $(,)? }) => {
        impl From<$from> for $into {
            fn from(usage: $from) -> Self {
                Self { $($field: usage.$field,)* }
            }
        }
    };
    (both $one:ty, $other:ty { $($field:ident),* $(,)? }) => {
        same_fields!($one => $other { $($field),* });
        same_fields!($other => $one { $($field),* });
    };
}

same_fields!(both wire::Usage, Usage {
    input_tokens,
    cache_read_tokens,
    cache_write_5m_tokens,
    cache_write_1h_tokens,
    input_audio_tokens,
    input_image_tokens,
    output_tokens,
    reasoning_tokens,
    output_audio_tokens,
    output_image_tokens,
    searches,
    images,
    audio_ms,
    characters,
});

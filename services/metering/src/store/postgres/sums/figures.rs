//! The columns of sums, for the statements that name them all.

/// Calls a macro with each figure of a sum, in the order in which a sum gives and takes them.
macro_rules! figures {
    ($each:ident, $with:literal) => {
        concat!(
            $each!($with, "requests"),
            ", ",
            $each!($with, "attempts"),
            ", ",
            $each!($with, "failed_attempts"),
            ", ",
            $each!($with, "unpriced_attempts"),
            ", ",
            $each!($with, "list_cost"),
            ", ",
            $each!($with, "charge"),
            ", ",
            $each!($with, "own_key_list_cost"),
            ", ",
            $each!($with, "input_tokens"),
            ", ",
            $each!($with, "cache_read_tokens"),
            ", ",
            $each!($with, "cache_write_5m_tokens"),
            ", ",
            $each!($with, "cache_write_1h_tokens"),
            ", ",
            $each!($with, "input_audio_tokens"),
            ", ",
            $each!($with, "input_image_tokens"),
            ", ",
            $each!($with, "output_tokens"),
            ", ",
            $each!($with, "reasoning_tokens"),
            ", ",
            $each!($with, "output_audio_tokens"),
            ", ",
            $each!($with, "output_image_tokens"),
            ", ",
            $each!($with, "searches"),
            ", ",
            $each!($with, "images"),
            ", ",
            $each!($with, "audio_ms"),
            ", ",
            $each!($with, "characters")
        )
    };
}

macro_rules! name {
    ($table:literal, $column:literal) => {
        $column
    };
}

/// What records that are summed have in common.
macro_rules! alike {
    () => {
        "account, hour, user_uid, user_id, project_id, provider, model, key_source, provider_key_id"
    };
}

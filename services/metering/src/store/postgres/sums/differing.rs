//! Sums by the day that are not what their hours add up to.

/// What the hours of a day come to, less what its sum says.
macro_rules! difference {
    ($table:literal, $column:literal) => {
        concat!("sum(sign * ", $column, ")")
    };
}

macro_rules! zero {
    ($table:literal, $column:literal) => {
        "0"
    };
}

/// Counts the sums of an account that are not what their hours add up to.
macro_rules! differing {
    ($hours:literal, $days:literal, $tag:literal) => {
        concat!(
            "SELECT account, account, count(*), 0::bigint FROM (
                 SELECT account FROM (
                     SELECT *, hour - mod(mod(hour, 24) + 24, 24) AS day, 1 AS sign FROM ",
            $hours,
            " UNION ALL SELECT *, hour, -1 FROM ",
            $days,
            ") AS sums GROUP BY account, day, user_uid, user_id, project_id, provider, model,
                     key_source, provider_key_id",
            $tag,
            " HAVING (",
            figures!(difference, ""),
            ") <> (",
            figures!(zero, ""),
            ")) AS differing
             GROUP BY account"
        )
    };
}

pub(in crate::store::postgres) const DIFFERING: &str =
    differing!("usage_hour", "usage_sum_day", "");
pub(in crate::store::postgres) const DIFFERING_TAGS: &str = differing!(
    "usage_hour_tag",
    "usage_sum_day_tag",
    ", tag_name, tag_value"
);

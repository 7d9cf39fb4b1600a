//! The Redis that routers share limits in, if one is set.

use crate::doctor::report::Check;

/// `None` if it counts, else why not.
pub(crate) type Facts = Option<String>;

const NAME: &str = "redis";

pub(crate) fn judge(problem: &Facts) -> Check {
    match problem {
        None => Check::ok(NAME, "it counts limits"),
        Some(problem) => Check::warn(
            NAME,
            format!("{problem}; each router counts limits by itself meanwhile"),
            "see that redis.url is right, and that its user may run scripts on keys keyward:limits:*",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Status;

    #[test]
    fn a_redis_that_is_away_stops_nothing() {
        assert_eq!(judge(&None).status, Status::Ok);
        assert_eq!(judge(&Some("words".to_owned())).status, Status::Warn);
    }
}

//! The clock: not behind what was written before, and that of the gateway beside it.

use std::time::Duration;

use jiff::Timestamp;

use crate::doctor::report::Check;

/// Less is the resolution of a `Date` header and the way of its answer.
const SKEW_OK: Duration = Duration::from_secs(2);

/// Grants live 60 s: with half of that, roles begin to refuse each other's.
const SKEW_MAX: Duration = Duration::from_secs(30);

/// What the clocks say.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// This machine's.
    pub(crate) now: Timestamp,
    /// The newest time in a store, and whose store that is.
    pub(crate) last_write: Option<(&'static str, Timestamp)>,
    /// That of the gateway that answers.
    pub(crate) gateway: Option<Timestamp>,
}

const NAME: &str = "clock";

pub(crate) fn judge(facts: &Facts) -> Check {
    if let Some((store, time)) = facts.last_write {
        let behind = ahead(time, facts.now);
        if behind > SKEW_OK {
            let message = format!(
                "the clock is {} s behind the newest entry of the {store}'s store",
                behind.as_secs()
            );
            return bad(behind, message);
        }
    }
    if let Some(gateway) = facts.gateway {
        let skew = ahead(gateway, facts.now).max(ahead(facts.now, gateway));
        if skew > SKEW_OK {
            let message = format!(
                "the gateway's clock differs by {} s from this one",
                skew.as_secs()
            );
            return bad(skew, message);
        }
    }
    let compared = match (facts.last_write, facts.gateway) {
        (None, None) => "nothing to compare it with yet",
        (Some(_), None) => "not behind what was written before",
        (_, Some(_)) => "agrees with the gateway's",
    };
    Check::ok(NAME, compared)
}

fn ahead(one: Timestamp, other: Timestamp) -> Duration {
    Duration::try_from(one.duration_since(other)).unwrap_or_default()
}

fn bad(skew: Duration, message: String) -> Check {
    let mend = "let NTP set the clocks of all machines (`timedatectl set-ntp true`)";
    match skew > SKEW_MAX {
        true => Check::fail(NAME, message, mend),
        false => Check::warn(NAME, message, mend),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Status;

    #[test]
    fn a_clock_may_be_ahead_of_a_store_and_never_behind() {
        let at = |seconds: i64| Timestamp::from_second(1_790_000_000 + seconds).unwrap();
        for (written, gateway, expect) in [
            (None, None, Status::Ok),
            (Some(-86_400), None, Status::Ok),
            (Some(2), None, Status::Ok),
            (Some(3), None, Status::Warn),
            (Some(30), None, Status::Warn),
            (Some(31), None, Status::Fail),
            (None, Some(-2), Status::Ok),
            (None, Some(-3), Status::Warn),
            (None, Some(3), Status::Warn),
            (Some(-5), Some(40), Status::Fail),
            (Some(-5), Some(-40), Status::Fail),
        ] {
            let facts = Facts {
                now: at(0),
                last_write: written.map(|seconds| ("vault", at(seconds))),
                gateway: gateway.map(at),
            };
            assert_eq!(judge(&facts).status, expect, "{facts:?}");
        }
    }
}

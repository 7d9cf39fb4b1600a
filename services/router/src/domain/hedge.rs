//! When a second attempt is begun beside one that takes its time.

use std::time::Duration;

use keyward_proto::metering::v1::KeySource;

use super::plan::Candidate;

/// No sooner: what answers within it is not slow, and a second call would cost more than it saves.
const AFTER_MIN: Duration = Duration::from_millis(50);

/// What of a candidate decides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side<'a> {
    source: KeySource,
    model: &'a str,
}

impl<'a> From<&'a Candidate> for Side<'a> {
    fn from(candidate: &'a Candidate) -> Self {
        Self {
            source: candidate.source,
            model: &candidate.model,
        }
    }
}

/// After how long the second is asked too, if the first has not begun to answer: once that takes longer
/// than 95 of 100 answers. Never where too little is known of those, where a customer's key would be
/// used (its owner would pay for two), or where another model would answer.
pub(crate) fn after(
    first: Side<'_>,
    second: Option<Side<'_>>,
    late_ms: Option<u64>,
) -> Option<Duration> {
    let second = second?;
    let is_platforms = |side: Side<'_>| side.source == KeySource::System;
    if !is_platforms(first) || !is_platforms(second) || first.model != second.model {
        return None;
    }
    late_ms.map(|late_ms| Duration::from_millis(late_ms).max(AFTER_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_platforms_keys_for_the_same_model_run_side_by_side() {
        let (system, user) = (KeySource::System, KeySource::User);
        let side = |source, model| Side { source, model };
        let (m, n) = ("m", "n");
        for (first, second, late_ms, expect_ms) in [
            (side(system, m), Some(side(system, m)), Some(800), Some(800)),
            (side(system, m), Some(side(system, m)), Some(50), Some(50)),
            (side(system, m), Some(side(system, m)), Some(3), Some(50)),
            (side(system, m), Some(side(system, m)), None, None),
            (side(system, m), None, Some(800), None),
            (side(system, m), Some(side(system, n)), Some(800), None),
            (side(system, m), Some(side(user, m)), Some(800), None),
            (side(user, m), Some(side(system, m)), Some(800), None),
            (side(user, m), Some(side(user, m)), Some(800), None),
            (
                side(system, m),
                Some(side(KeySource::Organization, m)),
                Some(800),
                None,
            ),
        ] {
            let expect = expect_ms.map(Duration::from_millis);
            assert_eq!(
                after(first, second, late_ms),
                expect,
                "{first:?} {second:?}"
            );
        }
    }
}

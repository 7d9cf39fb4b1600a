//! A plan as receipts keep it: bounded in rows and bytes, and in words that are for the caller.

use keyward_proto::metering::v1::{KeySource, UsageCandidate};

use super::plan::{Candidate, LeftOut, Plan};

/// The most rows that are kept: more than anybody has keys for one model, and little enough to lie in
/// each request's record.
const ROWS_MAX: usize = 24;
/// The longest reason that is kept; providers' words in it may be long.
const REASON_CHARS_MAX: usize = 240;

/// Who might have served a request, and who was left out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown {
    pub(crate) rows: Vec<UsageCandidate>,
    /// How many more there were.
    pub(crate) omitted: u32,
}

impl Shown {
    /// The candidates in order, then what was left out.
    pub(crate) fn of(plan: &Plan) -> Self {
        let all = plan.candidates.len() + plan.left_out.len();
        let candidates = plan.candidates.iter().map(candidate);
        let left_out = plan.left_out.iter().map(left_out);
        let rows: Vec<_> = candidates.chain(left_out).take(ROWS_MAX).collect();
        Self {
            omitted: u32::try_from(all - rows.len()).unwrap_or(u32::MAX),
            rows,
        }
    }
}

fn candidate(candidate: &Candidate) -> UsageCandidate {
    // What a provider says of the platform's key is not for its callers.
    let reason = match candidate.source {
        KeySource::System => candidate.in_our_words(),
        _ => candidate.told(),
    };
    UsageCandidate {
        provider: candidate.provider.to_string(),
        upstream_model: candidate.upstream_model.to_string(),
        key_source: candidate.source.into(),
        provider_key_id: candidate.key_id().to_owned(),
        eligible: true,
        reason: bounded(reason),
    }
}

fn left_out(left: &LeftOut) -> UsageCandidate {
    UsageCandidate {
        provider: left.provider.to_string(),
        upstream_model: left.upstream_model.to_string(),
        key_source: left.source.into(),
        provider_key_id: left.key_id().to_owned(),
        eligible: false,
        reason: bounded(left.reason()),
    }
}

fn bounded(mut reason: String) -> String {
    if let Some((end, _)) = reason.char_indices().nth(REASON_CHARS_MAX) {
        reason.truncate(end);
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::Obstacle;

    fn refused(provider: &str, said: &str) -> LeftOut {
        LeftOut {
            provider: provider.into(),
            upstream_model: "m".into(),
            source: KeySource::User,
            key: None,
            obstacle: Obstacle::Rejected(said.to_owned()),
        }
    }

    #[test]
    fn rows_and_reasons_are_bounded_and_what_is_left_off_is_counted() {
        let left_out = (0..30).map(|number| refused(&format!("p{number}"), &"é".repeat(1_000)));
        let plan = Plan {
            left_out: left_out.collect(),
            ..Plan::default()
        };
        let shown = Shown::of(&plan);
        assert_eq!((shown.rows.len(), shown.omitted), (ROWS_MAX, 6));
        assert_eq!(shown.rows[0].provider, "p0");
        for row in &shown.rows {
            assert!(!row.eligible);
            assert_eq!(row.reason.chars().count(), REASON_CHARS_MAX);
        }
    }

    #[test]
    fn a_short_plan_is_shown_whole() {
        let plan = Plan {
            left_out: vec![refused("openai", "no")],
            ..Plan::default()
        };
        let shown = Shown::of(&plan);
        assert_eq!(shown.omitted, 0);
        assert_eq!(shown.rows[0].reason, "openai refused this key: no");
        assert_eq!(shown.rows[0].key_source(), KeySource::User);
    }
}

//! What answers say of limits: OpenAI's headers, and why a request was not let in.

use std::time::Duration;

use keyward_limits::{Kind, Refused, Standing, Standings, TooLarge};

/// Says that this process counted by itself, because what is shared is away.
pub(crate) const MODE: (&str, &str) = ("x-ratelimit-mode", "local");

/// How long is to be waited for a slot: nobody knows when one is free.
const SLOT_WAIT: Duration = Duration::from_secs(1);

/// The headers of the tightest limits, by the names that OpenAI's have.
pub(crate) fn headers(standings: &Standings) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    let kinds = [
        (
            Kind::Requests,
            [
                "x-ratelimit-limit-requests",
                "x-ratelimit-remaining-requests",
                "x-ratelimit-reset-requests",
            ],
        ),
        (
            Kind::Tokens,
            [
                "x-ratelimit-limit-tokens",
                "x-ratelimit-remaining-tokens",
                "x-ratelimit-reset-tokens",
            ],
        ),
    ];
    for (kind, names) in kinds {
        if let Some(standing) = standings.tightest(kind) {
            headers.extend(names.into_iter().zip(figures(standing)));
        }
    }
    headers
}

fn figures(standing: Standing) -> [String; 3] {
    [
        standing.limit.to_string(),
        standing.remaining.to_string(),
        go_duration(standing.reset_micros.div_ceil(1000)),
    ]
}

/// A duration as Go writes it: `120ms`, `1s`, `8.64s`, `6m0s`.
fn go_duration(millis: u64) -> String {
    if millis < 1_000 {
        return match millis {
            0 => "0s".to_owned(),
            some => format!("{some}ms"),
        };
    }
    let (minutes, millis) = (millis / 60_000, millis % 60_000);
    let fraction = format!("{:03}", millis % 1_000);
    let seconds = match fraction.trim_end_matches('0') {
        "" => format!("{}s", millis / 1_000),
        some => format!("{}.{some}s", millis / 1_000),
    };
    match (minutes / 60, minutes % 60) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

/// How long a refused request waits, in whole milliseconds.
pub(crate) fn wait_ms(refused: &Refused) -> u64 {
    let micros = refused.retry_after.unwrap_or(SLOT_WAIT).as_micros();
    u64::try_from(micros.div_ceil(1000))
        .unwrap_or(u64::MAX)
        .max(1)
}

/// What a refused caller reads.
pub(crate) fn refused(refused: &Refused) -> String {
    let (limit, kind) = (refused.limit, refused.kind.words());
    let whose = refused.scope.words();
    let again = match refused.retry_after {
        Some(_) => format!("try again in {}", go_duration(wait_ms(refused))),
        None => "try again when one is over".to_owned(),
    };
    format!("the limit of {limit} {kind} of this {whose} is reached; {again}")
}

/// What a caller reads whose request never passes.
pub(crate) fn too_large(large: &TooLarge) -> String {
    let TooLarge { limit, asked, .. } = large;
    let (kind, whose) = (large.kind.words(), large.scope.words());
    format!(
        "this request may take {asked} tokens, more than the {limit} {kind} of this {whose}; it can \
         never pass unless it is shorter or asks for fewer (`max_tokens`)"
    )
}

#[cfg(test)]
mod tests {
    use keyward_limits::Scope;

    use super::*;

    #[test]
    fn durations_are_written_as_go_does() {
        for (millis, text) in [
            (0, "0s"),
            (1, "1ms"),
            (120, "120ms"),
            (1_000, "1s"),
            (1_050, "1.05s"),
            (8_640, "8.64s"),
            (59_999, "59.999s"),
            (60_000, "1m0s"),
            (360_000, "6m0s"),
            (3_600_000, "1h0m0s"),
            (5_400_500, "1h30m0.5s"),
        ] {
            assert_eq!(go_duration(millis), text);
        }
    }

    #[test]
    fn the_tightest_scope_is_shown() {
        let standing = |limit, remaining| Standing {
            limit,
            remaining,
            reset_micros: 1_000_001,
        };
        let standings = Standings {
            all: vec![
                (Scope::AccessKey, Kind::Requests, standing(60, 59)),
                (Scope::User, Kind::Requests, standing(100, 3)),
            ],
            is_degraded: false,
        };
        let shown = headers(&standings);
        let expect = [
            ("x-ratelimit-limit-requests", "100"),
            ("x-ratelimit-remaining-requests", "3"),
            ("x-ratelimit-reset-requests", "1.001s"),
        ];
        assert_eq!(shown, expect.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn a_refusal_says_whose_limit_and_when_again() {
        let mut refusal = Refused {
            scope: Scope::AccessKey,
            kind: Kind::Requests,
            limit: 60,
            retry_after: Some(Duration::from_micros(999_001)),
            standings: Standings::default(),
        };
        assert_eq!(wait_ms(&refusal), 1_000);
        assert_eq!(
            refused(&refusal),
            "the limit of 60 requests a minute of this access key is reached; try again in 1s"
        );
        refusal.retry_after = None;
        assert_eq!(wait_ms(&refusal), 1_000);
    }
}

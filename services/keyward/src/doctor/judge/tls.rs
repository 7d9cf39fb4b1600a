//! Certificates: whether they can be used, say the right role, and how long they are good.

use crate::doctor::report::Check;

/// How many days before its end a certificate is worth a warning.
const SOON_DAYS: i64 = 14;

const SECONDS_A_DAY: i64 = 86_400;

/// The certificates that a section of the settings names.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// The section: `tls` or `edge.tls`.
    pub(crate) part: &'static str,
    /// What is in the files, or why they cannot be used.
    pub(crate) found: Result<Found, String>,
    /// Now, in seconds since 1970.
    pub(crate) now: i64,
}

/// Certificates that can be used.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Whom the own one names; empty where it names nobody.
    pub(crate) identity: String,
    /// Why it is not one for this process.
    pub(crate) misfit: Option<String>,
    /// When the first of them ends, in seconds since 1970.
    pub(crate) expiry: Option<i64>,
}

pub(crate) fn judge(facts: &Facts) -> Check {
    let part = facts.part;
    let found = match &facts.found {
        Ok(found) => found,
        Err(problem) => {
            let mend = format!("correct the files that {part}.* names; the gateway does not start");
            return Check::fail(part, problem, mend);
        }
    };
    if let Some(misfit) = &found.misfit {
        let mend = "give each process the certificate of its own role";
        return Check::fail(part, misfit, mend);
    }
    let days = found
        .expiry
        .map(|expiry| (expiry - facts.now).div_euclid(SECONDS_A_DAY));
    let who = match found.identity.is_empty() {
        true => "the certificate".to_owned(),
        false => found.identity.clone(),
    };
    match days {
        Some(days) if days < 0 => Check::fail(part, format!("{who} has expired"), renew(part)),
        Some(days) if days < SOON_DAYS => {
            Check::warn(part, format!("{who} ends in {days} days"), renew(part))
        }
        Some(days) => Check::ok(part, format!("{who}, for {days} days")),
        None => Check::ok(part, who),
    }
}

fn renew(part: &str) -> String {
    format!("put a new one where {part}.* says; a running gateway takes it within two seconds")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Status;

    #[test]
    fn what_ends_soon_is_a_warning_and_what_cannot_be_used_a_fault() {
        let day = SECONDS_A_DAY;
        let found = |misfit: Option<&str>, expiry| {
            Ok(Found {
                identity: "spiffe://a/keyward/edge".to_owned(),
                misfit: misfit.map(str::to_owned),
                expiry,
            })
        };
        for (found, expect) in [
            (found(None, Some(100 * day)), Status::Ok),
            (found(None, Some(15 * day)), Status::Ok),
            (found(None, Some(13 * day)), Status::Warn),
            (found(None, Some(-1)), Status::Fail),
            (found(None, None), Status::Ok),
            (found(Some("of the router"), Some(100 * day)), Status::Fail),
            (Err("unreadable".to_owned()), Status::Fail),
        ] {
            let facts = Facts {
                part: "tls",
                found,
                now: 0,
            };
            let check = judge(&facts);
            assert_eq!(
                (check.name.as_str(), check.status),
                ("tls", expect),
                "{facts:?}"
            );
        }
    }
}

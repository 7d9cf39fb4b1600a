//! Credits that paid where an own key failed.

use jiff::Timestamp;
use keyward_money::Nanos;

use super::{NewNotice, NoticeKind, Occasion, Saying, data, day};
use crate::domain::account::AccountKey;

/// A request that was charged because no own key could serve it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fallback<'a> {
    pub(crate) account: AccountKey,
    /// The request's id.
    pub(crate) inference_id: &'a str,
    pub(crate) provider: &'a str,
    pub(crate) model: &'a str,
    pub(crate) charge: Nanos,
}

impl Fallback<'_> {
    /// The notice of the first of a day for each provider.
    pub(crate) fn notice(&self, time: Timestamp) -> NewNotice {
        let Self {
            provider,
            model,
            charge,
            ..
        } = self;
        let occasion = Occasion {
            rule: format!("fallback/{provider}"),
            period: day(time),
            threshold: 0,
        };
        let saying = Saying {
            kind: NoticeKind::FallbackToCredits,
            subject: format!("requests/{}", self.inference_id),
            message: format!(
                "An own key failed, and credits paid for {model} at {provider}: {charge} credits. \
                 Further ones at {provider} today are not told of."
            ),
            data: data([
                ("request_id", self.inference_id.to_owned()),
                ("provider", (*provider).to_owned()),
                ("model", (*model).to_owned()),
                ("charge", charge.to_string()),
            ]),
        };
        NewNotice::new(self.account, occasion, saying, time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notice::tests::account;

    #[test]
    fn a_provider_is_told_of_once_a_day() {
        let told = |provider, inference_id, hours: i64| {
            let fallback = Fallback {
                account: account(1),
                inference_id,
                provider,
                model: "m",
                charge: Nanos::new(1),
            };
            let time = Timestamp::from_second(hours * 3_600).unwrap();
            fallback.notice(time).notice.id
        };
        assert_eq!(told("openai", "a", 0), told("openai", "b", 23));
        assert_ne!(told("openai", "a", 0), told("openai", "a", 24));
        assert_ne!(told("openai", "a", 0), told("groq", "a", 0));
    }
}

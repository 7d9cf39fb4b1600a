//! What an answer to a test says: whether the key is taken, what it reaches, what is left to spend.

use keyward_money::Nanos;
use serde::Deserialize;
use serde_json::Value;

use super::{Balance, Finding, MODELS_MAX, Verdict};
use crate::domain::failure::{self, Failure};
use crate::domain::form::Form;

/// The longest name of a model that is told; longer ones are nobody's.
const MODEL_BYTES_MAX: usize = 256;
/// The longest name of a currency.
const CURRENCY_CHARS_MAX: usize = 8;

/// An answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer<'a> {
    /// Its HTTP status.
    pub(crate) status: u16,
    /// Its body.
    pub(crate) body: &'a [u8],
}

impl Answer<'_> {
    /// Whether there is nothing at the address that was asked.
    pub(crate) fn is_absent(self) -> bool {
        self.status == 404
    }
}

/// What an answer tells beside that the key is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Models, by the provider's names.
    pub(crate) models: Vec<String>,
    /// What is left to spend.
    pub(crate) balance: Option<Balance>,
    /// Whether the provider says that nothing is left.
    pub(crate) is_spent: bool,
}

/// What an answer means that decides.
pub(crate) fn read(answer: Answer<'_>) -> Verdict {
    if !(200..300).contains(&answer.status) {
        return refused(answer);
    }
    if let Some((failure, said)) = failure::in_answer(Form::Chat, answer.body)
        && !is_list(answer.body)
    {
        let finding = match failure {
            // An answer that is no JSON comes from somebody else than the provider's interface.
            Failure::Broken => Finding::NotTold,
            failure => Finding::of(failure),
        };
        return Verdict::bare(finding, said);
    }
    let mut verdict = Verdict::bare(Finding::Accepted, String::new());
    verdict.and(Told::read(answer.body));
    verdict
}

fn refused(answer: Answer<'_>) -> Verdict {
    // No body is followed to another address with a key in hand.
    let failure = match answer.status {
        300..400 => Failure::Caller,
        status => Failure::classify(failure::Answer {
            status,
            body: answer.body,
            retry_after_ms: None,
        }),
    };
    let said = failure::message(answer.body).unwrap_or_else(|| format!("status {}", answer.status));
    Verdict::bare(Finding::of(failure), said)
}

fn is_list(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"[")
}

impl Told {
    /// Reads what is there of the usual forms; nothing of any other.
    pub(crate) fn read(body: &[u8]) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return Self::default();
        };
        let key = OpenRouter::read(&body["data"]);
        let account = DeepSeek::deserialize(&body).unwrap_or_default();
        Self {
            models: models(&body),
            is_spent: key.is_spent() || account.is_spent(),
            balance: key.balance().or_else(|| account.balance()),
        }
    }
}

/// The names in a list of models: OpenAI's and Azure's `data`, Together's bare list, Google's `models`.
fn models(body: &Value) -> Vec<String> {
    let lists = [body, &body["data"], &body["models"]];
    let list = lists.into_iter().find_map(Value::as_array);
    let name = |model: &Value| {
        let name = model["id"].as_str().or_else(|| model["name"].as_str())?;
        let name = name.trim_start_matches("models/");
        let fits = !name.is_empty() && name.len() <= MODEL_BYTES_MAX;
        (fits && !name.chars().any(char::is_control)).then(|| name.to_owned())
    };
    list.into_iter()
        .flatten()
        .filter_map(name)
        .take(MODELS_MAX)
        .collect()
}

/// What OpenRouter says of a key (`/key`) and of its account (`/credits`), in dollars.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OpenRouter {
    limit: Option<Value>,
    limit_remaining: Option<Value>,
    is_free_tier: Option<bool>,
    total_credits: Option<Value>,
    total_usage: Option<Value>,
}

impl OpenRouter {
    fn read(data: &Value) -> Self {
        Self::deserialize(data).unwrap_or_default()
    }

    /// What is left on the account; else what is left of the key's own limit.
    fn left(&self) -> Option<i64> {
        match (
            nanos(self.total_credits.as_ref()),
            nanos(self.total_usage.as_ref()),
        ) {
            (Some(credits), Some(used)) => credits.checked_sub(used),
            _ => nanos(self.limit_remaining.as_ref()),
        }
    }

    fn balance(&self) -> Option<Balance> {
        Some(Balance {
            amount_nanos: self.left()?,
            currency: "USD".to_owned(),
            limit_nanos: nanos(self.limit.as_ref()),
        })
    }

    /// An account that never paid has nothing, and still has the free models.
    fn is_spent(&self) -> bool {
        let never_paid = self.is_free_tier == Some(true)
            || nanos(self.total_credits.as_ref()).is_some_and(|all| all <= 0);
        match self.left() {
            Some(left) if never_paid => left < 0,
            Some(left) => left <= 0,
            None => false,
        }
    }
}

/// What DeepSeek says of an account.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DeepSeek {
    is_available: Option<bool>,
    balance_infos: Vec<BalanceInfo>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BalanceInfo {
    currency: String,
    total_balance: Option<Value>,
}

impl DeepSeek {
    fn balance(&self) -> Option<Balance> {
        let first = self.balance_infos.first()?;
        Some(Balance {
            amount_nanos: nanos(first.total_balance.as_ref())?,
            currency: first.currency.chars().take(CURRENCY_CHARS_MAX).collect(),
            limit_nanos: None,
        })
    }

    fn is_spent(&self) -> bool {
        self.is_available == Some(false)
    }
}

/// An amount as providers write it, as a number or a text, in billionths of its unit: what is beyond
/// nine decimals is cut off.
fn nanos(amount: Option<&Value>) -> Option<i64> {
    let text = match amount? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (text.as_str(), 0),
    };
    shifted(number, exponent)?
        .parse::<Nanos>()
        .ok()
        .map(Nanos::get)
}

/// A decimal number times a power of ten, with at most nine decimals.
fn shifted(number: &str, exponent: i32) -> Option<String> {
    let (sign, number) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number),
    };
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let digits: String = [whole, decimals].concat();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?;
    // No amount of money has so many digits on either side.
    if !(-30..=30).contains(&point) || digits.len() > 60 {
        return (point < -30).then(|| "0".to_owned());
    }
    let padded = match usize::try_from(point) {
        Ok(point) => format!("{digits:0<point$}"),
        Err(_) => format!("{}{digits}", "0".repeat(point.unsigned_abs() as usize)),
    };
    let point = usize::try_from(point).unwrap_or(0);
    let (whole, decimals) = padded.split_at(point);
    let decimals: String = decimals.chars().take(9).collect();
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(match decimals.is_empty() {
        true => format!("{sign}{whole}"),
        false => format!("{sign}{whole}.{decimals}"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::nanos;

    #[test]
    fn amounts_are_read_as_providers_write_them() {
        for (amount, expect) in [
            (json!("110.00"), Some(110_000_000_000)),
            (json!(50), Some(50_000_000_000)),
            (json!(12.5), Some(12_500_000_000)),
            (json!(-0.25), Some(-250_000_000)),
            (json!(1.2e-5), Some(12_000)),
            (json!("2.5E3"), Some(2_500_000_000_000)),
            (json!(1e-40), Some(0)),
            (json!(0.123_456_789_987), Some(123_456_789)),
            (json!("x"), None),
            (json!("1e99"), None),
            (json!(null), None),
            (json!("9999999999999"), None),
        ] {
            assert_eq!(nanos(Some(&amount)), expect, "{amount}");
        }
        assert_eq!(nanos(None), None);
    }
}

//! What a caller asks of routing in the body's `provider`, as OpenRouter defines it
//! (<https://openrouter.ai/docs/features/provider-routing>); own keys honour it too.

use keyward_money::Nanos;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::request::RequestError;

/// The longest object: a handful of lists.
const BYTES_MAX: usize = 16 * 1024;

/// By what providers are sorted that may serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// The cheapest first.
    Price,
    /// The one with the most tokens a second first.
    Throughput,
    /// The one whose first token comes soonest first.
    Latency,
}

/// Whether providers that keep what they are sent may serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum DataCollection {
    /// They may.
    #[default]
    Allow,
    /// They may not.
    Deny,
}

/// The most that a model may cost, in nano-credits for a million tokens, or for one request or image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MaxPrice {
    /// Tokens of the prompt.
    pub prompt: Option<Nanos>,
    /// Tokens of the answer.
    pub completion: Option<Nanos>,
    /// Each request.
    pub request: Option<Nanos>,
    /// Each image.
    pub image: Option<Nanos>,
}

/// What a caller asks of routing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferences {
    /// Who goes first, in this order.
    pub order: Vec<String>,
    /// Only these; all where empty.
    pub only: Vec<String>,
    /// Never these.
    pub ignore: Vec<String>,
    /// Whether others may serve than the first, or than those in `order`.
    pub allow_fallbacks: bool,
    /// By what to sort.
    pub sort: Option<Sort>,
    /// The most that the model may cost.
    pub max_price: MaxPrice,
    /// Whether only those may serve that know all that is asked.
    pub require_parameters: bool,
    /// Whether those that keep what they are sent may serve.
    pub data_collection: DataCollection,
    /// Whether only those may serve that keep nothing.
    pub zero_data_retention: bool,
    /// Only models of these precisions; all where empty.
    pub quantizations: Vec<String>,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            order: Vec::new(),
            only: Vec::new(),
            ignore: Vec::new(),
            allow_fallbacks: true,
            sort: None,
            max_price: MaxPrice::default(),
            require_parameters: false,
            data_collection: DataCollection::Allow,
            zero_data_retention: false,
            quantizations: Vec::new(),
        }
    }
}

/// As it is written. Prices are read apart, since they may be numbers or strings.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Written<'a> {
    order: Option<Vec<String>>,
    only: Option<Vec<String>>,
    ignore: Option<Vec<String>>,
    allow_fallbacks: Option<bool>,
    sort: Option<Sort>,
    #[serde(borrow)]
    max_price: Option<WrittenPrices<'a>>,
    require_parameters: Option<bool>,
    data_collection: Option<DataCollection>,
    zdr: Option<bool>,
    quantizations: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct WrittenPrices<'a> {
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
    #[serde(borrow)]
    completion: Option<&'a RawValue>,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
    #[serde(borrow)]
    image: Option<&'a RawValue>,
}

impl Preferences {
    /// Reads the JSON object; a member that is not known is refused by its name.
    pub fn parse(json: &str) -> Result<Self, RequestError> {
        if json.len() > BYTES_MAX {
            return Err(RequestError::new(
                Some("provider"),
                "`provider` is too long",
            ));
        }
        // A list would be read as the members in their order.
        if json.starts_with('[') {
            let message = "`provider` must be an object";
            return Err(RequestError::new(Some("provider"), message));
        }
        let written: Option<Written<'_>> = serde_json::from_str(json).map_err(|error| {
            let error = error.to_string();
            // Where it is in the object helps nobody: the object is within a body.
            let error = error.split(" at line").next().unwrap_or_default();
            RequestError::new(Some("provider"), format!("`provider`: {error}"))
        })?;
        written.unwrap_or_default().into_preferences()
    }
}

impl Written<'_> {
    fn into_preferences(self) -> Result<Preferences, RequestError> {
        Ok(Preferences {
            order: names(self.order),
            only: names(self.only),
            ignore: names(self.ignore),
            allow_fallbacks: self.allow_fallbacks.unwrap_or(true),
            sort: self.sort,
            max_price: self.max_price.unwrap_or_default().into_prices()?,
            require_parameters: self.require_parameters.unwrap_or(false),
            data_collection: self.data_collection.unwrap_or_default(),
            zero_data_retention: self.zdr.unwrap_or(false),
            quantizations: self.quantizations.unwrap_or_default(),
        })
    }
}

impl WrittenPrices<'_> {
    fn into_prices(self) -> Result<MaxPrice, RequestError> {
        Ok(MaxPrice {
            prompt: price(self.prompt, "prompt")?,
            completion: price(self.completion, "completion")?,
            request: price(self.request, "request")?,
            image: price(self.image, "image")?,
        })
    }
}

/// Credits for a million tokens, or for one: a number, or a string with one.
fn price(raw: Option<&RawValue>, name: &str) -> Result<Option<Nanos>, RequestError> {
    let Some(text) = raw.map(RawValue::get).filter(|text| *text != "null") else {
        return Ok(None);
    };
    let price = text.trim_matches('"').parse::<Nanos>().ok();
    let price = price.filter(|price| *price >= Nanos::ZERO);
    price.map(Some).ok_or_else(|| {
        let message = format!("`provider.max_price.{name}` must be a price, 0 or more");
        RequestError::new(Some("provider"), message)
    })
}

/// Names in lower case; OpenRouter's own spelling of some is not ours.
fn names(written: Option<Vec<String>>) -> Vec<String> {
    let name = |name: String| {
        let name = name.trim().to_ascii_lowercase();
        // What follows a slash is a region or precision of the provider.
        let base = name.split('/').next().unwrap_or_default();
        match base {
            "google-ai-studio" => "google".to_owned(),
            "x-ai" => "xai".to_owned(),
            "mistralai" => "mistral".to_owned(),
            base => base.replace(' ', ""),
        }
    };
    written.unwrap_or_default().into_iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_is_read() {
        let preferences = Preferences::parse(
            r#"{"order": ["Anthropic", "google-ai-studio"], "only": ["deepinfra/turbo"],
                "ignore": ["x-ai"], "allow_fallbacks": false, "sort": "throughput",
                "max_price": {"prompt": 1, "completion": "2.5", "request": 0.01, "image": null},
                "require_parameters": true, "data_collection": "deny", "zdr": true,
                "quantizations": ["fp8"]}"#,
        );
        let expect = Preferences {
            order: vec!["anthropic".into(), "google".into()],
            only: vec!["deepinfra".into()],
            ignore: vec!["xai".into()],
            allow_fallbacks: false,
            sort: Some(Sort::Throughput),
            max_price: MaxPrice {
                prompt: Some(Nanos::new(1_000_000_000)),
                completion: Some(Nanos::new(2_500_000_000)),
                request: Some(Nanos::new(10_000_000)),
                image: None,
            },
            require_parameters: true,
            data_collection: DataCollection::Deny,
            zero_data_retention: true,
            quantizations: vec!["fp8".into()],
        };
        assert_eq!(preferences.unwrap(), expect);
        assert_eq!(Preferences::parse("null").unwrap(), Preferences::default());
        assert_eq!(Preferences::parse("{}").unwrap(), Preferences::default());
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        for (json, named) in [
            (r#"{"prefer": "openai"}"#, "prefer"),
            (r#"{"sort": "speed"}"#, "speed"),
            (r#"{"max_price": {"tokens": 1}}"#, "tokens"),
            (r#"{"max_price": {"prompt": -1}}"#, "max_price.prompt"),
            (r#"{"order": "openai"}"#, "sequence"),
            ("[]", "provider"),
        ] {
            let error = Preferences::parse(json).unwrap_err();
            assert!(error.message.contains(named), "{json}: {error}");
            assert_eq!(error.param, Some("provider"));
        }
    }
}

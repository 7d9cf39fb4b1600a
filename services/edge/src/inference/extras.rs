//! What a caller asks of routing in headers. The body is the router's to read.

use std::collections::HashMap;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use keyward_money::Nanos;
use keyward_proto::router::v1::{Caching, Fallback, RoutingOptions};
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::caller::only;
use crate::failure::Failure;
use crate::names;

/// The longest id that a caller may give a request: it is stored and searched.
pub(crate) const CLIENT_REQUEST_ID_BYTES_MAX: usize = 128;

/// The longest provider key: the longest known, a Google one, has a few hundred bytes.
const INLINE_KEY_BYTES_MAX: usize = 4096;

/// The longest name of a provider.
const PROVIDER_BYTES_MAX: usize = 63;

/// Tags are kept in each usage record: few and short.
const TAGS_MAX: usize = 16;
const TAG_NAME_BYTES_MAX: usize = 64;
const TAG_VALUE_BYTES_MAX: usize = 128;

/// What requests of the model `auto` may be for.
const TASKS: [&str; 5] = ["code", "reasoning", "chat", "embeddings", "vision"];

/// The extras of one request.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Extras {
    pub(crate) options: RoutingOptions,
    pub(crate) tags: HashMap<String, String>,
    pub(crate) client_request_id: String,
}

impl<S: Sync> FromRequestParts<S> for Extras {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Self::read(&parts.headers)
    }
}

impl Extras {
    fn read(headers: &HeaderMap) -> Result<Self, Failure> {
        let (fallback, cap) = fallback(headers)?;
        Ok(Self {
            options: RoutingOptions {
                inline_key: inline_key(headers)?,
                byok_provider: provider(headers)?,
                fallback: fallback.into(),
                fallback_max_charge_nanos: cap.map(Nanos::get),
                task: task(headers)?,
                caching: caching(headers)?.into(),
            },
            tags: tags(headers)?,
            client_request_id: client_request_id(headers)?,
        })
    }
}

impl IntoParams for Extras {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let matching = |pattern: &str| text().pattern(Some(pattern));
        let header = |name: HeaderName, description: &str, schema: ObjectBuilder| {
            ParameterBuilder::new()
                .name(name.as_str())
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(description))
                .schema(Some(schema))
                .build()
        };
        vec![
            header(
                names::BYOK_API_KEY,
                "A provider key for this call alone. It is never stored or logged.",
                text().max_length(Some(INLINE_KEY_BYTES_MAX)),
            ),
            header(
                names::BYOK_PROVIDER,
                "Whose key that is; without one, the provider whose stored key shall serve.",
                matching("^[a-z0-9._-]{0,63}$"),
            ),
            header(
                names::FALLBACK,
                "What may serve when the first key fails: `none`, `own-keys`, or `credits`, the \
                 last with a cap, as `credits;max=0.05`.",
                matching(r"^(none|own-keys|credits( *; *max=[0-9]+(\.[0-9]{1,9})?)?)?$"),
            ),
            header(
                names::TASK,
                "What the request is for, where its model is `auto`; guessed where absent.",
                matching("^(code|reasoning|chat|embeddings|vision)?$"),
            ),
            header(
                names::CACHE,
                "`on` or `off`: whether the answer may be stored, and come from the store.",
                matching("^(on|off)?$"),
            ),
            header(
                names::TAGS,
                "Tags for the usage record, as `team=search,job=nightly`: at most 16.",
                text(),
            ),
            header(
                names::REQUEST_ID,
                "The caller's own id of the request: it comes back as `x-client-request-id`.",
                text().max_length(Some(CLIENT_REQUEST_ID_BYTES_MAX)),
            ),
        ]
    }
}

fn inline_key(headers: &HeaderMap) -> Result<String, Failure> {
    let name = names::BYOK_API_KEY;
    match only(headers, &name)? {
        Some(key) if key.len() > INLINE_KEY_BYTES_MAX => Err(Failure::invalid(
            name.as_str(),
            "longer than any provider key",
        )),
        key => Ok(key.unwrap_or_default().to_owned()),
    }
}

fn provider(headers: &HeaderMap) -> Result<String, Failure> {
    let name = names::BYOK_PROVIDER;
    let Some(provider) = only(headers, &name)? else {
        return Ok(String::new());
    };
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    match provider.len() <= PROVIDER_BYTES_MAX && provider.bytes().all(allowed) {
        true => Ok(provider.to_owned()),
        false => Err(Failure::invalid(
            name.as_str(),
            "not the name of a provider, such as `openai`",
        )),
    }
}

/// `none｜own-keys｜credits[;max=0.05]`.
fn fallback(headers: &HeaderMap) -> Result<(Fallback, Option<Nanos>), Failure> {
    let name = names::FALLBACK;
    let Some(text) = only(headers, &name)? else {
        return Ok((Fallback::Unspecified, None));
    };
    let (word, cap) = match text.split_once(';') {
        Some((word, rest)) => (word.trim(), Some(rest.trim())),
        None => (text, None),
    };
    let refused = |message: &str| Err(Failure::invalid(name.as_str(), message));
    let fallback = match word {
        "none" => Fallback::None,
        "own-keys" => Fallback::OwnKeys,
        "credits" => Fallback::Credits,
        _ => return refused("expected `none`, `own-keys` or `credits`, the last with `;max=0.05`"),
    };
    let Some(cap) = cap else {
        return Ok((fallback, None));
    };
    if fallback != Fallback::Credits {
        return refused("`max` belongs to `credits` only");
    }
    let amount = cap.strip_prefix("max=").map(str::parse::<Nanos>);
    match amount {
        Some(Ok(amount)) if amount >= Nanos::ZERO => Ok((fallback, Some(amount))),
        _ => refused("expected `max=` and an amount in credits, such as `credits;max=0.05`"),
    }
}

fn task(headers: &HeaderMap) -> Result<String, Failure> {
    let task = only(headers, &names::TASK)?.unwrap_or_default();
    if task.is_empty() || TASKS.contains(&task) {
        return Ok(task.to_owned());
    }
    let message = format!("expected one of {}", TASKS.join(", "));
    Err(Failure::invalid(names::TASK.as_str(), message))
}

fn caching(headers: &HeaderMap) -> Result<Caching, Failure> {
    match only(headers, &names::CACHE)? {
        None => Ok(Caching::Unspecified),
        Some("on") => Ok(Caching::On),
        Some("off") => Ok(Caching::Off),
        Some(_) => Err(Failure::invalid(
            names::CACHE.as_str(),
            "expected `on` or `off`",
        )),
    }
}

/// `team=search,job=nightly`.
fn tags(headers: &HeaderMap) -> Result<HashMap<String, String>, Failure> {
    let mut tags = HashMap::new();
    let Some(text) = only(headers, &names::TAGS)? else {
        return Ok(tags);
    };
    let refused = |message: String| Failure::invalid(names::TAGS.as_str(), message);
    for pair in text.split(',') {
        let (tag, value) = pair
            .split_once('=')
            .map(|(tag, value)| (tag.trim(), value.trim()))
            .filter(|(tag, _)| is_tag_name(tag))
            .ok_or_else(|| refused("expected `name=value` pairs with commas between".to_owned()))?;
        if value.len() > TAG_VALUE_BYTES_MAX {
            return Err(refused(format!(
                "a tag's value has more than {TAG_VALUE_BYTES_MAX} characters"
            )));
        }
        if tags.insert(tag.to_owned(), value.to_owned()).is_some() {
            return Err(refused("a tag is given twice".to_owned()));
        }
        if tags.len() > TAGS_MAX {
            return Err(refused(format!("more than {TAGS_MAX} tags")));
        }
    }
    Ok(tags)
}

fn is_tag_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty() && name.len() <= TAG_NAME_BYTES_MAX && name.bytes().all(allowed)
}

fn client_request_id(headers: &HeaderMap) -> Result<String, Failure> {
    match only(headers, &names::REQUEST_ID)? {
        Some(id) if id.len() > CLIENT_REQUEST_ID_BYTES_MAX => Err(Failure::invalid(
            names::REQUEST_ID.as_str(),
            format!("longer than {CLIENT_REQUEST_ID_BYTES_MAX} characters"),
        )),
        id => Ok(id.unwrap_or_default().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};
    use keyward_proto::router::v1::Fallback;
    use keyward_runtime::error::metadata;

    use super::Extras;

    fn read(name: &'static str, value: &str) -> Result<Extras, String> {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(value).unwrap();
        headers.insert(HeaderName::from_static(name), value);
        Extras::read(&headers).map_err(|failure| {
            let param = failure.wire().fact(metadata::PARAM);
            param.unwrap_or_default().to_owned()
        })
    }

    #[test]
    fn fallbacks_are_read_strictly() {
        let check = |text: &str, expect: Option<(Fallback, Option<i64>)>| {
            let found = read("x-keyward-fallback", text).map(|extras| {
                let options = extras.options;
                (options.fallback(), options.fallback_max_charge_nanos)
            });
            let expect = expect.ok_or_else(|| "x-keyward-fallback".to_owned());
            assert_eq!(found, expect, "{text}");
        };
        check("none", Some((Fallback::None, None)));
        check("own-keys", Some((Fallback::OwnKeys, None)));
        check("credits", Some((Fallback::Credits, None)));
        check(
            "credits;max=0.05",
            Some((Fallback::Credits, Some(50_000_000))),
        );
        check(
            "credits; max=1",
            Some((Fallback::Credits, Some(1_000_000_000))),
        );
        for wrong in [
            "None",
            "never",
            "none;max=1",
            "credits;",
            "credits;max",
            "credits;max=",
            "credits;max=-1",
            "credits;max=1e3",
            "credits;max=0.05;max=1",
            "credits,max=1",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn tags_are_few_and_short() {
        let extras = read("x-keyward-tags", "team=search, job=a=b,empty=").unwrap();
        assert_eq!(extras.tags.len(), 3);
        assert_eq!(extras.tags["job"], "a=b");
        let many: Vec<String> = (0..17).map(|number| format!("t{number}=1")).collect();
        for wrong in [
            "team",
            "=x",
            "a=1,a=2",
            "a=1,,b=2",
            "a b=1",
            &many.join(","),
            &format!("a={}", "x".repeat(129)),
            &format!("{}=x", "a".repeat(65)),
        ] {
            assert_eq!(
                read("x-keyward-tags", wrong),
                Err("x-keyward-tags".to_owned())
            );
        }
    }

    #[test]
    fn other_extras_are_bounded() {
        assert_eq!(
            read("x-byok-provider", "openrouter")
                .unwrap()
                .options
                .byok_provider,
            "openrouter"
        );
        assert!(read("x-byok-provider", "Open AI").is_err());
        assert_eq!(
            read("x-request-id", "mine-1").unwrap().client_request_id,
            "mine-1"
        );
        assert!(read("x-request-id", &"x".repeat(129)).is_err());
        let off = read("x-keyward-cache", "off").unwrap();
        assert_eq!(off.options.caching(), super::Caching::Off);
        assert!(read("x-keyward-cache", "maybe").is_err());
        assert!(read("x-byok-api-key", &"x".repeat(4097)).is_err());
    }

    #[test]
    fn an_inline_key_is_not_printed() {
        let extras = read("x-byok-api-key", " sk-canary-1 ").unwrap();
        assert_eq!(extras.options.inline_key, "sk-canary-1");
        assert!(!format!("{extras:?}").contains("canary"));
    }
}

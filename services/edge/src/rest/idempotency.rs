//! `Idempotency-Key`: makes a change once, however often it is sent. The services remember; the edge
//! passes the key on as the call's `request_id`.

use axum::extract::FromRequestParts;
use http::HeaderName;
use http::request::Parts;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::caller::only;
use crate::failure::Failure;
use crate::names;

/// The longest key, as the contracts have it.
const KEY_BYTES_MAX: usize = 255;

/// The key that a request came with, if any.
#[derive(Debug)]
pub(crate) struct IdempotencyKey(Option<String>);

impl IdempotencyKey {
    /// The call's `request_id`: the key, or nothing where nobody will ask for the answer again, so
    /// that no service remembers it.
    pub(crate) fn request_id(self) -> String {
        self.0.unwrap_or_default()
    }

    /// The key itself.
    pub(crate) fn into_given(self) -> Option<String> {
        self.0
    }
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let name: HeaderName = names::IDEMPOTENCY_KEY;
        if !parts.headers.contains_key(&name) {
            return Ok(Self(None));
        }
        let key = only(&parts.headers, &name)?.unwrap_or_default();
        match (1..=KEY_BYTES_MAX).contains(&key.len()) {
            true => Ok(Self(Some(key.to_owned()))),
            false => Err(Failure::invalid(
                name.as_str(),
                "expected 1 to 255 printable ASCII characters",
            )),
        }
    }
}

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "Sent again within 24 hours with the same body, the first answer comes \
                           again and nothing is done twice.";
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(KEY_BYTES_MAX))
            .pattern(Some("^[!-~]([ -~]*[!-~])?$"));
        vec![
            ParameterBuilder::new()
                .name(names::IDEMPOTENCY_KEY.as_str())
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(description))
                .schema(Some(schema))
                .build(),
        ]
    }
}

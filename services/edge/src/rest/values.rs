//! Values in JSON: times, amounts, secrets, and what is absent.

use std::borrow::Cow;
use std::fmt;

use keyward_auth::{OrganizationRole, Scope};
use keyward_money::Nanos;
use keyward_proto::metering::v1::NoticeKind;
use keyward_runtime::time;
use keyward_secret::Secret;
use prost_types::{FieldMask, Timestamp};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};
use utoipa::openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::words::{self, NOTICE_KINDS};
use crate::failure::Failure;

/// A text, or `None` where it is empty: protobuf has no other way to say that it is absent.
pub(crate) fn present(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// The mask of the fields that are given; a change of nothing is refused, as an empty mask would mean
/// every field.
pub(crate) fn mask(fields: &[(&str, bool)]) -> Result<FieldMask, Failure> {
    let paths: Vec<String> = fields
        .iter()
        .filter(|(_, given)| *given)
        .map(|(name, _)| (*name).to_owned())
        .collect();
    match paths.is_empty() {
        true => Err(Failure::invalid("", "the body changes nothing")),
        false => Ok(FieldMask { paths }),
    }
}

/// A field of a change, where `null` is something else than absence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Change<T> {
    /// Absent.
    #[default]
    Keep,
    /// `null`.
    Clear,
    /// A value.
    Set(T),
}

impl<T> Change<T> {
    /// Whether it shall change.
    pub(crate) fn is_given(&self) -> bool {
        !matches!(self, Self::Keep)
    }

    /// The value it shall have, if any.
    pub(crate) fn value(self) -> Option<T> {
        match self {
            Self::Keep | Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}

/// Reads a text into `T`; what was in it is in no error.
pub(super) struct Text<T> {
    /// What was expected, as an error goes on after "expected".
    pub(super) expected: &'static str,
    /// `None` for what was not expected.
    pub(super) read: fn(&str) -> Option<T>,
}

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).ok_or_else(|| E::custom(format_args!("expected {}", self.expected)))
    }
}

/// Declares how a type is read from a text, in JSON and in queries.
macro_rules! from_text {
    ($name:ident, $expected:expr, $read:expr) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str($crate::rest::values::Text {
                    expected: $expected,
                    read: $read,
                })
            }
        }
    };
}
pub(super) use from_text;

/// Declares what the document of the API says about a type.
macro_rules! documented {
    ($name:ident, $schema:expr) => {
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.build().into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}

/// The schema of a text.
fn text_schema(description: &str, example: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .examples([example])
}

/// A time: RFC 3339 text in UTC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time(jiff::Timestamp);

impl Time {
    /// Of a body, for the contract.
    pub(crate) fn to_proto(self) -> Timestamp {
        time::to_proto(self.0)
    }

    /// Of the contract; `None` where it is absent.
    pub(crate) fn from_proto(time: Option<&Timestamp>) -> Option<Self> {
        time.and_then(time::from_proto).map(Self)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

from_text!(
    Time,
    "a time in RFC 3339, such as \"2027-01-31T12:00:00Z\"",
    |text| time::from_text(text).map(Time)
);

documented!(
    Time,
    text_schema("A time in RFC 3339.", "2027-01-31T12:00:00Z")
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
);

/// A number of units that somebody may use: not negative, and within what arithmetic holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Units(pub(crate) i64);

impl<'de> Deserialize<'de> for Units {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let units = u64::deserialize(deserializer)?;
        let units = i64::try_from(units).map_err(|_| de::Error::custom("expected fewer units"))?;
        Ok(Self(units))
    }
}

documented!(
    Units,
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .examples([1_000_000])
);

/// An amount in credits: a decimal string.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount(Nanos);

impl Amount {
    pub(crate) fn new(nanos: i64) -> Self {
        Self(Nanos::new(nanos))
    }

    pub(crate) fn nanos(self) -> i64 {
        self.0.get()
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

from_text!(
    Amount,
    "an amount in credits as a decimal string of up to nine decimals, such as \"10\" or \"0.25\"",
    |text| text.parse().ok().map(Amount)
);

documented!(
    Amount,
    text_schema(
        "An amount in credits: a decimal string of up to nine decimals, two at least in answers.",
        "9.99999055",
    )
    .pattern(Some(r"^-?[0-9]+(\.[0-9]{1,9})?$"))
);

/// A provider key in a body.
#[derive(Debug)]
pub(crate) struct SecretText(Secret);

impl SecretText {
    /// For the message to the vault, the one place where it goes.
    pub(crate) fn expose(&self) -> String {
        self.0.expose().to_owned()
    }
}

from_text!(SecretText, "a string", |text| Some(SecretText(
    Secret::new(text)
)));

documented!(
    SecretText,
    text_schema(
        "A provider key. It is encrypted, and never shown again.",
        "sk-sandbox-mine",
    )
    .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
    .write_only(true)
);

/// The most names of one list.
const NAMES_MAX: usize = 100;

/// A list of names that limits something: with nothing in it, it would forbid everything, which
/// nobody means.
#[derive(Debug)]
pub(crate) struct Names(Vec<String>);

impl Names {
    pub(crate) fn into_vec(self) -> Vec<String> {
        self.0
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names: Vec<String> = Vec::deserialize(deserializer)?;
        if names.is_empty() {
            let expected = "a list with a name in it; leave it out, or give `null`, for any";
            return Err(de::Error::invalid_length(0, &expected));
        }
        Ok(Self(names))
    }
}

impl PartialSchema for Names {
    fn schema() -> RefOr<Schema> {
        ArrayBuilder::new()
            .items(ObjectBuilder::new().schema_type(Type::String))
            .min_items(Some(1))
            .max_items(Some(NAMES_MAX))
            .description(Some("Names that something is limited to."))
            .build()
            .into()
    }
}

impl ToSchema for Names {
    fn name() -> Cow<'static, str> {
        "Names".into()
    }
}

/// A scope, by its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScopeName(pub(crate) Scope);

impl Serialize for ScopeName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

from_text!(
    ScopeName,
    "one of `inference`, `keys`, `usage`, `billing`, `admin`",
    |text| Scope::from_name(text).map(ScopeName)
);

documented!(
    ScopeName,
    text_schema("What an access key lets its bearer do.", "inference")
        .enum_values(Some(Scope::ALL.map(Scope::as_str)))
);

/// A kind of notice that a webhook can be made for, by its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoticeKindName(pub(crate) NoticeKind);

from_text!(
    NoticeKindName,
    "one of `budget_threshold`, `low_balance`, `fallback_to_credits`",
    |text| notice_kind(text).map(NoticeKindName)
);

documented!(
    NoticeKindName,
    text_schema("What a notice is about.", "low_balance").enum_values(Some(
        NOTICE_KINDS.map(|kind| words::NoticeKind::of(kind.into()).as_str())
    ))
);

fn notice_kind(name: &str) -> Option<NoticeKind> {
    let is_named = |kind: &NoticeKind| words::NoticeKind::of((*kind).into()).as_str() == name;
    NOTICE_KINDS.into_iter().find(is_named)
}

/// A role in an organisation, by its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoleName(pub(crate) OrganizationRole);

impl Serialize for RoleName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

from_text!(
    RoleName,
    "one of `owner`, `admin`, `member`, `viewer`",
    |text| OrganizationRole::from_name(text).map(RoleName)
);

documented!(
    RoleName,
    text_schema("What a member may do in an organization.", "member")
        .enum_values(Some(["owner", "admin", "member", "viewer"]))
);

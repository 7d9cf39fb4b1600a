//! Values in JSON: times, amounts, secrets, and what is absent.

use std::fmt;

use keyward_money::Nanos;
use keyward_runtime::time;
use keyward_secret::Secret;
use prost_types::{FieldMask, Timestamp};
use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::failure::Failure;

/// A time as RFC 3339 text; `None` where it is absent.
pub(crate) fn time_text(time: Option<&Timestamp>) -> Option<String> {
    time.and_then(time::from_proto).map(time::to_text)
}

/// An amount in credits as a decimal string.
pub(crate) fn amount(nanos: i64) -> String {
    Nanos::new(nanos).to_string()
}

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

/// Reads a field of a new thing, where `null` is the same as absence: answers show what is absent as
/// `null`, and can be sent back.
pub(crate) fn null_or<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a text into `T`; what was in it is in no error.
struct Text<T> {
    expected: &'static str,
    read: fn(&str) -> Option<T>,
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

/// Declares how a type is read from a JSON string.
macro_rules! from_text {
    ($name:ident, $expected:literal, $read:expr) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Text {
                    expected: $expected,
                    read: $read,
                })
            }
        }
    };
}

/// A time in a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time(jiff::Timestamp);

impl Time {
    pub(crate) fn to_proto(self) -> Timestamp {
        time::to_proto(self.0)
    }
}

from_text!(
    Time,
    "a time in RFC 3339, such as \"2027-01-31T12:00:00Z\"",
    |text| { time::from_text(text).map(Time) }
);

/// An amount in a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount(Nanos);

impl Amount {
    pub(crate) fn nanos(self) -> i64 {
        self.0.get()
    }
}

from_text!(
    Amount,
    "an amount in credits as a decimal string of up to nine decimals, such as \"10\" or \"0.25\"",
    |text| text.parse().ok().map(Amount)
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

/// The name of a scope in a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScopeName(pub(crate) keyward_auth::Scope);

from_text!(
    ScopeName,
    "one of `inference`, `keys`, `usage`, `billing`, `admin`",
    |text| keyward_auth::Scope::from_name(text).map(ScopeName)
);

/// The name of a role in a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoleName(pub(crate) keyward_auth::OrganizationRole);

from_text!(
    RoleName,
    "one of `owner`, `admin`, `member`, `viewer`",
    |text| keyward_auth::OrganizationRole::from_name(text).map(RoleName)
);

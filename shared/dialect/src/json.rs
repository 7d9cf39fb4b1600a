//! JSON in and out: reading into types with an eye on what they do not know, and objects built
//! member by member.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::HashMap;

use crate::refusal::Refusal;

/// Reads a caller's body; gives the members that the type does not know, as dotted paths.
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<(T, Vec<String>), Refusal> {
    let mut unknown = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let mut json = serde_json::Deserializer::from_slice(body);
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let read = serde_ignored::deserialize(tracked, |path| unknown.push(dotted(&path)));
    let read = read.and_then(|read| json.end().map(|()| read));
    let read = read.map_err(|error| invalid(&track.path().to_string(), &error))?;
    unknown.dedup();
    let nulls = Nulls::of(body, &unknown);
    unknown.retain(|path| !nulls.has(path));
    Ok((read, unknown))
}

fn invalid(path: &str, error: &serde_json::Error) -> Refusal {
    let named = path != ".";
    Refusal::Invalid {
        param: named.then(|| path.to_owned()),
        message: if error.is_data() {
            format!("the request is not as its form wants it: {error}")
        } else {
            format!("the request is no JSON: {error}")
        },
    }
}

/// A path as callers write it: an optional member is no step.
fn dotted(path: &serde_ignored::Path<'_>) -> String {
    path.to_string().replace(".?", "")
}

/// Top-level members that are `null`, which is as good as absent.
struct Nulls<'a>(HashMap<&'a str, &'a RawValue>);

impl<'a> Nulls<'a> {
    /// Reads the body again only where something in it is not known.
    fn of(body: &'a [u8], unknown: &[String]) -> Self {
        let read = (!unknown.is_empty()).then(|| serde_json::from_slice(body).ok());
        Self(read.flatten().unwrap_or_default())
    }

    fn has(&self, path: &str) -> bool {
        self.0.get(path).is_some_and(|value| value.get() == "null")
    }
}

/// An object under construction.
#[derive(Debug, Default)]
pub(crate) struct Object(Map<String, Value>);

impl Object {
    /// An object with a `type`.
    pub(crate) fn typed(kind: &str) -> Self {
        Self::default().with("type", kind)
    }

    /// The object that a value is.
    pub(crate) fn of(value: Value) -> Self {
        match value {
            Value::Object(members) => Self(members),
            _ => Self::default(),
        }
    }

    /// With the members of another after its own.
    pub(crate) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Takes a member away.
    pub(crate) fn remove(&mut self, name: &str) -> Value {
        self.0.shift_remove(name).unwrap_or_default()
    }

    pub(crate) fn is_null(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(Value::is_null)
    }

    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// With a member, if there is something to write.
    #[must_use]
    pub(crate) fn maybe<T: Into<Value>>(mut self, name: &str, value: Option<T>) -> Self {
        self.set_maybe(name, value);
        self
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    pub(crate) fn set_maybe<T: Into<Value>>(&mut self, name: &str, value: Option<T>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// Sets a member if it is not empty.
    pub(crate) fn set_some(&mut self, name: &str, values: Vec<Value>) {
        if !values.is_empty() {
            self.set(name, values);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object.0)
    }
}

/// A value as bytes. Values have strings for keys and no numbers that JSON lacks, so this succeeds.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// A list where a lone value stands for a list of one.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    pub(crate) fn into_vec(self) -> Vec<T> {
        match self {
            Self::Many(values) => values,
            Self::One(value) => vec![value],
        }
    }
}

/// Reads a `null` as nothing at all.
pub(crate) fn or_default<'a, T, D>(json: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'a>,
    D: serde::Deserializer<'a>,
{
    Option::deserialize(json).map(Option::unwrap_or_default)
}

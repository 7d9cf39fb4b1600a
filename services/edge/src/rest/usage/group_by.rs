//! What usage is summed by: `?group_by=day,model`.

use keyward_proto::metering::v1::UsageDimension;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::rest::values::from_text;

/// The dimensions by their names, in the order in which they are shown.
const DIMENSIONS: [(&str, UsageDimension); 9] = [
    ("day", UsageDimension::Day),
    ("hour", UsageDimension::Hour),
    ("model", UsageDimension::Model),
    ("provider", UsageDimension::Provider),
    ("key", UsageDimension::ProviderKey),
    ("user", UsageDimension::User),
    ("project", UsageDimension::Project),
    ("tag", UsageDimension::Tag),
    ("source", UsageDimension::KeySource),
];

/// What is summed by, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct GroupBy(Vec<UsageDimension>);

impl GroupBy {
    pub(super) fn has(&self, dimension: UsageDimension) -> bool {
        self.0.contains(&dimension)
    }

    pub(super) fn to_proto(&self) -> Vec<i32> {
        self.0.iter().map(|dimension| (*dimension).into()).collect()
    }

    /// The names and dimensions that are asked for, in the order in which they are shown.
    pub(super) fn shown(&self) -> impl Iterator<Item = (&'static str, UsageDimension)> {
        DIMENSIONS
            .into_iter()
            .filter(|(_, dimension)| self.has(*dimension))
    }
}

fn read(text: &str) -> Option<GroupBy> {
    let mut found = Vec::new();
    for name in text.split(',').filter(|_| !text.is_empty()) {
        let (_, dimension) = DIMENSIONS.into_iter().find(|(known, _)| *known == name)?;
        if found.contains(&dimension) {
            return None;
        }
        found.push(dimension);
    }
    Some(GroupBy(found))
}

from_text!(
    GroupBy,
    "some of `day`, `hour`, `model`, `provider`, `key`, `user`, `project`, `tag`, `source`, each \
     once, with commas between them",
    read
);

impl PartialSchema for GroupBy {
    fn schema() -> RefOr<Schema> {
        let names = DIMENSIONS.map(|(name, _)| name);
        let item = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(names));
        ArrayBuilder::new()
            .items(item)
            .unique_items(true)
            .build()
            .into()
    }
}

impl ToSchema for GroupBy {}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn dimensions_are_known_words_each_once() {
        let names = |text| {
            let found = read(text)?;
            Some(found.shown().map(|(name, _)| name).collect::<Vec<_>>())
        };
        assert_eq!(names(""), Some(vec![]));
        assert_eq!(names("model,day"), Some(vec!["day", "model"]));
        for wrong in ["days", "day,day", "day,", ",", " day", "Day"] {
            assert_eq!(names(wrong), None, "{wrong}");
        }
    }
}

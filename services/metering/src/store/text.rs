//! What every engine keeps as text, and reads from it.

use std::collections::{BTreeMap, BTreeSet};

use keyward_secret::Secret;

use super::StoreError;
use crate::domain::notice::NoticeKind;
use crate::domain::signature::SigningSecret;
use crate::domain::webhook::Target;

fn corrupt(what: &'static str) -> StoreError {
    StoreError::Corrupt { what }
}

/// What a notice says to programs.
pub(super) fn data(data: &BTreeMap<String, String>) -> Result<String, StoreError> {
    serde_json::to_string(data).map_err(|_| corrupt("notice"))
}

pub(super) fn read_data(text: &str) -> Result<BTreeMap<String, String>, StoreError> {
    serde_json::from_str(text).map_err(|_| corrupt("notice"))
}

pub(super) fn kind(name: &str) -> Result<NoticeKind, StoreError> {
    NoticeKind::from_name(name).ok_or_else(|| corrupt("kind of notice"))
}

/// Kinds of notices between commas; nothing for none.
pub(super) fn kinds(kinds: &BTreeSet<NoticeKind>) -> String {
    let mut text = String::new();
    for kind in kinds {
        let before = if text.is_empty() { "," } else { "" };
        text.push_str(before);
        text.push_str(kind.name());
        text.push(',');
    }
    text
}

pub(super) fn read_kinds(text: &str) -> Result<BTreeSet<NoticeKind>, StoreError> {
    text.split(',')
        .filter(|name| !name.is_empty())
        .map(kind)
        .collect()
}

pub(super) fn target(text: &str) -> Result<Target, StoreError> {
    text.parse().map_err(|_| corrupt("webhook"))
}

pub(super) fn secret(text: Option<String>) -> Result<Option<SigningSecret>, StoreError> {
    let read = |text| SigningSecret::read(&Secret::new(text)).ok_or_else(|| corrupt("webhook"));
    text.map(read).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_stand_between_commas() {
        let some = BTreeSet::from([NoticeKind::KeyFailing, NoticeKind::LowBalance]);
        assert_eq!(kinds(&some), ",low_balance,key_failing,");
        assert_eq!(kinds(&BTreeSet::new()), "");
        for kinds_of in [some, BTreeSet::new()] {
            assert_eq!(read_kinds(&kinds(&kinds_of)).unwrap(), kinds_of);
        }
        assert!(read_kinds(",other,").is_err());
    }
}

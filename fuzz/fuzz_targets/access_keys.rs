//! Access keys: a changed character is noticed, and a mask shows little.
#![no_main]

use std::sync::LazyLock;

use keyward_auth::access_key::{PREFIX, generate, has_valid_checksum, is_well_formed, mask};
use keyward_secret::Secret;
use libfuzzer_sys::fuzz_target;

static GENUINE: LazyLock<Secret> = LazyLock::new(|| generate().unwrap());

fn any(text: &str) {
    let checked = has_valid_checksum(text);
    if is_well_formed(text) {
        assert!(text.starts_with(PREFIX) && text.is_ascii() && text.len() <= 512);
    }
    if checked {
        assert_eq!(text.len(), GENUINE.expose().len());
    }
    assert!(
        mask(&Secret::new(text))
            .chars()
            .filter(|c| *c != '…')
            .count()
            <= 11
    );
}

/// A genuine key with one character replaced.
fn changed(place: u8, character: char) {
    let genuine = GENUINE.expose();
    assert!(is_well_formed(genuine) && has_valid_checksum(genuine));
    let place = usize::from(place) % genuine.len();
    let text: String = genuine
        .chars()
        .enumerate()
        .map(|(index, own)| if index == place { character } else { own })
        .collect();
    assert!(text == genuine || !has_valid_checksum(&text));
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    any(&text);
    any(&format!("{PREFIX}{text}"));
    if let (Some(place), Some(character)) = (data.first(), text.chars().nth(1)) {
        changed(*place, character);
    }
});

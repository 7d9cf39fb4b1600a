//! Thought signatures. Here they are bytes in base64, so others' travel with their mark inside.

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{GeneralPurposeConfig, STANDARD};
use base64::{alphabet, engine::DecodePaddingMode};

use crate::canonical::{Origin, Signature};

/// Clients write them in either alphabet, with or without padding.
const ANY: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads a signature: one of another maker holds its mark.
pub(super) fn read(text: String) -> Signature {
    let held = ANY.decode(text.replace('-', "+").replace('_', "/"));
    let held = held.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let foreign = held.map(|text| Signature::read(Origin::Google, text));
    foreign
        .filter(|one| one.origin != Origin::Google)
        .unwrap_or(Signature {
            origin: Origin::Google,
            value: text,
        })
}

/// Writes a signature, whoever made it.
pub(super) fn write(signature: &Signature) -> String {
    match signature.origin {
        Origin::Google => signature.value.clone(),
        _ => STANDARD.encode(signature.write(Origin::Google)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_base64_and_finds_back_to_its_maker() {
        for origin in [Origin::Anthropic, Origin::Google, Origin::OpenAi] {
            let value = "CiwBjz1rX1HE+rJZ/w==".to_owned();
            let signature = Signature { origin, value };
            let written = write(&signature);
            assert!(STANDARD.decode(&written).is_ok());
            assert_eq!(read(written.clone()), signature);
            let url_safe = written.replace('+', "-").replace('/', "_");
            assert_eq!(read(url_safe).origin, origin);
        }
    }
}

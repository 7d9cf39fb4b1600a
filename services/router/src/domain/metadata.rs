//! The members that `compat.body_metadata` adds to an answer: spliced in, the rest untouched.

use bytes::Bytes;
use keyward_money::Nanos;

/// Adds the members to the JSON object that ends `json`, which may be an event's data. Where there
/// is no object, nothing changes.
pub(crate) fn into_json(
    json: Bytes,
    using_byok: bool,
    provider: &str,
    charge: Nanos,
) -> Vec<Bytes> {
    let Some(end) = memchr::memrchr(b'}', &json) else {
        return vec![json];
    };
    let before = json[..end].trim_ascii_end();
    let comma = if before.ends_with(b"{") { "" } else { "," };
    let provider = serde_json::Value::from(provider);
    let members = format!(
        "{comma}\"x-using-byok\":{using_byok},\"x-provider\":{provider},\
         \"x-credits-charged\":\"{charge}\",\"byok_api_key\":{using_byok}"
    );
    vec![json.slice(..end), members.into(), json.slice(end..)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_added_to_answers_and_chunks() {
        let charge = Nanos::new(9450);
        let text = |json: &'static str| {
            let pieces = into_json(Bytes::from_static(json.as_bytes()), true, "openai", charge);
            String::from_utf8(pieces.concat()).unwrap()
        };
        let added = r#""x-using-byok":true,"x-provider":"openai","x-credits-charged":"0.00000945","byok_api_key":true"#;
        assert_eq!(text(r#"{"id":"a"}"#), format!(r#"{{"id":"a",{added}}}"#));
        assert_eq!(text("{ }"), format!("{{ {added}}}"));
        assert_eq!(
            text("data: {\"usage\":{\"a\":1}}\n\n"),
            format!("data: {{\"usage\":{{\"a\":1}},{added}}}\n\n")
        );
        assert_eq!(text("nothing"), "nothing");
    }
}

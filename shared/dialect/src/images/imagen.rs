//! OpenAI's form on Imagen (`:predict`).

use serde_json::{Value, json};

use super::{Ratio, Size, Wire};
use crate::json::{self, Object};
use crate::refusal::{Garbled, Refusal};

/// The shapes that are made.
const RATIOS: [Ratio; 5] = [(1, 1), (3, 4), (4, 3), (9, 16), (16, 9)];

/// Translates a request; gives the members that were dropped with it. A size becomes the shape that is
/// nearest to it; addresses of images cannot be had.
pub fn imagen_request(body: &[u8], drop_params: bool) -> Result<(Vec<u8>, Vec<String>), Refusal> {
    let (wire, lacking) = super::read(body, lacks)?;
    super::refuse(&lacking, drop_params, "Imagen's form")?;
    let size = Size::read(wire.size.as_deref())?;
    let ratio = wire
        .aspect_ratio
        .or_else(|| size.and_then(|size| size.ratio(&RATIOS)));
    let parameters = Object::default()
        .with("sampleCount", wire.n.unwrap_or(1))
        .maybe("aspectRatio", ratio);
    let written = Object::default()
        .with("instances", json!([{"prompt": wire.prompt}]))
        .with("parameters", parameters);
    Ok((json::bytes(&written.into()), lacking))
}

/// It makes images of words alone.
fn lacks(wire: &Wire) -> Option<&'static str> {
    (!wire.images.is_empty()).then_some("images")
}

/// Translates an answer, made at `created` in seconds since 1970. Images that a filter withheld are
/// left out; if none is left, why is the reason that the answer cannot be read.
pub fn imagen_answer(body: &[u8], created: u64) -> Result<Vec<u8>, Garbled> {
    let body: Value = serde_json::from_slice(body)?;
    let predictions = body["predictions"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let images = predictions
        .iter()
        .filter_map(|one| one["bytesBase64Encoded"].as_str());
    let data: Vec<Value> = images.map(|image| json!({"b64_json": image})).collect();
    if data.is_empty() {
        let mut reasons = predictions
            .iter()
            .filter_map(|one| one["raiFilteredReason"].as_str());
        return Err(Garbled::new(
            reasons.next_back().unwrap_or("it has no images"),
        ));
    }
    Ok(json::bytes(&json!({"created": created, "data": data})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_becomes_the_nearest_shape() {
        let cases = [
            ("1024x1024", "1:1"),
            ("1792x1024", "16:9"),
            ("1024x1792", "9:16"),
            ("1536x1024", "4:3"),
            ("1024x1536", "3:4"),
        ];
        for (size, ratio) in cases {
            let body = json!({"model": "m", "prompt": "A boat", "size": size, "n": 2});
            let (made, dropped) = imagen_request(body.to_string().as_bytes(), false).unwrap();
            let expect = json!({
                "instances": [{"prompt": "A boat"}],
                "parameters": {"sampleCount": 2, "aspectRatio": ratio},
            });
            assert_eq!(serde_json::from_slice::<Value>(&made).unwrap(), expect);
            assert!(dropped.is_empty());
        }
    }

    #[test]
    fn what_imagen_lacks_is_refused_by_name_or_dropped() {
        let image = json!({"image_url": "data:image/png;base64,iVBO"});
        let cases = [
            (json!({"prompt": "a", "quality": "hd"}), "quality"),
            (
                json!({"prompt": "a", "response_format": "url"}),
                "response_format",
            ),
            (json!({"prompt": "a", "images": [image]}), "images"),
        ];
        for (body, param) in cases {
            let body = body.to_string();
            let refused = imagen_request(body.as_bytes(), false).unwrap_err();
            assert_eq!(refused.param(), Some(param));
            assert_eq!(imagen_request(body.as_bytes(), true).unwrap().1, [param]);
        }
        let wrong = imagen_request(br#"{"prompt":"a","size":"big"}"#, false).unwrap_err();
        assert!(matches!(wrong, Refusal::Invalid { .. }));
    }

    #[test]
    fn images_come_back_in_base64() {
        let body = br#"{"predictions":[{"bytesBase64Encoded":"iVBO","mimeType":"image/png"}]}"#;
        let made: Value = serde_json::from_slice(&imagen_answer(body, 7).unwrap()).unwrap();
        assert_eq!(made, json!({"created": 7, "data": [{"b64_json": "iVBO"}]}));
        let withheld = br#"{"predictions":[{"raiFilteredReason":"unsafe"}]}"#;
        assert!(
            imagen_answer(withheld, 7)
                .unwrap_err()
                .to_string()
                .contains("unsafe")
        );
    }
}

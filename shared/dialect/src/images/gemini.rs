//! OpenAI's form on Gemini's models that make images (`:generateContent`).

use keyward_money::Usage;
use serde_json::{Value, json};

use super::{Given, Ratio, Size, Wire};
use crate::canonical::{Content, Media, Part, Source};
use crate::gemini_generate::{self, parts};
use crate::json::{self, Object};
use crate::refusal::{Garbled, Refusal};
use crate::translate::{AnswerContext, ImageSizes, Options};

/// The shapes that are made.
const RATIOS: [Ratio; 10] = [
    (1, 1),
    (2, 3),
    (3, 2),
    (3, 4),
    (4, 3),
    (4, 5),
    (5, 4),
    (9, 16),
    (16, 9),
    (21, 9),
];

/// The sizes that are made beside the usual one, by the side of a square from which on each is nearest:
/// half way, by ratio, from 1,024 to 2,048 pixels and from there to 4,096.
const SIZES: [(f64, &str); 2] = [(2_896.0, "4K"), (1_448.0, "2K")];

/// Translates a request; gives the members that were dropped with it. A size becomes the shape that is
/// nearest to it, and where the model has sizes ([`Options::image_sizes`]) the nearest of those. One
/// image is made of one request. Texts are asked for too: not every model makes images alone, and
/// where there is no image a text says why.
pub fn gemini_image_request(
    body: &[u8],
    options: &Options,
) -> Result<(Vec<u8>, Vec<String>), Refusal> {
    let (wire, lacking) = super::read(body, lacks)?;
    super::refuse(&lacking, options.drop_params, "Gemini's form of images")?;
    let size = Size::read(wire.size.as_deref())?;
    let ratio = wire
        .aspect_ratio
        .or_else(|| size.and_then(|size| size.ratio(&RATIOS)));
    let sized = size
        .filter(|_| options.image_sizes == ImageSizes::Several)
        .and_then(named);
    let image = Object::default()
        .maybe("aspectRatio", ratio)
        .maybe("imageSize", sized);
    let config = Object::default()
        .with("responseModalities", json!(gemini_generate::WITH_IMAGES))
        .maybe("imageConfig", (!image.is_empty()).then_some(image));
    let mut said = vec![json!({"text": wire.prompt})];
    for given in wire.images {
        said.push(given.part()?);
    }
    let written = Object::default()
        .with("contents", json!([{"role": "user", "parts": said}]))
        .with("generationConfig", config);
    Ok((json::bytes(&written.into()), lacking))
}

/// It makes one image at a time.
fn lacks(wire: &Wire) -> Option<&'static str> {
    wire.n.is_some_and(|count| count > 1).then_some("n")
}

fn named(size: Size) -> Option<&'static str> {
    let (_, name) = SIZES.iter().find(|(from, _)| size.side() >= *from)?;
    Some(name)
}

impl Given {
    fn part(self) -> Result<Value, Refusal> {
        let elsewhere = || Refusal::Unsupported {
            param: "images".to_owned(),
            message: "an image by its id cannot be expressed in Gemini's form of images".to_owned(),
        };
        let media = Media {
            source: Source::from_url(self.image_url.ok_or_else(elsewhere)?),
            name: None,
            detail: None,
        };
        let part = parts::media(&media, "image/png").ok_or_else(elsewhere)?;
        Ok(part.into())
    }
}

/// Translates an answer. What is said beside the images has no place in this form; an answer without
/// any cannot be read.
pub fn gemini_image_answer(body: &[u8], context: &AnswerContext) -> Result<Vec<u8>, Garbled> {
    let answer = gemini_generate::read_answer(body, context)?;
    let parts = answer.choices.into_iter().flat_map(|choice| choice.parts);
    let images: Vec<(String, String)> = parts.filter_map(image).collect();
    let Some((kind, _)) = images.first() else {
        return Err(Garbled::new("it has no images"));
    };
    let format = kind.strip_prefix("image/").map(str::to_owned);
    let data = images
        .into_iter()
        .map(|(_, data)| Object::default().with("b64_json", data).into());
    let written = Object::default()
        .with("created", context.created)
        .with("data", data.collect::<Vec<Value>>())
        .maybe("output_format", format)
        .maybe("usage", answer.usage.as_ref().map(usage));
    Ok(json::bytes(&written.into()))
}

/// The MIME type and the bytes of an image that was made.
fn image(part: Part) -> Option<(String, String)> {
    match part.content {
        Content::Image(Media {
            source: Source::Base64 { media_type, data },
            ..
        }) => Some((media_type, data)),
        _ => None,
    }
}

/// Usage as OpenAI's images tell it: what is no image is text.
fn usage(usage: &Usage) -> Object {
    let details = |all: i64, images: i64| json!({"text_tokens": all.saturating_sub(images), "image_tokens": images});
    let (prompt, made) = (usage.prompt_tokens(), usage.completion_tokens());
    Object::default()
        .with("input_tokens", prompt)
        .with("output_tokens", made)
        .with("total_tokens", prompt.saturating_add(made))
        .with(
            "input_tokens_details",
            details(prompt, usage.input_image_tokens),
        )
        .with(
            "output_tokens_details",
            details(made, usage.output_image_tokens),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: &Value, options: &Options) -> Result<(Value, Vec<String>), Refusal> {
        let (made, dropped) = gemini_image_request(body.to_string().as_bytes(), options)?;
        Ok((serde_json::from_slice(&made).unwrap(), dropped))
    }

    #[test]
    fn a_size_becomes_the_nearest_shape_and_size() {
        let sized = Options {
            image_sizes: ImageSizes::Several,
            ..Options::new("gemini-3-pro-image")
        };
        let cases = [
            ("1024x1024", json!({"aspectRatio": "1:1"})),
            ("1792x1024", json!({"aspectRatio": "16:9"})),
            ("1536x1024", json!({"aspectRatio": "3:2"})),
            ("1024x1536", json!({"aspectRatio": "2:3"})),
            (
                "2048x2048",
                json!({"aspectRatio": "1:1", "imageSize": "2K"}),
            ),
            (
                "5504x3072",
                json!({"aspectRatio": "16:9", "imageSize": "4K"}),
            ),
        ];
        for (size, expect) in cases {
            let body = json!({"prompt": "A boat", "size": size});
            let (made, _) = request(&body, &sized).unwrap();
            assert_eq!(made["generationConfig"]["imageConfig"], expect, "{size}");
            let (made, _) = request(&body, &Options::new("gemini-2.5-flash-image")).unwrap();
            let shape = json!({"aspectRatio": expect["aspectRatio"]});
            assert_eq!(made["generationConfig"]["imageConfig"], shape);
        }
    }

    #[test]
    fn what_gemini_lacks_is_refused_by_name_or_dropped() {
        let id = json!({"file_id": "file-1"});
        let cases = [
            (json!({"prompt": "a", "n": 2}), "n", true),
            (json!({"prompt": "a", "quality": "hd"}), "quality", true),
            (
                json!({"prompt": "a", "response_format": "url"}),
                "response_format",
                true,
            ),
            // What it is to be made of is no setting.
            (json!({"prompt": "a", "images": [id]}), "images", false),
        ];
        let dropping = Options {
            drop_params: true,
            ..Options::new("m")
        };
        for (body, param, drops) in cases {
            let refused = request(&body, &Options::new("m")).unwrap_err();
            assert!(matches!(refused, Refusal::Unsupported { .. }));
            assert!(refused.param().unwrap().starts_with(param), "{refused:?}");
            let left_out = request(&body, &dropping).map(|(_, dropped)| dropped);
            assert_eq!(left_out.is_ok_and(|dropped| dropped == [param]), drops);
        }
        let wrong = request(&json!({"prompt": "a", "size": "big"}), &dropping).unwrap_err();
        assert!(matches!(wrong, Refusal::Invalid { .. }));
    }
}

//! Images: OpenAI's form at Google's models, of which there are two kinds. Imagen's are asked for
//! predictions, Gemini's for contents of which some are images.

mod gemini;
mod imagen;

use serde::Deserialize;

use crate::json;
use crate::refusal::Refusal;

pub use gemini::{gemini_image_answer, gemini_image_request};
pub use imagen::{imagen_answer, imagen_request};

/// A request as it is written: images are made of a prompt, and of images where some are to be changed.
#[derive(Debug, Deserialize)]
struct Wire {
    prompt: String,
    n: Option<u64>,
    size: Option<String>,
    aspect_ratio: Option<String>,
    response_format: Option<String>,
    #[serde(default, deserialize_with = "json::or_default")]
    images: Vec<Given>,
}

/// An image that is given: its address, or a `data:` URL; or its id with the provider.
#[derive(Debug, Deserialize)]
struct Given {
    image_url: Option<String>,
}

/// Members that change nothing in an answer, or are read where they are needed.
const HARMLESS: [&str; 2] = ["model", "user"];

/// Reads a request; gives the members that a provider lacks: those that no provider of Google's has,
/// addresses of images, and what `lacks` names.
fn read(
    body: &[u8],
    lacks: fn(&Wire) -> Option<&'static str>,
) -> Result<(Wire, Vec<String>), Refusal> {
    let (wire, mut foreign) = json::read::<Wire>(body)?;
    foreign.retain(|name| !HARMLESS.contains(&name.as_str()));
    if wire.response_format.as_deref() == Some("url") {
        foreign.push("response_format".to_owned());
    }
    foreign.extend(lacks(&wire).map(str::to_owned));
    Ok((wire, foreign))
}

/// Refuses the first of the members that are lacking, by its name; all pass where they may be dropped.
fn refuse(lacking: &[String], drop_params: bool, form: &str) -> Result<(), Refusal> {
    match lacking.first() {
        Some(param) if !drop_params => Err(Refusal::Unsupported {
            param: param.clone(),
            message: format!("`{param}` cannot be expressed in {form}"),
        }),
        _ => Ok(()),
    }
}

/// A size in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Size {
    width: f64,
    height: f64,
}

/// A shape, by width and height.
type Ratio = (u32, u32);

impl Size {
    /// Reads a size like `1792x1024`; none where it is left open.
    fn read(size: Option<&str>) -> Result<Option<Self>, Refusal> {
        let Some(size) = size.filter(|size| *size != "auto") else {
            return Ok(None);
        };
        let sides = size.split_once('x').and_then(|(width, height)| {
            let (width, height) = (width.parse::<u16>().ok()?, height.parse::<u16>().ok()?);
            (width > 0 && height > 0).then_some((f64::from(width), f64::from(height)))
        });
        let wrong = || Refusal::invalid("size", "a size is a width, an `x` and a height");
        let (width, height) = sides.ok_or_else(wrong)?;
        Ok(Some(Self { width, height }))
    }

    /// The nearest of the shapes that are made.
    fn ratio(self, made: &[Ratio]) -> Option<String> {
        let asked = (self.width / self.height).ln();
        let far = |(wide, high): &Ratio| (asked - (f64::from(*wide) / f64::from(*high)).ln()).abs();
        let nearest = made
            .iter()
            .min_by(|one, other| far(one).total_cmp(&far(other)));
        nearest.map(|(wide, high)| format!("{wide}:{high}"))
    }

    /// The side of a square of as many pixels.
    fn side(self) -> f64 {
        (self.width * self.height).sqrt()
    }
}

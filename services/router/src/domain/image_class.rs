//! Classes of images: how good and how large they are, by which some are sold. A class has its prices
//! where a service tier of that name has them, as `hd/1024x1792`, and goes the same way: into the hold,
//! the record and the receipt.

use keyward_money::Prices;

/// What images are made in where nobody says otherwise, or leaves it to the provider.
const USUAL_QUALITY: &str = "standard";
const USUAL_SIZE: &str = "1024x1024";

/// The class of images of that quality and size; empty where it costs what is usual.
pub(crate) fn named(prices: &Prices, quality: &str, size: &str) -> String {
    let class = format!(
        "{}/{}",
        said(quality, USUAL_QUALITY),
        said(size, USUAL_SIZE)
    );
    let mut tiers = prices.service_tiers.iter();
    let is_sold = tiers.any(|tier| tier.service_tier == class);
    if is_sold { class } else { String::new() }
}

fn said<'a>(text: &'a str, usual: &'a str) -> &'a str {
    match text {
        "" | "auto" | "null" => usual,
        text => text,
    }
}

#[cfg(test)]
mod tests {
    use keyward_catalog::{Catalog, Model};
    use keyward_money::{BasisPoints, Charge};
    use proptest::prelude::*;

    use crate::domain::form::Form;
    use crate::domain::request::{Arrived, ModelRequest};

    /// What OpenAI publishes, in thousandths of a dollar for an image.
    const PUBLISHED: [(&str, Option<&str>, Option<&str>, i64); 16] = [
        ("dall-e-3", None, None, 40),
        ("dall-e-3", Some("standard"), None, 40),
        ("dall-e-3", Some("standard"), Some("1024x1024"), 40),
        ("dall-e-3", None, Some("1024x1792"), 80),
        ("dall-e-3", Some("standard"), Some("1792x1024"), 80),
        ("dall-e-3", Some("auto"), Some("auto"), 40),
        ("dall-e-3", Some("hd"), None, 80),
        ("dall-e-3", Some("hd"), Some("1024x1024"), 80),
        ("dall-e-3", Some("hd"), Some("1024x1792"), 120),
        ("dall-e-3", Some("hd"), Some("1792x1024"), 120),
        ("dall-e-2", None, None, 20),
        ("dall-e-2", None, Some("1024x1024"), 20),
        ("dall-e-2", Some("standard"), Some("1024x1024"), 20),
        ("dall-e-2", None, Some("512x512"), 18),
        ("dall-e-2", Some("standard"), Some("512x512"), 18),
        ("dall-e-2", None, Some("256x256"), 16),
    ];

    fn catalog() -> &'static Catalog {
        static CATALOG: std::sync::OnceLock<Catalog> = std::sync::OnceLock::new();
        CATALOG.get_or_init(|| Catalog::embedded().unwrap())
    }

    fn request(model: &str, quality: Option<&str>, size: Option<&str>, n: i64) -> ModelRequest {
        let mut body = serde_json::json!({"model": model, "prompt": "A boat", "n": n});
        for (name, value) in [("quality", quality), ("size", size)] {
            if let Some(value) = value {
                body[name] = value.into();
            }
        }
        let arrived = Arrived {
            form: Form::ImageGenerations,
            body: body.to_string().into(),
            ..Arrived::default()
        };
        ModelRequest::parse(arrived).unwrap()
    }

    proptest! {
        /// What is held before, and what is charged for the images that came.
        #[test]
        fn images_cost_what_is_published_for_their_class(
            at in 0..PUBLISHED.len(), n in 1..=10_i64, made in 0..=10_i64,
        ) {
            let (model, quality, size, thousandths) = PUBLISHED[at];
            let offer = catalog().resolve(model).and_then(|model: &Model| model.offer("openai"));
            let prices = &offer.unwrap().prices;
            let request = request(model, quality, size, n);
            let class = request.image_class(prices);
            let cost = |usage| {
                let charge = Charge::in_service_tier(&usage, prices, &class, BasisPoints::ZERO);
                charge.unwrap().charge.get()
            };
            prop_assert_eq!(cost(request.units()), n * thousandths * 1_000_000);
            let usage = keyward_money::Usage { images: made, ..Default::default() };
            prop_assert_eq!(cost(usage), made * thousandths * 1_000_000);
        }
    }

    #[test]
    fn what_is_not_sold_by_class_has_none() {
        let drawn = catalog()
            .resolve("gpt-image-1")
            .and_then(|model| model.offer("openai"));
        let request = request("gpt-image-1", Some("high"), Some("1024x1536"), 1);
        assert_eq!(request.image_class(&drawn.unwrap().prices), "");
        let chat = Arrived {
            body: br#"{"model":"m","messages":[{}],"quality":"hd"}"#.as_slice().into(),
            ..Arrived::default()
        };
        let chat = ModelRequest::parse(chat).unwrap();
        let sold = catalog()
            .resolve("dall-e-3")
            .and_then(|model| model.offer("openai"));
        assert_eq!(chat.image_class(&sold.unwrap().prices), "");
    }
}

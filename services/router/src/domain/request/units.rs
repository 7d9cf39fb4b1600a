//! What a request asks for that is not paid for by tokens, as far as it shows beforehand.

use keyward_money::{Prices, Usage};

use super::ModelRequest;
use super::members::Member;
use super::parts::Parts;
use crate::domain::form::Form;
use crate::domain::image_class;
use crate::domain::sound::Sound;

/// Tokens of an image at the highest quality, the largest that is made: what OpenAI documents for
/// 1,024 by 1,536 pixels.
const IMAGE_TOKENS: [(&str, i64); 3] = [("low", 408), ("medium", 1_584), ("high", 6_240)];
/// What an image of no said quality may have.
const IMAGE_TOKENS_MAX: i64 = 6_240;

/// Ten tokens a second are heard,
const MILLISECONDS_PER_TOKEN_HEARD: i64 = 100;
/// and five are said at most.
const MILLISECONDS_PER_TOKEN_SAID: i64 = 200;
/// Slow speech has twelve characters a second.
const MILLISECONDS_PER_CHARACTER: i64 = 80;

impl ModelRequest {
    /// Images, characters and milliseconds that an answer is expected to be of; nothing for forms that
    /// make text.
    pub(crate) fn units(&self) -> Usage {
        match self.form {
            Form::ImageGenerations | Form::ImageEdits | Form::ImageVariations => self.images(),
            Form::Transcriptions | Form::Translations => self.sound(),
            Form::Speech => self.speech(),
            _ => Usage::default(),
        }
    }

    fn images(&self) -> Usage {
        let images = i64::try_from(self.choices).unwrap_or(i64::MAX);
        let quality = self.setting(Member::Quality);
        let known = IMAGE_TOKENS.iter().find(|(name, _)| *name == quality);
        let tokens = known.map_or(IMAGE_TOKENS_MAX, |(_, tokens)| *tokens);
        Usage {
            images,
            output_image_tokens: images.saturating_mul(tokens),
            ..Usage::default()
        }
    }

    /// The class of the images that are asked for, where they are sold by such; empty otherwise.
    pub(crate) fn image_class(&self, prices: &Prices) -> String {
        match self.form {
            Form::ImageGenerations | Form::ImageEdits | Form::ImageVariations => {
                let (quality, size) = (self.setting(Member::Quality), self.setting(Member::Size));
                image_class::named(prices, quality, size)
            }
            _ => String::new(),
        }
    }

    /// A setting of one word, wherever the body has it.
    fn setting(&self, member: Member) -> &str {
        if let Some(parts) = &self.parts {
            let text = parts.text(member.name(), &self.body);
            return text.ok().flatten().unwrap_or("");
        }
        self.raw(member).unwrap_or("").trim_matches('"')
    }

    /// A sound that is to be written down, by its length in bytes. Whether it is paid for by its time or
    /// in tokens, its model's prices say.
    fn sound(&self) -> Usage {
        let files = self.parts.iter().flat_map(Parts::files);
        let lengths = files.map(|range| Sound::file(&self.body[range]).milliseconds());
        let audio_ms: i64 = lengths.sum();
        Usage {
            audio_ms,
            input_audio_tokens: audio_ms / MILLISECONDS_PER_TOKEN_HEARD,
            output_tokens: audio_ms / MILLISECONDS_PER_TOKEN_SAID,
            ..Usage::default()
        }
    }

    /// Whether it is paid for by its characters or its time, its model's prices say.
    fn speech(&self) -> Usage {
        let characters = self.characters();
        Usage {
            characters,
            audio_ms: characters.saturating_mul(MILLISECONDS_PER_CHARACTER),
            ..Usage::default()
        }
    }

    /// How many characters are to be spoken.
    fn characters(&self) -> i64 {
        let text: Result<String, _> = serde_json::from_str(self.messages());
        text.map_or(0, |text| {
            i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
        })
    }
}

//! What images and sounds in a prompt count as, by tables: they are not opened here. Images are
//! taken for the largest that their model looks at, as providers document it.

/// The tokens of an image: at low detail, and at most otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ImageTokens {
    low: u64,
    most: u64,
}

/// An image of 2,048 by 768 is looked at in 8 tiles beside the whole; nothing larger is.
const fn tiled(whole: u64, tile: u64) -> ImageTokens {
    ImageTokens {
        low: whole,
        most: whole + 8 * tile,
    }
}

/// At most 1,536 patches are looked at, each of which counts as so many hundredths of a token.
const fn patched(hundredths: u64) -> ImageTokens {
    let most = (1_536 * hundredths).div_ceil(100);
    ImageTokens { low: most, most }
}

/// By the beginning of a model's id; the first that fits holds.
const IMAGES: [(&str, ImageTokens); 12] = [
    ("openai/gpt-4o-mini", tiled(2_833, 5_667)),
    ("openai/gpt-4o", tiled(85, 170)),
    ("openai/chatgpt-4o", tiled(85, 170)),
    ("openai/gpt-4.1-mini", patched(162)),
    ("openai/gpt-4.1-nano", patched(246)),
    ("openai/gpt-4", tiled(85, 170)),
    ("openai/gpt-5-mini", patched(162)),
    ("openai/gpt-5-nano", patched(246)),
    ("openai/gpt-5", tiled(70, 140)),
    ("openai/o4-mini", patched(172)),
    ("openai/o1", tiled(75, 150)),
    ("openai/o3", tiled(75, 150)),
];

/// Anthropic's most, and six of Gemini's tiles.
const IMAGE_USUAL: ImageTokens = ImageTokens {
    low: 1_600,
    most: 1_600,
};

/// Bytes of sound that count as one token, of which there are ten in a second: at 8 kHz with 16 bits
/// in a `wav`, at 32 kbit/s in what is compressed.
const WAV_BYTES_PER_TOKEN: u64 = 1_600;
const COMPRESSED_BYTES_PER_TOKEN: u64 = 400;

/// The tokens of an image in a prompt to a model.
pub(super) fn image_tokens(model: &str, is_low: bool) -> u64 {
    let row = IMAGES.iter().find(|(begin, _)| model.starts_with(begin));
    let tokens = row.map_or(IMAGE_USUAL, |(_, tokens)| *tokens);
    if is_low { tokens.low } else { tokens.most }
}

/// The tokens of a sound, given as base64.
pub(super) fn audio_tokens(base64_bytes: usize, format: &str) -> u64 {
    let bytes = base64_bytes as u64 / 4 * 3;
    let bytes_per_token = match format {
        "wav" | "pcm16" => WAV_BYTES_PER_TOKEN,
        _ => COMPRESSED_BYTES_PER_TOKEN,
    };
    bytes.div_ceil(bytes_per_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_and_sounds_go_by_their_tables() {
        for (model, low, most) in [
            ("openai/gpt-4o", 85, 1_445),
            ("openai/gpt-4o-2024-08-06", 85, 1_445),
            ("openai/gpt-4o-mini", 2_833, 48_169),
            ("openai/gpt-4.1", 85, 1_445),
            ("openai/gpt-4.1-mini", 2_489, 2_489),
            ("openai/gpt-5", 70, 1_190),
            ("openai/o3-pro", 75, 1_275),
            ("google/gemini-2.5-pro", 1_600, 1_600),
            ("anthropic/claude-sonnet-4-5", 1_600, 1_600),
        ] {
            let found = (image_tokens(model, true), image_tokens(model, false));
            assert_eq!(found, (low, most), "{model}");
        }
        assert_eq!(audio_tokens(64_000, "wav"), 30);
        assert_eq!(audio_tokens(64_000, "mp3"), 120);
        assert_eq!(audio_tokens(0, "mp3"), 0);
    }
}

//! What one attempt used, in disjoint buckets, and how overlapping figures become disjoint.

use serde::{Deserialize, Serialize};

/// Measured units of one attempt. The buckets are disjoint: a cached token is not also an input
/// token, a reasoning token not also an output token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Text tokens of the prompt that were not read from or written to a cache.
    pub input_tokens: i64,
    /// Prompt tokens read from the provider's cache.
    pub cache_read_tokens: i64,
    /// Prompt tokens written to a cache that lives five minutes.
    pub cache_write_5m_tokens: i64,
    /// Prompt tokens written to a cache that lives an hour.
    pub cache_write_1h_tokens: i64,
    /// Audio tokens of the prompt.
    pub input_audio_tokens: i64,
    /// Image tokens of the prompt.
    pub input_image_tokens: i64,
    /// Text tokens of the answer, without reasoning.
    pub output_tokens: i64,
    /// Reasoning tokens of the answer.
    pub reasoning_tokens: i64,
    /// Audio tokens of the answer.
    pub output_audio_tokens: i64,
    /// Image tokens of the answer.
    pub output_image_tokens: i64,
    /// Web searches.
    pub searches: i64,
    /// Images made.
    pub images: i64,
    /// Milliseconds of audio heard or made.
    pub audio_ms: i64,
    /// Characters spoken.
    pub characters: i64,
}

/// A usage together with whether the provider's figures contradicted themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MeasuredUsage {
    /// The disjoint buckets, none below zero.
    pub usage: Usage,
    /// Whether something had to be clamped to make them so.
    pub inconsistent: bool,
}

/// Figures as OpenAI's form reports them, where details are parts of their totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OverlappingUsage {
    /// All tokens of the prompt.
    pub prompt_tokens: i64,
    /// Those of them that were read from a cache.
    pub cached_tokens: i64,
    /// Those of them that were written to a cache of five minutes.
    pub cache_write_tokens: i64,
    /// Those of them that are audio.
    pub prompt_audio_tokens: i64,
    /// Those of them that are images.
    pub prompt_image_tokens: i64,
    /// All tokens of the answer.
    pub completion_tokens: i64,
    /// Those of them that are reasoning.
    pub reasoning_tokens: i64,
    /// Those of them that are audio.
    pub completion_audio_tokens: i64,
    /// Those of them that are images.
    pub completion_image_tokens: i64,
    /// Web searches.
    pub searches: i64,
}

impl Usage {
    /// How many buckets there are.
    pub const BUCKETS: usize = 14;

    /// All tokens of the prompt: what thresholds of long-context prices count.
    pub fn prompt_tokens(&self) -> i64 {
        [
            self.input_tokens,
            self.cache_read_tokens,
            self.cache_write_5m_tokens,
            self.cache_write_1h_tokens,
            self.input_audio_tokens,
            self.input_image_tokens,
        ]
        .into_iter()
        .fold(0, i64::saturating_add)
    }

    /// All tokens of the answer.
    pub fn completion_tokens(&self) -> i64 {
        [
            self.output_tokens,
            self.reasoning_tokens,
            self.output_audio_tokens,
            self.output_image_tokens,
        ]
        .into_iter()
        .fold(0, i64::saturating_add)
    }

    /// The part that is known before the answer: the same without what the answer is made of.
    #[must_use]
    pub fn without_output(mut self) -> Self {
        self.output_tokens = 0;
        self.reasoning_tokens = 0;
        self.output_audio_tokens = 0;
        self.output_image_tokens = 0;
        self
    }

    /// Takes figures that are disjoint already, as Anthropic's form reports them: clamps what is
    /// below zero, and says whether anything was.
    pub fn from_disjoint(mut usage: Self) -> MeasuredUsage {
        let mut inconsistent = false;
        for bucket in usage.buckets_mut() {
            if *bucket < 0 {
                *bucket = 0;
                inconsistent = true;
            }
        }
        MeasuredUsage {
            usage,
            inconsistent,
        }
    }

    /// Makes overlapping figures disjoint. Details above their total clamp the rest of it at zero
    /// and flag the result: what a detail says was used is never dropped.
    pub fn from_overlapping(figures: OverlappingUsage) -> MeasuredUsage {
        let figures = figures.without_cached_media();
        let input_tokens = figures
            .prompt_tokens
            .saturating_sub(figures.cached_tokens.max(0))
            .saturating_sub(figures.cache_write_tokens.max(0))
            .saturating_sub(figures.prompt_audio_tokens.max(0))
            .saturating_sub(figures.prompt_image_tokens.max(0));
        let output_tokens = figures
            .completion_tokens
            .saturating_sub(figures.reasoning_tokens.max(0))
            .saturating_sub(figures.completion_audio_tokens.max(0))
            .saturating_sub(figures.completion_image_tokens.max(0));
        Self::from_disjoint(Self {
            input_tokens,
            cache_read_tokens: figures.cached_tokens,
            cache_write_5m_tokens: figures.cache_write_tokens,
            input_audio_tokens: figures.prompt_audio_tokens,
            input_image_tokens: figures.prompt_image_tokens,
            output_tokens,
            reasoning_tokens: figures.reasoning_tokens,
            output_audio_tokens: figures.completion_audio_tokens,
            output_image_tokens: figures.completion_image_tokens,
            searches: figures.searches,
            ..Self::default()
        })
    }

    /// Adds what another attempt used; figures that no longer fit stay at the highest that does.
    #[must_use]
    pub fn saturating_add(mut self, mut other: Self) -> Self {
        for (bucket, more) in self.buckets_mut().into_iter().zip(other.buckets_mut()) {
            *bucket = bucket.saturating_add(*more);
        }
        self
    }

    /// The buckets, in the order in which they are declared: for stores.
    pub fn to_buckets(mut self) -> [i64; Self::BUCKETS] {
        self.buckets_mut().map(|bucket| *bucket)
    }

    /// The usage with these buckets, in the order in which they are declared.
    pub fn from_buckets(buckets: [i64; Self::BUCKETS]) -> Self {
        let mut usage = Self::default();
        for (bucket, figure) in usage.buckets_mut().into_iter().zip(buckets) {
            *bucket = figure;
        }
        usage
    }

    fn buckets_mut(&mut self) -> [&mut i64; Self::BUCKETS] {
        [
            &mut self.input_tokens,
            &mut self.cache_read_tokens,
            &mut self.cache_write_5m_tokens,
            &mut self.cache_write_1h_tokens,
            &mut self.input_audio_tokens,
            &mut self.input_image_tokens,
            &mut self.output_tokens,
            &mut self.reasoning_tokens,
            &mut self.output_audio_tokens,
            &mut self.output_image_tokens,
            &mut self.searches,
            &mut self.images,
            &mut self.audio_ms,
            &mut self.characters,
        ]
    }
}

impl OverlappingUsage {
    /// Sounds and images that were read from the cache are counted in both details by some (xAI): what
    /// of a prompt would be there twice counts as cached. Details that are above the prompt each on
    /// its own are a contradiction, and stay one.
    fn without_cached_media(mut self) -> Self {
        let cached = self
            .cached_tokens
            .max(0)
            .saturating_add(self.cache_write_tokens.max(0));
        let (audio, images) = (
            self.prompt_audio_tokens.max(0),
            self.prompt_image_tokens.max(0),
        );
        let media = audio.saturating_add(images);
        let twice = cached
            .saturating_add(media)
            .saturating_sub(self.prompt_tokens);
        if twice > 0 && cached <= self.prompt_tokens && media <= self.prompt_tokens {
            self.prompt_image_tokens = images - twice.min(images);
            self.prompt_audio_tokens = audio - (twice - twice.min(images));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn details_are_taken_out_of_their_totals() {
        let measured = Usage::from_overlapping(OverlappingUsage {
            prompt_tokens: 262_960,
            cached_tokens: 257_955,
            completion_tokens: 1_744,
            reasoning_tokens: 700,
            ..OverlappingUsage::default()
        });
        assert!(!measured.inconsistent);
        assert_eq!(measured.usage.input_tokens, 5_005);
        assert_eq!(measured.usage.cache_read_tokens, 257_955);
        assert_eq!(measured.usage.output_tokens, 1_044);
        assert_eq!(measured.usage.reasoning_tokens, 700);
    }

    #[test]
    fn images_that_were_cached_count_once() {
        let measured = Usage::from_overlapping(OverlappingUsage {
            prompt_tokens: 504,
            cached_tokens: 370,
            prompt_image_tokens: 256,
            ..OverlappingUsage::default()
        });
        assert!(!measured.inconsistent);
        assert_eq!(measured.usage.prompt_tokens(), 504);
        assert_eq!(measured.usage.cache_read_tokens, 370);
        assert_eq!(measured.usage.input_image_tokens, 134);
    }

    #[test]
    fn more_cached_than_prompt_clamps_at_zero_and_is_flagged() {
        let measured = Usage::from_overlapping(OverlappingUsage {
            prompt_tokens: 10,
            cached_tokens: 12,
            ..OverlappingUsage::default()
        });
        assert!(measured.inconsistent);
        assert_eq!(measured.usage.input_tokens, 0);
        assert_eq!(measured.usage.cache_read_tokens, 12);
    }

    #[test]
    fn buckets_keep_their_places_and_add_up() {
        let usage = Usage {
            input_tokens: 1,
            output_tokens: 2,
            characters: i64::MAX,
            ..Usage::default()
        };
        assert_eq!(Usage::from_buckets(usage.to_buckets()), usage);
        assert_eq!(
            usage.saturating_add(usage),
            Usage {
                input_tokens: 2,
                output_tokens: 4,
                characters: i64::MAX,
                ..Usage::default()
            }
        );
    }

    #[test]
    fn negative_figures_clamp_at_zero_and_are_flagged() {
        let measured = Usage::from_disjoint(Usage {
            output_tokens: -1,
            ..Usage::default()
        });
        assert_eq!(
            measured,
            MeasuredUsage {
                usage: Usage::default(),
                inconsistent: true
            }
        );
    }

    proptest! {
        #[test]
        fn no_bucket_is_ever_below_zero(
            prompt: i64, cached: i64, written: i64, audio: i64, completion: i64, reasoning: i64,
        ) {
            let mut usage = Usage::from_overlapping(OverlappingUsage {
                prompt_tokens: prompt,
                cached_tokens: cached,
                cache_write_tokens: written,
                prompt_audio_tokens: audio,
                completion_tokens: completion,
                reasoning_tokens: reasoning,
                ..OverlappingUsage::default()
            }).usage;
            prop_assert!(usage.buckets_mut().into_iter().all(|bucket| *bucket >= 0));
        }

        #[test]
        fn consistent_figures_keep_their_totals(
            uncached in 0..1_i64 << 40, cached in 0..1_i64 << 40, plain in 0..1_i64 << 40,
            reasoning in 0..1_i64 << 40,
        ) {
            let measured = Usage::from_overlapping(OverlappingUsage {
                prompt_tokens: uncached + cached,
                cached_tokens: cached,
                completion_tokens: plain + reasoning,
                reasoning_tokens: reasoning,
                ..OverlappingUsage::default()
            });
            prop_assert!(!measured.inconsistent);
            prop_assert_eq!(measured.usage.prompt_tokens(), uncached + cached);
            prop_assert_eq!(measured.usage.completion_tokens(), plain + reasoning);
        }
    }
}

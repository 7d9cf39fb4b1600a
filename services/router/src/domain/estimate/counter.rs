//! Counting tokens of text: by the model's vocabulary as far as that is worth its time, otherwise by
//! bytes.

use tiktoken_rs::tokenizer::{Tokenizer, get_tokenizer};

/// Text beyond this is counted by bytes: some 5 ms of work, and 30 for text that is made to be slow,
/// at the end of which a hold's size hardly changes.
const COUNTED_BYTES_MAX: usize = 128 * 1024;
/// The most that is looked at in one go: text without spaces costs more than its length.
const PIECE_BYTES_MAX: usize = 8 * 1024;

/// A published vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vocabulary {
    Cl100k,
    O200k,
}

impl Vocabulary {
    /// The one of a model, by its id in the catalogue; none where it is not published.
    pub(crate) fn of(model: &str) -> Option<Self> {
        match get_tokenizer(model.strip_prefix("openai/")?)? {
            Tokenizer::Cl100kBase => Some(Self::Cl100k),
            Tokenizer::O200kBase | Tokenizer::O200kHarmony => Some(Self::O200k),
            _ => None,
        }
    }
}

/// A vocabulary at hand.
pub(crate) trait CountTokens {
    /// How many tokens a text is; none where it cannot say.
    fn count_tokens(&self, text: &str) -> Option<u64>;
}

/// Counts the texts of one prompt or answer.
pub(crate) struct Counter<'a> {
    vocabulary: Option<&'a dyn CountTokens>,
    bytes_per_token: u64,
    /// How many bytes may still be counted by the vocabulary.
    left: usize,
}

impl<'a> Counter<'a> {
    /// `bytes_per_token` where the vocabulary does not count.
    pub(crate) fn new(vocabulary: Option<&'a dyn CountTokens>, bytes_per_token: u64) -> Self {
        Self {
            vocabulary,
            bytes_per_token,
            left: COUNTED_BYTES_MAX,
        }
    }

    /// The tokens of a text.
    pub(crate) fn count(&mut self, text: &str) -> u64 {
        let (counted, rest) = text.split_at(boundary(text, self.left));
        self.left -= counted.len();
        let counted = match self.vocabulary {
            Some(vocabulary) => self.pieces(vocabulary, counted),
            None => self.by_bytes(counted.len()),
        };
        counted + self.by_bytes(rest.len())
    }

    /// The tokens of so many bytes of what cannot be counted.
    pub(crate) fn by_bytes(&self, bytes: usize) -> u64 {
        (bytes as u64).div_ceil(self.bytes_per_token)
    }

    fn pieces(&self, vocabulary: &dyn CountTokens, mut text: &str) -> u64 {
        let mut tokens = 0;
        while !text.is_empty() {
            let (piece, rest) = text.split_at(boundary(text, PIECE_BYTES_MAX));
            let counted = vocabulary.count_tokens(piece);
            tokens += counted.unwrap_or_else(|| self.by_bytes(piece.len()));
            text = rest;
        }
        tokens
    }
}

/// The last boundary between characters that is not behind `at`.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token for each character; none for a text with a question in it.
    struct Characters;

    impl CountTokens for Characters {
        fn count_tokens(&self, text: &str) -> Option<u64> {
            assert!(text.len() <= PIECE_BYTES_MAX);
            (!text.contains('?')).then(|| text.chars().count() as u64)
        }
    }

    #[test]
    fn text_is_counted_by_the_vocabulary_up_to_a_bound_and_by_bytes_beyond() {
        let count = |text: &str| Counter::new(Some(&Characters), 3).count(text);
        assert_eq!(count(""), 0);
        assert_eq!(count("abcd"), 4);
        assert_eq!(count("éé"), 2);
        assert_eq!(count("what?"), 2, "by bytes where it cannot say");
        let long = "é".repeat(COUNTED_BYTES_MAX / 2);
        assert_eq!(count(&long), COUNTED_BYTES_MAX as u64 / 2);
        assert_eq!(
            count(&format!("{long}abcd")),
            COUNTED_BYTES_MAX as u64 / 2 + 2
        );
        let mut counter = Counter::new(Some(&Characters), 3);
        counter.count(&long);
        assert_eq!(counter.count("abcd"), 2, "one bound for all texts");
        assert_eq!(Counter::new(None, 3).count("abcd"), 2);
        assert_eq!(Counter::new(None, 4).count("abcd"), 1);
    }

    #[test]
    fn vocabularies_are_known_of_openais_models_only() {
        for (model, expect) in [
            ("openai/gpt-4o", Some(Vocabulary::O200k)),
            ("openai/gpt-4o-mini", Some(Vocabulary::O200k)),
            ("openai/gpt-oss-120b", Some(Vocabulary::O200k)),
            ("openai/o3-mini", Some(Vocabulary::O200k)),
            ("openai/gpt-4-turbo", Some(Vocabulary::Cl100k)),
            ("openai/gpt-3.5-turbo", Some(Vocabulary::Cl100k)),
            ("openai/davinci", None),
            ("openai/gpt-9", None),
            ("anthropic/claude-sonnet-4-5", None),
            ("gpt-4o", None),
        ] {
            assert_eq!(Vocabulary::of(model), expect, "{model}");
        }
    }
}

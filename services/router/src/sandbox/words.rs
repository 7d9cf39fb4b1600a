//! The words of an answer, one after the other.

/// The words that `sandbox/lorem` repeats.
const LOREM: [&str; 16] = [
    "lorem",
    "ipsum",
    "dolor",
    "sit",
    "amet",
    "consectetur",
    "adipiscing",
    "elit",
    "sed",
    "do",
    "eiusmod",
    "tempor",
    "incididunt",
    "ut",
    "labore",
    "et",
];

/// Words yet to be said.
#[derive(Debug)]
pub(super) enum Words {
    /// Those of a text, from a place on.
    Text {
        /// The text.
        text: String,
        /// What comes before is said.
        at: usize,
    },
    /// Made up ones.
    Lorem {
        /// How many are said.
        said: usize,
        /// How many there are.
        count: usize,
    },
}

impl Words {
    pub(super) fn of(text: String) -> Self {
        Self::Text { text, at: 0 }
    }

    pub(super) fn lorem(count: usize) -> Self {
        Self::Lorem { said: 0, count }
    }

    /// How many there are.
    pub(super) fn count_all(&self) -> usize {
        match self {
            Self::Text { text, .. } => text.split_whitespace().count(),
            Self::Lorem { count, .. } => *count,
        }
    }

    /// All of them, with one space between two.
    pub(super) fn joined(self) -> String {
        let mut text = String::new();
        for word in self {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&word);
        }
        text
    }
}

impl Iterator for Words {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        match self {
            Self::Text { text, at } => {
                let rest = text[*at..].trim_start();
                let word = rest.split(char::is_whitespace).next()?;
                if word.is_empty() {
                    return None;
                }
                *at = text.len() - rest.len() + word.len();
                Some(word.to_owned())
            }
            Self::Lorem { said, count } => {
                if said == count {
                    return None;
                }
                *said += 1;
                Some(LOREM[(*said - 1) % LOREM.len()].to_owned())
            }
        }
    }
}

//! Counts tokens with published vocabularies: loaded in a thread of their own when a model first
//! needs one, and never waited for. What is too long to be counted between two awaits is counted by
//! a thread for blocking work; where enough of those are busy, bytes are good enough.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use keyward_money::Usage;
use tiktoken_rs::CoreBPE;
use tokio::sync::Semaphore;

use crate::domain::estimate::{CountTokens, Counter, PromptText, Vocabulary, measure};

/// Text up to this is counted at once: it takes some 40 microseconds, and 200 at worst.
const COUNTED_AT_ONCE_BYTES_MAX: usize = 1024;
/// Text up to this is read at once, where there is no vocabulary to count it by.
const READ_AT_ONCE_BYTES_MAX: usize = 32 * 1024;
/// How many threads count at a time: the work is the processor's, and others need it too.
const COUNTING_MAX: usize = 4;

/// A vocabulary, once it is loaded. One for the process: it is the same for everybody.
struct Slot {
    loaded: OnceLock<Loaded>,
    asked: AtomicBool,
}

struct Loaded(CoreBPE);

static CL100K: Slot = Slot::new();
static O200K: Slot = Slot::new();

impl Slot {
    const fn new() -> Self {
        Self {
            loaded: OnceLock::new(),
            asked: AtomicBool::new(false),
        }
    }
}

impl CountTokens for Loaded {
    fn count_tokens(&self, text: &str) -> Option<u64> {
        // A text cannot name special tokens: to the model they are text too.
        let counted = self.0.count(text, &HashSet::new());
        counted.ok().map(|tokens| tokens as u64)
    }
}

/// Counts tokens.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    counting: Arc<Semaphore>,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        Self {
            counting: Arc::new(Semaphore::new(COUNTING_MAX)),
        }
    }

    /// The tokens of a prompt to a model; by bytes where there is no vocabulary.
    pub(super) async fn of_prompt(
        &self,
        text: PromptText,
        model: &str,
        bytes_per_token: u64,
    ) -> Usage {
        let vocabulary = vocabulary(model);
        let otherwise = text.by_bytes(bytes_per_token);
        let (length, model) = (text.len(), model.to_owned());
        let count = move || {
            let counter = Counter::new(vocabulary.map(as_counting), bytes_per_token);
            measure(&text, &model, counter)
        };
        self.count(length, vocabulary.is_some(), count)
            .await
            .unwrap_or(otherwise)
    }

    /// The tokens of a text that a model wrote; by bytes where there is no vocabulary.
    pub(super) async fn of_text(&self, text: String, model: &str, bytes_per_token: u64) -> u64 {
        let vocabulary = vocabulary(model);
        let otherwise = Counter::new(None, bytes_per_token).by_bytes(text.len());
        let length = text.len();
        let count = move || Counter::new(vocabulary.map(as_counting), bytes_per_token).count(&text);
        self.count(length, vocabulary.is_some(), count)
            .await
            .unwrap_or(otherwise)
    }

    /// None where nobody is free to count.
    async fn count<T: Send + 'static>(
        &self,
        length: usize,
        is_exact: bool,
        count: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let at_once_max = match is_exact {
            true => COUNTED_AT_ONCE_BYTES_MAX,
            false => READ_AT_ONCE_BYTES_MAX,
        };
        if length <= at_once_max {
            return Some(count());
        }
        let permit = Arc::clone(&self.counting).try_acquire_owned().ok()?;
        let counted = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            count()
        });
        counted.await.ok()
    }
}

/// A model's vocabulary, if it is there; what is not is loaded for the next request.
fn vocabulary(model: &str) -> Option<&'static Loaded> {
    let vocabulary = Vocabulary::of(model)?;
    let slot = slot(vocabulary);
    let loaded = slot.loaded.get();
    if loaded.is_none() && !slot.asked.swap(true, Ordering::Relaxed) {
        load(vocabulary);
    }
    loaded
}

fn as_counting(loaded: &'static Loaded) -> &'static dyn CountTokens {
    loaded
}

fn slot(vocabulary: Vocabulary) -> &'static Slot {
    match vocabulary {
        Vocabulary::Cl100k => &CL100K,
        Vocabulary::O200k => &O200K,
    }
}

/// Nobody waits for it, not even the end of the process. If it cannot be had, bytes are counted.
fn load(vocabulary: Vocabulary) {
    let thread = std::thread::Builder::new().name("vocabulary".to_owned());
    let started = thread.spawn(move || {
        let loaded = match vocabulary {
            Vocabulary::Cl100k => tiktoken_rs::cl100k_base(),
            Vocabulary::O200k => tiktoken_rs::o200k_base(),
        };
        match loaded {
            Ok(loaded) => {
                let _ = slot(vocabulary).loaded.set(Loaded(loaded));
            }
            Err(error) => tracing::warn!(%error, "a vocabulary cannot be loaded"),
        }
    });
    if let Err(error) = started {
        tracing::warn!(%error, "no thread to load a vocabulary");
    }
}

//! Which model a provider's name means. Two offers are one model only where that is safe to tell:
//! the file kept by hand says so, OpenRouter's `vendor/model` is the vendor's own name for it, a
//! host uses the name under which the model was published, or a name without a vendor fits one model
//! only.

use std::collections::{HashMap, HashSet};

use keyward_catalog::CatalogFile;

/// Who sells models of its own.
const VENDORS: [&str; 13] = [
    "openai",
    "anthropic",
    "google",
    "deepseek",
    "mistral",
    "xai",
    "perplexity",
    "cohere",
    "moonshotai",
    "z-ai",
    "voyage",
    "minimax",
    "ai21",
];

/// How hosts spell vendors in the names of published models, and how OpenRouter does.
const SPELLINGS: [(&str, &str); 5] = [
    ("deepseek-ai", "deepseek"),
    ("zai-org", "z-ai"),
    ("minimaxai", "minimax"),
    ("mistralai", "mistral"),
    ("meta-models", "meta"),
];

/// What is known of names so far.
pub(crate) struct Names {
    /// Model ids by what the file kept by hand says of a provider's name.
    by_offer: HashMap<(String, String), String>,
    /// The names that are versions of an offer by that file.
    versions: HashSet<(String, String)>,
    /// Model ids by their ids and aliases, in lower case.
    by_name: HashMap<String, String>,
    /// Model ids by their bare names, in lower case; `None` where several have it.
    by_bare_name: HashMap<String, Option<String>>,
    /// Our names of the vendors that OpenRouter spells otherwise.
    spelled: HashMap<String, String>,
    /// Everything that has stood before a slash.
    vendors: HashSet<String>,
}

impl Names {
    pub(crate) fn of(hand: &CatalogFile) -> Self {
        let mut names = Self {
            by_offer: HashMap::new(),
            versions: HashSet::new(),
            by_name: HashMap::new(),
            by_bare_name: HashMap::new(),
            spelled: HashMap::new(),
            vendors: HashSet::new(),
        };
        for provider in &hand.providers {
            if let Some(spelling) = &provider.openrouter_vendor {
                names
                    .spelled
                    .insert(spelling.clone(), provider.name.clone());
            }
        }
        for model in &hand.models {
            names.learn(&model.id);
            for alias in &model.aliases {
                names.by_name.insert(alias.to_lowercase(), model.id.clone());
            }
            for offer in &model.offers {
                let versions = offer.versions.iter();
                names
                    .versions
                    .extend(versions.map(|name| (offer.provider.clone(), name.clone())));
                for upstream in offer.upstream.iter().chain(&offer.versions) {
                    let key = (offer.provider.clone(), upstream.clone());
                    names.by_offer.insert(key, model.id.clone());
                    // Versions of the vendor's own names, wherever they are sold.
                    if model.id.starts_with(&format!("{}/", offer.provider)) {
                        let name = format!("{}/{upstream}", offer.provider).to_lowercase();
                        names
                            .by_name
                            .entry(name)
                            .or_insert_with(|| model.id.clone());
                    }
                    // Hosts share the names under which models were published.
                    if upstream.contains('/') && !upstream.starts_with("accounts/") {
                        let name = upstream.to_lowercase();
                        names
                            .by_name
                            .entry(name)
                            .or_insert_with(|| model.id.clone());
                    }
                }
            }
        }
        names
    }

    /// Remembers a model's id.
    pub(crate) fn learn(&mut self, id: &str) {
        let lower = id.to_lowercase();
        if self.by_name.contains_key(&lower) {
            return;
        }
        if let Some((vendor, bare)) = lower.split_once('/') {
            self.vendors.insert(vendor.to_owned());
            self.by_bare_name
                .entry(bare.to_owned())
                .and_modify(|known| *known = None)
                .or_insert_with(|| Some(id.to_owned()));
        }
        self.by_name.insert(lower, id.to_owned());
    }

    /// Whether the file kept by hand says what a provider's name means.
    pub(crate) fn is_set(&self, provider: &str, upstream: &str) -> bool {
        self.by_offer
            .contains_key(&(provider.to_owned(), upstream.to_owned()))
    }

    /// Whether that file calls a provider's name a version of another.
    pub(crate) fn is_version(&self, provider: &str, upstream: &str) -> bool {
        self.versions
            .contains(&(provider.to_owned(), upstream.to_owned()))
    }

    /// The id of the model that a provider calls so; `None` for names that mean no model.
    pub(crate) fn id(&self, provider: &str, upstream: &str) -> Option<String> {
        let key = (provider.to_owned(), upstream.to_owned());
        if let Some(id) = self.by_offer.get(&key) {
            return Some(id.clone());
        }
        match provider {
            "openrouter" => self.openrouter(upstream),
            "azure" => Some(self.azure(upstream)),
            "alibaba" if upstream.starts_with("qw") => Some(self.own("qwen", upstream)),
            vendor if VENDORS.contains(&vendor) => Some(self.own(vendor, upstream)),
            host => Some(self.hosted(host, upstream)),
        }
    }

    fn known(&self, name: &str) -> Option<String> {
        self.by_name.get(&name.to_lowercase()).cloned()
    }

    fn own(&self, vendor: &str, upstream: &str) -> String {
        let id = format!("{vendor}/{upstream}");
        self.known(&id).unwrap_or(id)
    }

    /// `vendor/model`, with or without a suffix. What stands without a vendor or begins with `~` is
    /// a name of old or a pointer, and what begins with `openrouter/` picks among models.
    fn openrouter(&self, upstream: &str) -> Option<String> {
        let (spelling, name) = upstream.split_once('/')?;
        if spelling.starts_with('~') || spelling == "openrouter" {
            return None;
        }
        let vendor = self.spelled.get(spelling).map_or(spelling, String::as_str);
        let id = format!("{vendor}/{name}");
        // Anthropic itself writes versions with dashes.
        let dashed = (vendor == "anthropic").then(|| id.replace('.', "-"));
        self.known(upstream)
            .or_else(|| self.known(&id))
            .or_else(|| self.known(&dashed?))
            .or(Some(id))
    }

    /// Azure's models are OpenAI's, unless their names say otherwise.
    fn azure(&self, upstream: &str) -> String {
        let id = format!("openai/{upstream}");
        match self.known(&id).or_else(|| self.known(upstream)) {
            Some(id) => id,
            None if is_openais(upstream) => id,
            None => self.hosted("azure", upstream),
        }
    }

    fn hosted(&self, host: &str, upstream: &str) -> String {
        let short = upstream
            .rsplit_once("models/")
            .map_or(upstream, |(_, name)| name);
        let short = short
            .rsplit_once("routers/")
            .map_or(short, |(_, name)| name);
        if let Some((vendor, name)) = short.split_once('/') {
            return self.published(host, vendor, name);
        }
        let bare = with_points(short).to_lowercase();
        let only = self.by_bare_name.get(&bare).cloned().flatten();
        only.unwrap_or_else(|| format!("{host}/{short}"))
    }

    /// A host's `Vendor/Model`, the name under which a model was published.
    fn published(&self, host: &str, vendor: &str, name: &str) -> String {
        let lower = vendor.to_lowercase();
        let spelled = SPELLINGS
            .iter()
            .find(|(spelling, _)| *spelling == lower)
            .map_or(lower.as_str(), |(_, ours)| *ours);
        let id = format!("{spelled}/{}", name.to_lowercase());
        match self
            .known(&format!("{vendor}/{name}"))
            .or_else(|| self.known(&id))
        {
            Some(id) => id,
            None if self.vendors.contains(spelled) => id,
            None => format!("{host}/{vendor}/{name}"),
        }
    }
}

fn is_openais(name: &str) -> bool {
    [
        "gpt",
        "chatgpt",
        "o1",
        "o3",
        "o4",
        "text-embedding",
        "dall-e",
        "codex",
        "tts",
        "whisper",
    ]
    .iter()
    .any(|beginning| name.starts_with(beginning))
}

/// Fireworks writes `v3p1` for `v3.1`.
fn with_points(name: &str) -> String {
    let bytes = name.as_bytes();
    let is_digit = |position: usize| bytes.get(position).is_some_and(u8::is_ascii_digit);
    name.char_indices()
        .map(|(position, letter)| {
            let between = position > 0 && is_digit(position - 1) && is_digit(position + 1);
            match letter {
                'p' if between => '.',
                letter => letter,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::with_points;

    #[test]
    fn a_p_between_digits_is_a_point() {
        assert_eq!(with_points("deepseek-v3p1"), "deepseek-v3.1");
        assert_eq!(with_points("llama-v3p1-8b"), "llama-v3.1-8b");
        assert_eq!(with_points("gpt-oss-120b"), "gpt-oss-120b");
    }
}

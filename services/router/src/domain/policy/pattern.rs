//! Patterns for names, and lists of what is allowed and blocked.

use std::fmt;

use wildmatch::WildMatchPattern;

use super::Named;

/// A name in which `*` stands for anything; case does not matter.
#[derive(Clone, PartialEq)]
pub struct Pattern {
    /// No single-letter wildcard: `\0` is in no name.
    matcher: WildMatchPattern<'*', '\0'>,
    text: String,
}

impl Pattern {
    /// A pattern from its text.
    pub fn new(text: &str) -> Self {
        let text = text.trim().to_ascii_lowercase();
        Self {
            matcher: WildMatchPattern::new_case_insensitive(&text),
            text,
        }
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is a name, for which nothing else can stand.
    pub fn is_name(&self) -> bool {
        !self.text.contains('*')
    }

    /// Whether a name is meant.
    pub fn matches(&self, name: &str) -> bool {
        self.matcher.matches(name)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

/// What may be used: of what is allowed, what is not blocked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Access {
    /// Only these; all where empty.
    pub allow: Vec<Pattern>,
    /// Never these.
    pub block: Vec<Pattern>,
}

impl Access {
    /// Whether something of this name may be used.
    pub fn permits(&self, name: &str) -> bool {
        let meant = |pattern: &Pattern| pattern.matches(name);
        self.permits_what(meant, meant)
    }

    /// Whether a model may be used.
    pub fn permits_model(&self, model: Named<'_>) -> bool {
        let allowed = |pattern: &Pattern| model.is_meant_by(pattern);
        let blocked = |pattern: &Pattern| model.is_forbidden_by(pattern);
        self.permits_what(allowed, blocked)
    }

    fn permits_what(
        &self,
        allowed: impl Fn(&Pattern) -> bool,
        blocked: impl Fn(&Pattern) -> bool,
    ) -> bool {
        (self.allow.is_empty() || self.allow.iter().any(allowed)) && !self.block.iter().any(blocked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(allow: &[&str], block: &[&str]) -> Access {
        let patterns = |texts: &[&str]| texts.iter().map(|text| Pattern::new(text)).collect();
        Access {
            allow: patterns(allow),
            block: patterns(block),
        }
    }

    #[test]
    fn what_is_allowed_and_not_blocked_may_be_used() {
        for (allow, block, name, permitted) in [
            (&[][..], &[][..], "openai/gpt-4o", true),
            (&["openai/*"], &[], "openai/gpt-4o", true),
            (&["openai/*"], &[], "anthropic/claude-3-opus", false),
            (&["*gpt-4o*"], &["*mini"], "openai/gpt-4o-mini", false),
            (&["OpenAI/GPT-4o"], &[], "openai/gpt-4o", true),
            (&[], &["groq"], "groq", false),
            (&[], &["groq"], "groq2", true),
            (&["gpt-?"], &[], "gpt-4", false),
        ] {
            let seen = access(allow, block).permits(name);
            assert_eq!(seen, permitted, "{allow:?} {block:?} {name}");
        }
    }
}

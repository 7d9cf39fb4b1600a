//! Provider keys in a `.env` file: which variables are known, and what they say.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use anyhow::Context as _;
use keyward_secret::Secret;

/// A provider, and the variables in which its users keep its key.
struct Known {
    provider: &'static str,
    keys: &'static [&'static str],
    base_urls: &'static [&'static str],
}

const fn known(
    provider: &'static str,
    keys: &'static [&'static str],
    base_urls: &'static [&'static str],
) -> Known {
    Known {
        provider,
        keys,
        base_urls,
    }
}

/// What the providers' own SDKs and the tools around them read.
const KNOWN: &[Known] = &[
    known(
        "openai",
        &["OPENAI_API_KEY"],
        &["OPENAI_BASE_URL", "OPENAI_API_BASE"],
    ),
    known("anthropic", &["ANTHROPIC_API_KEY"], &["ANTHROPIC_BASE_URL"]),
    known(
        "openrouter",
        &["OPENROUTER_API_KEY"],
        &["OPENROUTER_BASE_URL"],
    ),
    known(
        "google",
        &[
            "GEMINI_API_KEY",
            "GOOGLE_API_KEY",
            "GOOGLE_GENERATIVE_AI_API_KEY",
        ],
        &[],
    ),
    known("groq", &["GROQ_API_KEY"], &[]),
    known("deepseek", &["DEEPSEEK_API_KEY"], &[]),
    known("mistral", &["MISTRAL_API_KEY"], &[]),
    known("azure", &["AZURE_OPENAI_API_KEY", "AZURE_API_KEY"], &[]),
    known("xai", &["XAI_API_KEY"], &[]),
    known("together", &["TOGETHER_API_KEY", "TOGETHERAI_API_KEY"], &[]),
    known(
        "fireworks",
        &["FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY"],
        &[],
    ),
    known("cerebras", &["CEREBRAS_API_KEY"], &[]),
    known(
        "perplexity",
        &["PERPLEXITY_API_KEY", "PERPLEXITYAI_API_KEY", "PPLX_API_KEY"],
        &[],
    ),
    known("cohere", &["COHERE_API_KEY", "CO_API_KEY"], &[]),
    known("sandbox", &["SANDBOX_API_KEY"], &[]),
];

/// Where an Azure resource is, and which version of its API it speaks.
const AZURE_ENDPOINTS: [&str; 2] = ["AZURE_OPENAI_ENDPOINT", "AZURE_API_BASE"];
const AZURE_VERSIONS: [&str; 3] = [
    "AZURE_OPENAI_API_VERSION",
    "OPENAI_API_VERSION",
    "AZURE_API_VERSION",
];

/// A provider key of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) provider: &'static str,
    pub(super) variable: &'static str,
    pub(super) key: Secret,
    pub(super) base_url: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) api_version: Option<String>,
}

/// What is in a file.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) found: Vec<Found>,
    /// The numbers of the lines that are no `NAME=value`.
    pub(super) unreadable_lines: Vec<usize>,
}

/// Reads a file. Of what cannot be read, the number of its line is told and nothing of its text.
pub(super) fn read(path: &Path) -> anyhow::Result<Contents> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut variables = BTreeMap::new();
    let mut unreadable_lines = Vec::new();
    // The parser stumbles over a last line that ends in a space and not in a line's end.
    let (text, lines_read) = LineByLine::new(file.chain(b"\n".as_slice()));
    for line in dotenvy::from_read_iter(text) {
        match line {
            Ok((name, value)) => drop(variables.insert(name, value)),
            Err(dotenvy::Error::Io(error)) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
            // The error repeats the line, which may hold a key.
            Err(dotenvy::Error::LineParse(text, _)) => {
                unreadable_lines.push(first_line(&text, lines_read.get()));
            }
            Err(_) => unreadable_lines.push(lines_read.get()),
        }
    }
    Ok(Contents {
        found: find(&variables),
        unreadable_lines,
    })
}

/// The number of the line that a text begins in which ends with this one: a quote that is not closed
/// goes on to the end of the file.
fn first_line(text: &str, last: usize) -> usize {
    let text = text.strip_suffix('\n').unwrap_or(text);
    last.saturating_sub(text.matches('\n').count())
}

/// Gives a line at a time to a reader that buffers, so that it is known how far it is.
struct LineByLine<R> {
    inner: BufReader<R>,
    lines_read: Rc<Cell<usize>>,
}

impl<R: Read> LineByLine<R> {
    /// Such a reader, and how many lines it gave.
    fn new(inner: R) -> (Self, Rc<Cell<usize>>) {
        let lines_read = Rc::new(Cell::new(0));
        let reader = Self {
            inner: BufReader::new(inner),
            lines_read: Rc::clone(&lines_read),
        };
        (reader, lines_read)
    }
}

impl<R: Read> Read for LineByLine<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let text = self.inner.fill_buf()?;
        let text = &text[..text.len().min(buffer.len())];
        let line_end = text.iter().position(|byte| *byte == b'\n');
        let length = line_end.map_or(text.len(), |at| at + 1);
        buffer[..length].copy_from_slice(&text[..length]);
        self.inner.consume(length);
        if line_end.is_some() {
            self.lines_read.set(self.lines_read.get() + 1);
        }
        Ok(length)
    }
}

/// The names of all variables that are known, for people.
pub(super) fn known_names() -> String {
    let names: Vec<&str> = KNOWN.iter().flat_map(|known| known.keys).copied().collect();
    names.join(", ")
}

fn find(variables: &BTreeMap<String, String>) -> Vec<Found> {
    let given = |name: &str| {
        let value = variables.get(name).map(|value| value.trim());
        value.filter(|value| !value.is_empty()).map(str::to_owned)
    };
    let first = |names: &[&str]| names.iter().find_map(|name| given(name));
    let mut found = Vec::new();
    for known in KNOWN {
        for variable in known.keys {
            let Some(key) = given(variable) else {
                continue;
            };
            let is_azure = known.provider == "azure";
            found.push(Found {
                provider: known.provider,
                variable,
                key: Secret::new(key),
                base_url: first(known.base_urls),
                endpoint: first(&AZURE_ENDPOINTS).filter(|_| is_azure),
                api_version: first(&AZURE_VERSIONS).filter(|_| is_azure),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::read;

    fn check(text: &str, expect: &[(&str, &str)]) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let contents = read(file.path()).unwrap();
        let found = contents.found.iter();
        let found: Vec<_> = found
            .map(|found| (found.provider, found.key.expose()))
            .collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn keys_are_found_however_they_are_written() {
        check("OPENAI_API_KEY=sk-1", &[("openai", "sk-1")]);
        check("export OPENAI_API_KEY=sk-1", &[("openai", "sk-1")]);
        check("OPENAI_API_KEY=\"sk-1\" # mine", &[("openai", "sk-1")]);
        check("OPENAI_API_KEY='sk-1'\r\n", &[("openai", "sk-1")]);
        check(" OPENAI_API_KEY = sk-1 ", &[("openai", "sk-1")]);
        check("# OPENAI_API_KEY=sk-1", &[]);
        check("OPENAI_API_KEY=", &[]);
        check("DATABASE_PASSWORD=secret", &[]);
        check(
            "CO_API_KEY=a\nXAI_API_KEY=b",
            &[("xai", "b"), ("cohere", "a")],
        );
    }

    #[test]
    fn azure_keys_come_with_their_resource() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let text =
            "AZURE_OPENAI_API_KEY=k\nAZURE_OPENAI_ENDPOINT=https://x\nOPENAI_API_VERSION=1\n";
        file.write_all(text.as_bytes()).unwrap();
        let found = &read(file.path()).unwrap().found[0];
        assert_eq!(found.endpoint.as_deref(), Some("https://x"));
        assert_eq!(found.api_version.as_deref(), Some("1"));
    }

    #[test]
    fn a_line_that_cannot_be_read_hides_no_other() {
        let check = |text: &str, lines: &[usize]| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            let contents = read(file.path()).unwrap();
            assert_eq!(contents.found.len(), 1, "{text}");
            assert_eq!(contents.unreadable_lines, lines, "{text}");
        };
        check("this is no line\nGROQ_API_KEY=gsk_1\n", &[1]);
        check("# mine\n\nGROQ_API_KEY=gsk_1\r\nno line", &[4]);
        check("NOTE='two\nlines'\nno line\nGROQ_API_KEY=gsk_1\n-", &[3, 5]);
        check("GROQ_API_KEY=gsk_1\nNOTE='not closed\nA=1\n", &[2]);
        check("GROQ_API_KEY=gsk_1\nNOTE='not closed\nA=1", &[2]);
    }
}

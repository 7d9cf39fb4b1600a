//! Guesses a task from what a request looks like, by signals that have names and are told.

use std::fmt;

use keyward_catalog::Endpoint;
use memchr::memmem;

use super::Task;

/// So much of a prompt is looked at; signals stand near its beginning or nowhere.
const LOOKED_AT_BYTES_MAX: usize = 64 * 1024;
/// A question of so many tokens is meant to be thought about.
const LONG_QUESTION_TOKENS: u64 = 2_000;

/// Endings of file names that only programs have.
const FILE_EXTENSIONS: [&str; 16] = [
    ".py", ".rs", ".ts", ".tsx", ".js", ".go", ".java", ".cpp", ".cs", ".rb", ".php", ".swift",
    ".kt", ".sql", ".sh", ".toml",
];
/// What tools of programmers are called.
const TOOL_NAMES: [&str; 10] = [
    "apply_patch",
    "str_replace",
    "edit_file",
    "read_file",
    "write_file",
    "run_tests",
    "bash",
    "shell",
    "code_interpreter",
    "execute_code",
];

/// What was seen in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The endpoint makes vectors.
    EmbeddingsEndpoint,
    /// A message has a picture in it.
    ImagePart,
    /// `reasoning_effort` or `reasoning` is given.
    ReasoningEffort,
    /// A message has a fence of code in it.
    CodeFence,
    /// A message names a file of a program.
    FileExtension(&'static str),
    /// A tool is one that programmers use.
    ToolName(&'static str),
    /// The question is long.
    LongQuestion,
    /// None of these.
    Nothing,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmbeddingsEndpoint => f.write_str("the endpoint"),
            Self::ImagePart => f.write_str("a picture in it"),
            Self::ReasoningEffort => f.write_str("its reasoning effort"),
            Self::CodeFence => f.write_str("a code fence in it"),
            Self::FileExtension(extension) => write!(f, "a {extension} file that it names"),
            Self::ToolName(name) => write!(f, "its tool {name}"),
            Self::LongQuestion => f.write_str("the length of the question"),
            Self::Nothing => f.write_str("nothing else that it shows"),
        }
    }
}

/// A task, and what speaks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guess {
    /// The task.
    pub task: Task,
    /// The strongest signal.
    pub signal: Signal,
}

/// What a request looks like.
#[derive(Debug, Clone, Copy)]
pub struct Looks<'a> {
    /// What is asked for.
    pub endpoint: Endpoint,
    /// The messages as JSON.
    pub messages: &'a str,
    /// The tools as JSON.
    pub tools: &'a str,
    /// Whether it says how much to think.
    pub asks_reasoning: bool,
    /// Whether a message has a picture in it.
    pub has_image: bool,
    /// The prompt's length in tokens, as estimated.
    pub prompt_tokens: u64,
}

impl Looks<'_> {
    /// The task, by the first of the signals that is there: what is certain before what is likely.
    pub fn guess(&self) -> Guess {
        let guess = |task, signal| Guess { task, signal };
        if self.endpoint == Endpoint::Embeddings {
            return guess(Task::Embeddings, Signal::EmbeddingsEndpoint);
        }
        if self.has_image {
            return guess(Task::Vision, Signal::ImagePart);
        }
        if self.asks_reasoning {
            return guess(Task::Reasoning, Signal::ReasoningEffort);
        }
        if let Some(signal) = self.code() {
            return guess(Task::Code, signal);
        }
        if self.prompt_tokens >= LONG_QUESTION_TOKENS {
            return guess(Task::Reasoning, Signal::LongQuestion);
        }
        guess(Task::Chat, Signal::Nothing)
    }

    fn code(&self) -> Option<Signal> {
        let messages = beginning(self.messages);
        if memmem::find(messages, b"```").is_some() {
            return Some(Signal::CodeFence);
        }
        let tools = beginning(self.tools);
        let is_tool = |name: &&str| contains_word(tools, name);
        if let Some(name) = TOOL_NAMES.into_iter().find(is_tool) {
            return Some(Signal::ToolName(name));
        }
        let is_named = |extension: &&str| names_file(messages, extension);
        let extension = FILE_EXTENSIONS.into_iter().find(is_named);
        extension.map(Signal::FileExtension)
    }
}

fn beginning(text: &str) -> &[u8] {
    let bytes = text.as_bytes();
    &bytes[..bytes.len().min(LOOKED_AT_BYTES_MAX)]
}

/// Whether a whole string of JSON is this word.
fn contains_word(json: &[u8], word: &str) -> bool {
    memmem::find_iter(json, word).any(|at| {
        let before = at.checked_sub(1).and_then(|before| json.get(before));
        before == Some(&b'"') && json.get(at + word.len()) == Some(&b'"')
    })
}

/// Whether a word ends so: `main.py`, but neither `.py` alone nor `a.pyramid`.
fn names_file(text: &[u8], extension: &str) -> bool {
    let is_of_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    memmem::find_iter(text, extension).any(|at| {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        is_of_word(before) && !is_of_word(text.get(at + extension.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Looks<'_> = Looks {
        endpoint: Endpoint::ChatCompletions,
        messages: "",
        tools: "",
        asks_reasoning: false,
        has_image: false,
        prompt_tokens: 10,
    };

    #[test]
    fn each_signal_is_seen_and_named() {
        let said = |messages| Looks { messages, ..PLAIN };
        let tools = |tools| Looks { tools, ..PLAIN };
        for (looks, task, signal) in [
            (
                said(r#"[{"content":"hello"}]"#),
                Task::Chat,
                Signal::Nothing,
            ),
            (
                said("fix ```rust\nfn main(){}```"),
                Task::Code,
                Signal::CodeFence,
            ),
            (
                said("why does main.py fail?"),
                Task::Code,
                Signal::FileExtension(".py"),
            ),
            (said("I saw a.pyramid"), Task::Chat, Signal::Nothing),
            (said("I like .py"), Task::Chat, Signal::Nothing),
            (
                tools(r#"[{"function":{"name":"apply_patch"}}]"#),
                Task::Code,
                Signal::ToolName("apply_patch"),
            ),
            (
                tools(r#"[{"function":{"name":"bash_history_museum"}}]"#),
                Task::Chat,
                Signal::Nothing,
            ),
            (
                Looks {
                    asks_reasoning: true,
                    ..said("```")
                },
                Task::Reasoning,
                Signal::ReasoningEffort,
            ),
            (
                Looks {
                    prompt_tokens: 2_000,
                    ..PLAIN
                },
                Task::Reasoning,
                Signal::LongQuestion,
            ),
            (
                Looks {
                    has_image: true,
                    ..said("```")
                },
                Task::Vision,
                Signal::ImagePart,
            ),
            (
                Looks {
                    endpoint: Endpoint::Embeddings,
                    ..PLAIN
                },
                Task::Embeddings,
                Signal::EmbeddingsEndpoint,
            ),
        ] {
            assert_eq!(looks.guess(), Guess { task, signal }, "{looks:?}");
        }
    }
}

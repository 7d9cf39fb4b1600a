//! The models that are good at a task, the best first. Owners may have lists of their own.

use super::Task;

/// Programs: cheap and good at it.
const CODE: [&str; 3] = [
    "deepseek/deepseek-v4-pro",
    "deepseek/deepseek-v4.1-flash",
    "deepseek/deepseek-chat",
];
/// Hard questions: worth their price.
const REASONING: [&str; 3] = [
    "anthropic/claude-opus-5-5",
    "anthropic/claude-sonnet-5-5",
    "anthropic/claude-sonnet-4-5",
];
/// Vectors.
const EMBEDDINGS: [&str; 2] = ["google/gemini-embedding-2", "google/gemini-embedding-001"];
/// Pictures.
const VISION: [&str; 3] = [
    "google/gemini-3.8-flash",
    "google/gemini-2.5-flash",
    "openai/gpt-4o",
];

/// The shipped list. None for chat: there the cheapest that fits is good enough.
pub(crate) fn ranked(task: Task) -> &'static [&'static str] {
    match task {
        Task::Code => &CODE,
        Task::Reasoning => &REASONING,
        Task::Embeddings => &EMBEDDINGS,
        Task::Vision => &VISION,
        Task::Chat => &[],
    }
}

#[cfg(test)]
mod tests {
    use keyward_catalog::Catalog;

    use super::*;

    #[test]
    fn every_model_of_the_table_is_in_the_catalogue() {
        let catalog = Catalog::embedded().unwrap();
        for task in Task::ALL {
            for name in ranked(task) {
                let model = catalog.resolve(name);
                assert_eq!(model.map(|model| model.id.as_str()), Some(*name), "{task}");
            }
        }
    }
}

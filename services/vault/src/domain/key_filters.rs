//! What a provider key may serve, beyond what its owner may: some models, some users.

use uuid::Uuid;

use super::name::is_valid_model;

/// The most patterns of models of one key: a list that people keep by hand.
pub const ALLOWED_MODELS_MAX: usize = 100;
/// The most users of one key: more are a project.
pub const ALLOWED_USERS_MAX: usize = 100;

/// A user whom a key may serve.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AllowedUser {
    /// What counts: a user who is made anew under the same id is another.
    pub uid: Uuid,
    /// How it was named, to show it.
    pub id: String,
}

/// What a key may serve; an empty list does not limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyFilters {
    /// Patterns of models' names, in which `*` stands for anything.
    pub models: Vec<String>,
    /// Users.
    pub users: Vec<AllowedUser>,
}

impl KeyFilters {
    /// Whether it may serve this user, or a caller who is none.
    pub fn permits_user(&self, user: Option<Uuid>) -> bool {
        self.users.is_empty()
            || user.is_some_and(|user| self.users.iter().any(|allowed| allowed.uid == user))
    }

    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        self.models.is_empty() && self.users.is_empty()
    }
}

/// Patterns of models as they are kept: without white space around them, and each once; none if one
/// is no pattern, or there are too many.
pub fn model_patterns(patterns: &[String]) -> Option<Vec<String>> {
    let mut kept: Vec<String> = Vec::new();
    for pattern in patterns {
        let pattern = pattern.trim();
        if !is_valid_model(pattern) {
            return None;
        }
        if !kept.iter().any(|known| known == pattern) {
            kept.push(pattern.to_owned());
        }
    }
    (patterns.len() <= ALLOWED_MODELS_MAX).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_told_by_what_is_never_used_again() {
        let bob = Uuid::from_u128(1);
        let anybody = KeyFilters::default();
        assert!(anybody.permits_user(Some(bob)) && anybody.permits_user(None));
        let filters = KeyFilters {
            users: vec![AllowedUser {
                uid: bob,
                id: "bob".to_owned(),
            }],
            ..KeyFilters::default()
        };
        assert!(filters.permits_user(Some(bob)));
        assert!(!filters.permits_user(Some(Uuid::from_u128(2))));
        assert!(!filters.permits_user(None));
    }

    #[test]
    fn patterns_are_names_of_one_line_up_to_a_hundred() {
        let patterns = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            model_patterns(&texts)
        };
        let kept = patterns(&[" gpt-4o* ", "openai/*", "gpt-4o*"]).unwrap();
        assert_eq!(kept, ["gpt-4o*", "openai/*"]);
        assert_eq!(patterns(&[" "]), None);
        assert_eq!(patterns(&["a\nb"]), None);
        assert!(patterns(&["*"; 100]).is_some());
        assert_eq!(patterns(&["*"; 101]), None);
    }
}

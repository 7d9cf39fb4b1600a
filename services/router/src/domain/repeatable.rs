//! What makes a request the same as one before: who sends it, the key that it gave it, what it asks of
//! which model, and its body.
//! What is derived from them names its place, tells whether the body is the same, and seals the answer,
//! so that only who sends the very request again can read it.

use zeroize::Zeroizing;

use super::derived::Root;

/// By what a request's answer lies in the store.
pub(crate) type Place = [u8; 32];

/// What is derived from a request with a key.
pub(crate) struct Repeatable {
    pub(crate) place: Place,
    /// Differs where what is asked or the body does.
    pub(crate) matches: [u8; 32],
    pub(crate) seal: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Repeatable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repeatable").finish_non_exhaustive()
    }
}

impl Repeatable {
    /// Of a caller's request with this key: what is `asked` of which model, and the body.
    pub(crate) fn of(caller: &str, key: &str, asked: &str, body: &[u8]) -> Self {
        let (caller, key) = (caller.as_bytes(), key.as_bytes());
        let named = Root::of(&[b"keyward repeatable 1", caller, key]);
        let whole = Root::of(&[b"keyward repeated 2", caller, key, asked.as_bytes(), body]);
        Self {
            place: *named.derive("place"),
            matches: *whole.derive("matches"),
            seal: whole.derive("seal"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Repeatable;

    #[test]
    fn a_place_is_of_caller_and_key_and_the_rest_of_all_that_is_asked() {
        let first = Repeatable::of("users/a", "key", "Chat m", b"{}");
        let again = Repeatable::of("users/a", "key", "Chat m", b"{}");
        assert_eq!((first.place, first.matches), (again.place, again.matches));
        assert_eq!(first.seal, again.seal);
        for other in [
            Repeatable::of("users/a", "key", "Chat m", b"{ }"),
            Repeatable::of("users/a", "key", "Chat n", b"{}"),
            Repeatable::of("users/a", "key", "Messages m", b"{}"),
            Repeatable::of("users/a", "key", "Chat m{}", b""),
        ] {
            assert_eq!(first.place, other.place);
            assert_ne!(first.matches, other.matches);
            assert_ne!(first.seal, other.seal);
        }
        for other in [
            Repeatable::of("users/b", "key", "Chat m", b"{}"),
            Repeatable::of("users/a", "other", "Chat m", b"{}"),
            Repeatable::of("users/ak", "ey", "Chat m", b"{}"),
        ] {
            assert_ne!(first.place, other.place);
            assert_ne!(first.seal, other.seal);
        }
    }
}

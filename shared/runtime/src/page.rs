//! Paging of lists (AIP-158): sizes and tokens. A token is opaque to callers; here it is the key of
//! the last row shown, in base64.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Rows of a page where none are asked for.
const PAGE_SIZE_DEFAULT: u32 = 50;

/// The most rows of a page; more is answered with this many.
const PAGE_SIZE_MAX: u32 = 200;

/// How many rows to answer with.
pub fn size(asked: u32) -> u32 {
    size_within(asked, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
}

/// How many rows to answer with in a list that has limits of its own.
pub fn size_within(asked: u32, default: u32, most: u32) -> u32 {
    match asked {
        0 => default,
        asked => asked.min(most),
    }
}

/// The token for the page after the row with this key.
pub fn token(last_key: &str) -> String {
    URL_SAFE_NO_PAD.encode(last_key)
}

/// The key of the row before the page; `None` for the first page.
///
/// # Errors
/// [`InvalidPageToken`] if it is not one of ours.
pub fn key(token: &str) -> Result<Option<String>, InvalidPageToken> {
    if token.is_empty() {
        return Ok(None);
    }
    let bytes = URL_SAFE_NO_PAD
        .decode(token)
        .map_err(|_| InvalidPageToken)?;
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| InvalidPageToken)
}

/// A page of `rows` and the token of the next, from `size + 1` rows read.
pub fn cut<T>(mut rows: Vec<T>, size: u32, key: impl Fn(&T) -> String) -> (Vec<T>, String) {
    let size = size as usize;
    if rows.len() <= size {
        return (rows, String::new());
    }
    rows.truncate(size);
    let next = rows.last().map(|row| token(&key(row))).unwrap_or_default();
    (rows, next)
}

/// A page token that we did not make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`page_token` is not one that this list gave")]
pub struct InvalidPageToken;

#[cfg(test)]
mod tests {
    use super::{InvalidPageToken, cut, key, size, size_within, token};

    #[test]
    fn sizes_are_bounded() {
        assert_eq!([size(0), size(1), size(200), size(9999)], [50, 1, 200, 200]);
        assert_eq!([0, 3, 9].map(|asked| size_within(asked, 2, 5)), [2, 3, 5]);
    }

    #[test]
    fn tokens_lead_back_to_their_key() {
        assert_eq!(key(&token("a/ü")), Ok(Some("a/ü".to_owned())));
        assert_eq!(key(""), Ok(None));
        assert_eq!(key("!"), Err(InvalidPageToken));
    }

    #[test]
    fn a_page_has_a_token_only_where_more_follows() {
        assert_eq!(
            cut(vec![1, 2], 2, i32::to_string),
            (vec![1, 2], String::new())
        );
        assert_eq!(
            cut(vec![1, 2, 3], 2, i32::to_string),
            (vec![1, 2], token("2"))
        );
    }
}

//! How a caller is told which settings of its request were left out. Their names are the caller's own,
//! so they may be anything.

/// Which settings of a request were left out.
const HEADER: &str = "x-keyward-dropped-params";
/// Longer lists are cut: a header has to fit.
const BYTES_MAX: usize = 512;

/// The names as a header; `None` where there are none. What a header cannot hold becomes a question
/// mark.
pub(crate) fn header(names: &[String]) -> Option<(String, String)> {
    let mut value = String::new();
    for name in names {
        let separator = if value.is_empty() { "" } else { ", " };
        if value.len() + separator.len() + name.len() > BYTES_MAX {
            break;
        }
        value += separator;
        value.extend(name.chars().map(shown));
    }
    (!names.is_empty()).then(|| (HEADER.to_owned(), value))
}

fn shown(letter: char) -> char {
    match letter.is_ascii_graphic() && letter != ',' {
        true => letter,
        false => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_into_a_header_whatever_they_are() {
        let check = |names: &[&str], expect: Option<&str>| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            let value = header(&names).map(|(_, value)| value);
            assert_eq!(value.as_deref(), expect);
        };
        check(&[], None);
        check(&["seed", "text.verbosity"], Some("seed, text.verbosity"));
        check(&["a\r\nb", "ü, c"], Some("a??b, ???c"));
        check(&["seed", &"x".repeat(600)], Some("seed"));
    }
}

//! Counts as people write them: 500, 10k, 100M, 1.5B.

/// Reads a count with an optional suffix: k, M or B for thousands, millions, billions.
pub(super) fn count(text: &str) -> Result<u64, &'static str> {
    const EXPECTED: &str = "expected a number, such as 500, 10k, 1.5M or 2B";
    let text = text.replace(['_', ','], "");
    let (number, zeros) = match text.char_indices().next_back() {
        Some((end, 'k' | 'K')) => (&text[..end], 3),
        Some((end, 'm' | 'M')) => (&text[..end], 6),
        Some((end, 'b' | 'B' | 'g' | 'G')) => (&text[..end], 9),
        _ => (text.as_str(), 0),
    };
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(decimals) || decimals.len() > zeros {
        return Err(EXPECTED);
    }
    format!("{whole}{decimals:0<zeros$}")
        .parse()
        .map_err(|_| EXPECTED)
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn counts_are_read_as_people_write_them() {
        let check = |text: &str, expect: Option<u64>| {
            assert_eq!(count(text).ok(), expect, "{text}");
        };
        check("0", Some(0));
        check("500", Some(500));
        check("10k", Some(10_000));
        check("1.5M", Some(1_500_000));
        check("100M", Some(100_000_000));
        check("2B", Some(2_000_000_000));
        check("1,000", Some(1000));
        check("1_000", Some(1000));
        check("1.5", None);
        check("0.0005k", None);
        check("-5", None);
        check("", None);
        check("k", None);
        check("99999999999B", None);
    }
}

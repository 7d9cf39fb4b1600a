//! One form for all ways to write the same JSON: members in order of their names, no white space,
//! strings with the fewest escapes, numbers by value. Exact: what differs in value stays different.

use std::borrow::Cow;

/// Deeper ones are nobody's requests, and would cost stack.
const DEPTH_MAX: usize = 128;

/// Members of a request that change nothing about its answer: how it is to come, who asks, by which
/// way, and what the provider files it under.
const LEFT_OUT: [&str; 12] = [
    "byok_api_key",
    "metadata",
    "model",
    "models",
    "prompt_cache_key",
    "prompt_cache_retention",
    "provider",
    "route",
    "safety_identifier",
    "stream",
    "stream_options",
    "user",
];

/// A request without the members that change nothing about its answer. `None` for what is no JSON
/// object, or is nested too deep.
pub(super) fn request(body: &str) -> Option<String> {
    let mut reader = Reader { rest: body };
    let mut members = reader.members(0)?;
    if !reader.rest.trim_ascii().is_empty() {
        return None;
    }
    members.retain(|(name, _)| !LEFT_OUT.contains(&name.as_ref()));
    Some(object(members))
}

/// Sorted by name; members of one name stay in the order in which they came, since readers differ
/// on which of them counts.
fn object(mut members: Vec<(Cow<'_, str>, String)>) -> String {
    members.sort_by(|(left, _), (right, _)| left.cmp(right));
    let mut text = String::from("{");
    for (index, (name, value)) in members.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&quoted(name));
        text.push(':');
        text.push_str(value);
    }
    text.push('}');
    text
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Reads JSON from the front.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Option<String> {
        match self.peek()? {
            b'{' => self.members(depth).map(object),
            b'[' => self.elements(depth),
            b'"' => self.string().map(|text| quoted(&text)),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number(),
        }
    }

    fn members(&mut self, depth: usize) -> Option<Vec<(Cow<'a, str>, String)>> {
        self.open(b'{', depth)?;
        let mut members = Vec::new();
        if self.take(b'}') {
            return Some(members);
        }
        loop {
            self.peek()?;
            let name = self.string()?;
            self.take(b':').then_some(())?;
            members.push((name, self.value(depth + 1)?));
            if self.take(b'}') {
                return Some(members);
            }
            self.take(b',').then_some(())?;
        }
    }

    fn elements(&mut self, depth: usize) -> Option<String> {
        self.open(b'[', depth)?;
        let mut text = String::from("[");
        if self.take(b']') {
            return Some("[]".to_owned());
        }
        loop {
            text.push_str(&self.value(depth + 1)?);
            if self.take(b']') {
                text.push(']');
                return Some(text);
            }
            self.take(b',').then_some(())?;
            text.push(',');
        }
    }

    /// A string, decoded.
    fn string(&mut self) -> Option<Cow<'a, str>> {
        let bytes = self.rest.as_bytes();
        (*bytes.first()? == b'"').then_some(())?;
        let mut at = 1;
        loop {
            match bytes.get(at)? {
                b'"' => break,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        let (raw, rest) = self.rest.split_at_checked(at + 1)?;
        self.rest = rest;
        match memchr::memchr(b'\\', raw.as_bytes()) {
            None => Some(Cow::Borrowed(&raw[1..at])),
            Some(_) => serde_json::from_str(raw).ok().map(Cow::Owned),
        }
    }

    fn number(&mut self) -> Option<String> {
        let is_part = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
        let end = self.rest.bytes().position(|byte| !is_part(byte));
        let (raw, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        number(raw)
    }

    fn word(&mut self, word: &'static str) -> Option<String> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(word.to_owned())
    }

    fn open(&mut self, bracket: u8, depth: usize) -> Option<()> {
        (depth < DEPTH_MAX && self.take(bracket)).then_some(())
    }

    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_ascii_start();
        self.rest.bytes().next()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        if is_there {
            self.rest = &self.rest[1..];
        }
        is_there
    }
}

/// A number as its digits and the power of ten behind them: `1`, `1.0` and `10e-1` are `1e0`.
fn number(raw: &str) -> Option<String> {
    let (sign, unsigned) = match raw.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", raw),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_end_matches('0');
    let shifted = i64::try_from(digits.len() - significant.len()).ok()?;
    let shifted = shifted.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let exponent = exponent.checked_add(shifted)?;
    match significant.trim_start_matches('0') {
        "" => Some("0e0".to_owned()),
        digits => Some(format!("{sign}{digits}e{exponent}")),
    }
}

#[cfg(test)]
mod tests;

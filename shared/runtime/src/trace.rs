//! W3C trace context: read from a caller, passed on to services, given back in the answer.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use ring::rand::{SecureRandom as _, SystemRandom};

/// The header and metadata name.
pub const TRACEPARENT: &str = "traceparent";

/// Where a request stands in a trace (W3C Trace Context, level 1, version 00).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    sampled: bool,
}

impl TraceContext {
    /// The beginning of a trace of our own.
    pub fn new_root() -> Self {
        let mut random = [0; 24];
        // Without randomness ids would repeat and traces mingle; nothing else depends on them.
        let _ = SystemRandom::new().fill(&mut random);
        let (trace, span) = random.split_at(16);
        let mut context = Self {
            trace_id: [0; 16],
            span_id: [0; 8],
            sampled: true,
        };
        context.trace_id.copy_from_slice(trace);
        context.span_id.copy_from_slice(span);
        context
    }

    /// The next span of the same trace.
    #[must_use]
    pub fn child(self) -> Self {
        Self {
            span_id: Self::new_root().span_id,
            ..self
        }
    }

    /// The trace's id in hexadecimal.
    pub fn trace_id(&self) -> String {
        hex(&self.trace_id)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.sampled);
        write!(
            f,
            "00-{}-{}-{flags:02x}",
            hex(&self.trace_id),
            hex(&self.span_id)
        )
    }
}

impl FromStr for TraceContext {
    type Err = InvalidTraceparent;

    fn from_str(text: &str) -> Result<Self, InvalidTraceparent> {
        let mut parts = text.trim().splitn(4, '-');
        let (version, trace, span, flags) =
            (parts.next(), parts.next(), parts.next(), parts.next());
        let version = bytes::<1>(version)?;
        let trace_id = bytes::<16>(trace)?;
        let span_id = bytes::<8>(span)?;
        // Later versions may add parts after the flags.
        let flags = bytes::<1>(flags.and_then(|flags| flags.get(..2)))?;
        if version == [0xff] || trace_id == [0; 16] || span_id == [0; 8] {
            return Err(InvalidTraceparent);
        }
        Ok(Self {
            trace_id,
            span_id,
            sampled: flags[0] & 1 == 1,
        })
    }
}

/// A `traceparent` that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a W3C traceparent")]
pub struct InvalidTraceparent;

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn bytes<const N: usize>(text: Option<&str>) -> Result<[u8; N], InvalidTraceparent> {
    let text = text
        .filter(|text| text.len() == 2 * N && text.is_ascii())
        .ok_or(InvalidTraceparent)?;
    let mut out = [0; N];
    for (index, byte) in out.iter_mut().enumerate() {
        let digits = &text[2 * index..2 * index + 2];
        *byte = u8::from_str_radix(digits, 16).map_err(|_| InvalidTraceparent)?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::TraceContext;

    #[test]
    fn a_traceparent_survives_reading_and_writing() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context: TraceContext = text.parse().unwrap();
        assert_eq!(context.to_string(), text);
        assert_eq!(context.child().trace_id(), context.trace_id());
        assert_ne!(context.child(), context);
    }

    #[test]
    fn what_is_no_traceparent_is_refused() {
        for text in [
            "",
            "00-0-0-0",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473ü-00f067aa0ba902b7-01",
        ] {
            assert!(text.parse::<TraceContext>().is_err(), "{text}");
        }
    }
}

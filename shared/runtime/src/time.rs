//! Times: between `jiff`, protobuf, milliseconds in stores, and RFC 3339 text. Also the clock itself,
//! so that nothing else asks for the time.

use jiff::Timestamp;
use prost_types::Timestamp as ProtoTimestamp;

/// The present in whole milliseconds, as stores keep times: what is answered now reads the same
/// later.
pub fn now() -> Timestamp {
    from_millis(Timestamp::now().as_millisecond())
}

/// As protobuf.
pub fn to_proto(time: Timestamp) -> ProtoTimestamp {
    ProtoTimestamp {
        seconds: time.as_second(),
        nanos: time.subsec_nanosecond(),
    }
}

/// From protobuf; `None` outside the years that jiff knows, -9999 to 9999.
pub fn from_proto(time: &ProtoTimestamp) -> Option<Timestamp> {
    Timestamp::new(time.seconds, time.nanos).ok()
}

/// From milliseconds since 1970, as stores keep it; clamped to the years that jiff knows.
pub fn from_millis(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}

/// As RFC 3339 text in UTC.
pub fn to_text(time: Timestamp) -> String {
    time.to_string()
}

/// From RFC 3339 text.
pub fn from_text(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::now;

    #[test]
    fn the_present_has_nothing_below_a_millisecond() {
        assert_eq!(now().subsec_nanosecond() % 1_000_000, 0);
    }
}

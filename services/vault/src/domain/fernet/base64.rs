//! Two ways to read base64: as it has to be, and as Python's `urlsafe_b64decode` takes it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;

use super::InvalidToken;

/// How strictly a token's text is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Decoding {
    /// URL-safe base64 with its padding, nothing around or within it, no bit to spare.
    #[default]
    Strict,
    /// Whatever Python takes: characters that are no base64 are passed over, `+` and `/` stand for
    /// `-` and `_`, and what follows the padding does not count. For importers only: many texts are
    /// then the same token.
    AsPython,
}

impl Decoding {
    pub(super) fn decode(self, text: &[u8]) -> Result<Vec<u8>, InvalidToken> {
        match self {
            Self::Strict => URL_SAFE.decode(text).map_err(|_| InvalidToken),
            Self::AsPython => decode_as_python(text),
        }
    }
}

/// As `binascii.a2b_base64` reads text where it is not strict: sextets are gathered until padding
/// completes the last four of them.
fn decode_as_python(text: &[u8]) -> Result<Vec<u8>, InvalidToken> {
    let mut decoded = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut filled, mut pads) = (0_u32, 0_usize, 0_usize);
    for byte in text {
        match byte {
            // Python refuses such texts before it decodes them.
            0x80.. => return Err(InvalidToken),
            // Padding that comes too early is passed over like anything else.
            b'=' if filled >= 2 => {
                pads += 1;
                if filled + pads >= 4 {
                    return Ok(decoded);
                }
            }
            byte => {
                let Some(sextet) = sextet(*byte) else {
                    continue;
                };
                pads = 0;
                bits = (bits << 6) | u32::from(sextet);
                filled = (filled + 1) % 4;
                // The first of four completes no byte, each other one does.
                if filled != 1 {
                    let unused = [0, 0, 4, 2][filled];
                    decoded.push((bits >> unused).to_be_bytes()[3]);
                }
            }
        }
    }
    match filled {
        0 => Ok(decoded),
        _ => Err(InvalidToken),
    }
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'-' | b'+' => Some(62),
        b'_' | b'/' => Some(63),
        _ => None,
    }
}

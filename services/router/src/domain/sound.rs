//! How long a sound is: by what it says of itself at its beginning or its end, else by what is usual.

use std::ops::Range;

use memchr::memmem;

/// Compressed speech of which nothing better is known: 64 kbit/s.
const COMPRESSED_BYTES_PER_MS: u64 = 8;
/// Samples without a header, as OpenAI documents them for speech: 24 kHz, 16 bits, one channel.
const RAW_BYTES_PER_MS: u64 = 48;
/// Where a WAV file says how many bytes a second has.
const WAV_BYTE_RATE: Range<usize> = 28..32;
/// Where a page of an Ogg file says how many samples there were up to its end (RFC 3533 §6).
const OGG_POSITION: Range<usize> = 6..14;
/// Opus counts samples at 48 kHz whatever was recorded (RFC 7845 §4).
const OPUS_SAMPLES_PER_MS: u64 = 48;
/// The header of an ID3v2 tag, which comes before the sound of an MP3 file.
const ID3_BYTES: usize = 10;
/// Bits in a millisecond at each rate that a frame of MPEG-1 layer III may have (ISO/IEC 11172-3).
const MPEG_1: [u64; 15] = [
    0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
];
/// The same of MPEG-2 and 2.5 (ISO/IEC 13818-3).
const MPEG_2: [u64; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

/// What is known of a sound.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sound<'a> {
    /// How it begins.
    pub(crate) head: &'a [u8],
    /// How it ends, as far as it came.
    pub(crate) tail: &'a [u8],
    /// All of its bytes.
    pub(crate) bytes: u64,
    /// Whether it is samples without a header.
    pub(crate) is_raw: bool,
}

impl<'a> Sound<'a> {
    /// A whole file.
    pub(crate) fn file(file: &'a [u8]) -> Self {
        Self {
            head: file,
            tail: file,
            bytes: file.len() as u64,
            is_raw: false,
        }
    }

    /// How long it is, in milliseconds; one at least where there is anything.
    pub(crate) fn milliseconds(&self) -> i64 {
        let usual = || {
            let per_ms = match self.is_raw {
                true => RAW_BYTES_PER_MS,
                false => COMPRESSED_BYTES_PER_MS,
            };
            self.bytes.div_ceil(per_ms)
        };
        let found = self.wav().or_else(|| self.opus()).or_else(|| self.mp3());
        i64::try_from(found.unwrap_or_else(usual)).unwrap_or(i64::MAX)
    }

    fn wav(&self) -> Option<u64> {
        let rate = self
            .head
            .strip_prefix(b"RIFF")
            .and(self.head.get(WAV_BYTE_RATE))?;
        let rate = u64::from(u32::from_le_bytes(rate.try_into().ok()?));
        (rate > 0).then(|| self.bytes.saturating_mul(1_000).div_ceil(rate))
    }

    fn opus(&self) -> Option<u64> {
        self.head.strip_prefix(b"OggS")?;
        memmem::find(self.head, b"OpusHead")?;
        let page = &self.tail[memmem::rfind(self.tail, b"OggS")?..];
        let samples = u64::from_le_bytes(page.get(OGG_POSITION)?.try_into().ok()?);
        // All ones: no packet ends on that page.
        (samples != u64::MAX).then(|| samples.div_ceil(OPUS_SAMPLES_PER_MS))
    }

    /// At the rate of the first frame: what speech is made in keeps to one.
    fn mp3(&self) -> Option<u64> {
        let frame = self.head.get(id3_bytes(self.head)?..)?;
        let [0xff, version, rate, ..] = frame else {
            return None;
        };
        let rates = match version & 0b1111_1110 {
            0b1111_1010 => MPEG_1,
            0b1111_0010 | 0b1110_0010 => MPEG_2,
            _ => return None,
        };
        let bits = *rates
            .get(usize::from(rate >> 4))
            .filter(|bits| **bits > 0)?;
        Some(self.bytes.saturating_mul(8).div_ceil(bits))
    }
}

/// How long the tag is in front of a sound: its length is told in four times seven bits.
fn id3_bytes(head: &[u8]) -> Option<usize> {
    if !head.starts_with(b"ID3") {
        return Some(0);
    }
    let length = head.get(6..ID3_BYTES)?.iter();
    let length = length.fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f));
    Some(ID3_BYTES + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(begins: &[u8], bytes: usize) -> i64 {
        let mut file = begins.to_vec();
        file.resize(bytes, 0);
        Sound::file(&file).milliseconds()
    }

    #[test]
    fn a_sound_says_how_long_it_is() {
        let wav = [b"RIFF".as_slice(), &[0; 24], &48_000_u32.to_le_bytes()].concat();
        assert_eq!(milliseconds(&wav, 96_000), 2_000);
        // 128 kbit/s of MPEG-1, 64 of MPEG-2, and the latter behind a tag of 128 bytes.
        assert_eq!(milliseconds(b"\xff\xfb\x90\x00", 16_000), 1_000);
        assert_eq!(milliseconds(b"\xff\xf3\x84\x00", 8_000), 1_000);
        let tagged = [b"ID3\x04\x00\x00\x00\x00\x01\x00".as_slice(), &[0; 128]].concat();
        let tagged = [&tagged, b"\xff\xf3\x84\x00".as_slice()].concat();
        assert_eq!(milliseconds(&tagged, 8_000), 1_000);
        let page = |position: u64| [b"OggS\0\0".as_slice(), &position.to_le_bytes()].concat();
        let opus = [page(0), b"OpusHead".to_vec(), page(96_000)].concat();
        assert_eq!(Sound::file(&opus).milliseconds(), 2_000);
    }

    #[test]
    fn what_says_nothing_is_as_long_as_is_usual() {
        assert_eq!(milliseconds(b"", 0), 0);
        assert_eq!(milliseconds(b"\xff\xf1", 8_000), 1_000);
        assert_eq!(milliseconds(b"\xff\xfb\xf0", 8_001), 1_001);
        assert_eq!(milliseconds(b"ID3", 3), 1);
        assert_eq!(milliseconds(b"RIFF", 100), 13);
        let raw = Sound {
            is_raw: true,
            ..Sound::file(&[0; 48])
        };
        assert_eq!(raw.milliseconds(), 1);
    }
}

//! GPT-2's reversible map between bytes and printable characters.
//!
//! The 188 bytes that are printable in Latin-1 stand for themselves; the other 68 become
//! U+0100, U+0101, ... in byte order (Radford et al. 2019, `bytes_to_unicode`).

use std::sync::OnceLock;

const fn is_printable(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF)
}

const fn build() -> [char; 256] {
    let mut table = ['\0'; 256];
    let mut next = 0x100u32;
    let mut byte = 0usize;
    while byte < 256 {
        table[byte] = if is_printable(byte as u8) {
            byte as u8 as char
        } else {
            next += 1;
            match char::from_u32(next - 1) {
                Some(c) => c,
                None => unreachable!(),
            }
        };
        byte += 1;
    }
    table
}

/// Character of every byte.
pub(crate) static BYTE_TO_CHAR: [char; 256] = build();

/// The byte that `c` stands for.
#[inline]
pub(crate) fn char_to_byte(c: char) -> Option<u8> {
    static TABLE: OnceLock<[u16; 0x144]> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let mut table = [u16::MAX; 0x144];
        for (byte, &c) in BYTE_TO_CHAR.iter().enumerate() {
            table[c as usize] = byte as u16;
        }
        table
    });
    table.get(c as usize).filter(|&&b| b != u16::MAX).map(|&b| b as u8)
}

/// Spells bytes in the printable alphabet.
pub(crate) fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|&b| BYTE_TO_CHAR[b as usize]).collect()
}

/// The bytes a spelling stands for, or `None` if a character is not in the alphabet.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    text.chars().map(char_to_byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_own_character_and_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), Some(all));
        assert_eq!(encode(b" the\n"), "ĠtheĊ");
        assert_eq!(decode("日"), None);
    }
}

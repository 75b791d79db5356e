//! SentencePiece's precompiled normalisation: a Darts double array from byte strings to replacements.
//!
//! Layout: u32 size of the array in bytes, the array of u32 units, then replacements that end in NUL.
//! A unit holds the label of its parent edge in bits 0-7 and 31, "has a value" in bit 8, and the
//! offset to its children in bits 10-30, shifted left by 8 more where bit 9 is set; a value unit holds
//! the value in bits 0-30. (Darts-clone; Yata et al. 2007.)

use unicode_segmentation::UnicodeSegmentation;

use crate::error::TokenizerError;

/// A parsed charsmap. Every index is checked, so a hostile array can give nonsense but nothing worse.
#[derive(Debug)]
pub(crate) struct Charsmap {
    blob: Vec<u8>,
    units: Vec<u32>,
    replacements: String,
}

impl Charsmap {
    /// Parses the blob.
    ///
    /// # Errors
    /// A declared length beyond the blob, an array that is not whole, replacements that are not UTF-8.
    pub(crate) fn new(blob: &[u8], place: &str) -> Result<Self, TokenizerError> {
        let wrong = |reason: String| TokenizerError::invalid(place, reason);
        let Some((header, rest)) = blob.split_first_chunk::<4>() else {
            return Err(wrong(format!("a charsmap of {} bytes has no header", blob.len())));
        };
        let declared = u32::from_le_bytes(*header) as usize;
        if declared > rest.len() || !declared.is_multiple_of(4) || declared == 0 {
            return Err(wrong(format!(
                "the charsmap declares an array of {declared} bytes and holds {}",
                rest.len()
            )));
        }
        let (array, replacements) = rest.split_at(declared);
        let units = array.as_chunks::<4>().0.iter().map(|&b| u32::from_le_bytes(b)).collect();
        let replacements = std::str::from_utf8(replacements).map_err(|e| {
            wrong("the charsmap's replacements are not UTF-8".into()).with_source(e)
        })?;
        Ok(Self { blob: blob.to_vec(), units, replacements: replacements.to_owned() })
    }

    /// The table as it was read.
    pub(crate) fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The replacement of the shortest prefix of `text` in the map.
    fn shortest_prefix<'c>(&'c self, text: &'c [u8]) -> Option<&'c str> {
        self.prefixes(text).next().map(|(_, r)| r)
    }

    fn prefixes<'c>(&'c self, text: &'c [u8]) -> impl Iterator<Item = (usize, &'c str)> {
        let mut at = self.units.first().map_or(0, |&u| offset(u)) as usize;
        let mut depth = 0;
        let mut ended = false;
        std::iter::from_fn(move || {
            while !ended && depth < text.len() {
                let label = text[depth];
                at ^= label as usize;
                let unit = match self.units.get(at) {
                    Some(&unit) if label != 0 && unit & (1 << 31 | 0xFF) == u32::from(label) => {
                        unit
                    }
                    _ => {
                        ended = true;
                        break;
                    }
                };
                depth += 1;
                at ^= offset(unit) as usize;
                if unit >> 8 & 1 == 1 {
                    let value = self.units.get(at).map(|u| (u & 0x7FFF_FFFF) as usize);
                    let Some(found) = value.and_then(|v| self.replacement(v)) else { continue };
                    return Some((depth, found));
                }
            }
            None
        })
    }

    fn replacement(&self, start: usize) -> Option<&str> {
        let rest = self.replacements.get(start..)?;
        Some(rest.split('\0').next().unwrap_or(rest))
    }

    /// Normalises as SentencePiece does: the longest prefix in the map is replaced, else a character kept.
    pub(crate) fn normalize_prefixes(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let longest = self.prefixes(rest.as_bytes()).last();
            let len = match longest.filter(|&(len, _)| rest.is_char_boundary(len)) {
                Some((len, replacement)) => {
                    out.push_str(replacement);
                    len
                }
                None => {
                    out.push(c);
                    c.len_utf8()
                }
            };
            rest = &rest[len..];
        }
        out
    }

    /// Normalises as Hugging Face does: by grapheme cluster where the cluster has fewer than 6 bytes and
    /// is in the map, else by character.
    pub(crate) fn normalize_clusters(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for cluster in text.graphemes(true) {
            if cluster.len() < 6
                && let Some(replacement) = self.shortest_prefix(cluster.as_bytes())
            {
                out.push_str(replacement);
                continue;
            }
            for (i, c) in cluster.char_indices() {
                let part = &cluster[i..i + c.len_utf8()];
                out.push_str(self.shortest_prefix(part.as_bytes()).unwrap_or(part));
            }
        }
        out
    }
}

fn offset(unit: u32) -> u32 {
    unit >> 10 << ((unit & 1 << 9) >> 6)
}

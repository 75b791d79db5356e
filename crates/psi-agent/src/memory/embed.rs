//! Vectors for texts: from a model, or by hashing words and their pieces.

use std::collections::BTreeMap;

use super::words;

/// Turns texts into vectors whose scalar product says how alike the texts are.
pub trait Embedder: Send + Sync {
    /// Its name: vectors of different embedders are never compared.
    fn name(&self) -> &str;

    /// The vector of a text, of length 1 (or 0 when there is nothing in it).
    ///
    /// # Errors
    /// A sentence.
    fn embed(&self, text: &str) -> Result<Vec<f32>, String>;

    /// The vector of a question. `rarity`: how much a word's being there says, from the texts that are
    /// searched; a model has no use for it.
    ///
    /// # Errors
    /// A sentence.
    fn embed_query(&self, text: &str, rarity: &dyn Fn(&str) -> f32) -> Result<Vec<f32>, String> {
        let _ = rarity;
        self.embed(text)
    }

    /// Whether a vector takes microseconds, so that it need not be kept.
    fn is_cheap(&self) -> bool {
        false
    }
}

/// Length of the vectors of [`HashedNgrams`].
const DIM: usize = 1024;
/// What a word's pieces weigh beside the word itself.
const PIECES_WEIGHT: f32 = 1.0;

/// Words and their pieces of three and four letters, each hashed to a place and a sign (feature hashing,
/// Weinberger et al. 2009): alike spelling gives alike vectors. It knows no meaning, needs no model and
/// is the same everywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct HashedNgrams;

impl Embedder for HashedNgrams {
    fn name(&self) -> &'static str {
        "hashed-ngrams-1"
    }

    fn embed(&self, text: &str) -> Result<Vec<f32>, String> {
        Ok(hashed(text, &|_| 1.0))
    }

    fn embed_query(&self, text: &str, rarity: &dyn Fn(&str) -> f32) -> Result<Vec<f32>, String> {
        Ok(hashed(text, rarity))
    }

    fn is_cheap(&self) -> bool {
        true
    }
}

fn hashed(text: &str, rarity: &dyn Fn(&str) -> f32) -> Vec<f32> {
    // Sorted by feature: the sums below are then the same everywhere.
    let mut features: BTreeMap<String, f32> = BTreeMap::new();
    for word in words::content_words(text) {
        let weight = rarity(&word);
        *features.entry(format!("w{}", words::stem(&word))).or_default() += weight;
        let letters: Vec<char> = format!("^{word}$").chars().collect();
        let pieces: Vec<&[char]> = [3, 4].iter().flat_map(|&n| letters.windows(n)).collect();
        for piece in &pieces {
            let piece: String = piece.iter().collect();
            let share = weight * PIECES_WEIGHT / pieces.len() as f32;
            *features.entry(format!("g{piece}")).or_default() += share;
        }
    }
    let mut vector = vec![0.0; DIM];
    for (feature, weight) in features {
        let hash = fnv1a(&feature);
        let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
        vector[(hash % DIM as u64) as usize] += sign * weight.sqrt();
    }
    normalise(&mut vector);
    vector
}

/// Scales to length 1.
pub(super) fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    }
}

/// The scalar product of two vectors.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Fowler, Noll and Vo's hash 1a of 64 bits, with its bits mixed once more: the lowest and the highest
/// are used apart.
fn fnv1a(text: &str) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

/// A vector as the database keeps it: little-endian f32.
pub(super) fn to_bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// The reverse of [`to_bytes`].
pub(super) fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    let value = |b: &[u8]| f32::from_le_bytes(b.try_into().expect("chunks of four"));
    bytes.chunks_exact(4).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alike_texts_are_nearer_than_others_and_no_words_have_no_place() {
        let embed = |text: &str| HashedNgrams.embed(text).unwrap();
        let question = embed("Where did the pottery workshop take place?");
        let near = dot(&question, &embed("The pottery workshops were in Lisbon"));
        let far = dot(&question, &embed("I bought two new bicycles"));
        assert!(near > 0.4 && far < 0.15, "{near} {far}");
        let length = dot(&question, &question);
        assert!((length - 1.0).abs() < 1e-5, "{length}");
        assert_eq!(dot(&embed("what is it?"), &question), 0.0);
        assert_eq!(from_bytes(&to_bytes(&question)), question);
    }

    #[test]
    fn vectors_are_the_same_everywhere() {
        let vector = HashedNgrams.embed("psi").unwrap();
        let places: Vec<usize> = (0..DIM).filter(|&i| vector[i] != 0.0).collect();
        assert_eq!(places.len(), 6, "one word, three pieces of three letters, two of four");
        assert_eq!(vector, HashedNgrams.embed("PSI!").unwrap());
    }
}

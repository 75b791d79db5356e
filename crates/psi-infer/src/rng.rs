//! Random numbers addressed by (seed, position): a sequence draws the same ones in any batch.

/// A uniform number in [0, 1) for draw `position` of the stream `seed`.
///
/// Two rounds of [`mix`] over the pair, 53 bits kept.
pub fn uniform(seed: u64, position: u64) -> f64 {
    let mixed = mix(mix(seed).wrapping_add(position.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    (mixed >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// 64 bits that look random, a function of `x` alone: SplitMix64's finaliser (Steele, Lea and Flood 2014).
pub fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_uniform_and_streams_differ() {
        const N: u64 = 100_000;
        let mut bins = [0_u32; 16];
        let (mut sum, mut product) = (0.0, 0.0);
        for i in 0..N {
            let u = uniform(1, i);
            bins[(u * 16.0) as usize] += 1;
            sum += u;
            product += (u - 0.5) * (uniform(2, i) - 0.5);
        }
        let expected = N as f64 / 16.0;
        let chi2: f64 = bins.iter().map(|&b| (f64::from(b) - expected).powi(2) / expected).sum();
        assert!(chi2 < 37.7, "chi2 of 15 degrees of freedom: {chi2}"); // p = 0.001
        assert!((sum / N as f64 - 0.5).abs() < 0.004);
        assert!((product / N as f64).abs() < 0.001);
    }
}

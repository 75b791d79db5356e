//! GGML's block formats against the reference implementation: what is read from golden blocks, bit for
//! bit, and how well psi's quantisers do on the reference's own matrix.

use std::path::PathBuf;

use psi_kernels::quant::{BlockType, can_quantize, dequantize, quantize};

const READ: [BlockType; 15] = [
    BlockType::F16,
    BlockType::BF16,
    BlockType::Q4_0,
    BlockType::Q4_1,
    BlockType::Q5_0,
    BlockType::Q5_1,
    BlockType::Q8_0,
    BlockType::Q2_K,
    BlockType::Q3_K,
    BlockType::Q4_K,
    BlockType::Q5_K,
    BlockType::Q6_K,
    BlockType::IQ4_NL,
    BlockType::IQ4_XS,
    BlockType::MXFP4,
];

const WRITTEN: [BlockType; 7] = [
    BlockType::F16,
    BlockType::BF16,
    BlockType::Q8_0,
    BlockType::Q4_0,
    BlockType::Q4_K,
    BlockType::Q5_K,
    BlockType::Q6_K,
];

/// The formats whose scales are fitted to the values.
const FITTED: [BlockType; 5] =
    [BlockType::Q8_0, BlockType::Q4_0, BlockType::Q4_K, BlockType::Q5_K, BlockType::Q6_K];

fn golden(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../golden/quants").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn golden_f32(name: &str) -> Vec<f32> {
    golden(name).as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

fn golden_json(name: &str) -> serde_json::Value {
    serde_json::from_slice(&golden(name)).expect("a JSON file")
}

fn quantized(block: BlockType, values: &[f32]) -> Vec<u8> {
    let mut bytes = vec![0xa5; block.bytes_for(values.len())];
    quantize(block, values, &mut bytes);
    bytes
}

fn dequantized(block: BlockType, bytes: &[u8]) -> Vec<f32> {
    let mut values = vec![f32::NAN; bytes.len() / block.block_bytes() * block.block_len()];
    dequantize(block, bytes, &mut values);
    values
}

fn through(block: BlockType, values: &[f32]) -> Vec<f32> {
    dequantized(block, &quantized(block, values))
}

/// Root of the mean squared error, in f64.
fn rmse(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2));
    (squares.sum::<f64>() / a.len() as f64).sqrt()
}

/// Roughly normal numbers: the sum of four draws of a linear congruential generator.
fn normal(seed: u64, n: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| draw() + draw() + draw() + draw()).collect()
}

#[test]
fn every_format_has_the_sizes_of_the_reference() {
    let index = golden_json("index.json");
    for block in READ {
        let entry = &index[format!("{block:?}")];
        assert_eq!(entry["block_elements"], block.block_len(), "{block:?}");
        assert_eq!(entry["block_bytes"], block.block_bytes(), "{block:?}");
    }
    assert_eq!(index.as_object().unwrap().len(), READ.len(), "a format is not tested");
}

#[test]
fn every_format_is_read_bit_for_bit_as_the_reference_reads_it() {
    for block in READ {
        let bytes = golden(&format!("{block:?}.in"));
        let want = golden_f32(&format!("{block:?}.out"));
        let got = dequantized(block, &bytes);
        assert_eq!(got.len(), want.len(), "{block:?}");
        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
            let at = (i / block.block_len(), i % block.block_len());
            assert_eq!(got.to_bits(), want.to_bits(), "{block:?} {at:?}: {got} for {want}");
        }
    }
}

#[test]
fn what_psi_writes_is_what_it_says_it_writes() {
    for block in READ {
        assert_eq!(can_quantize(block), WRITTEN.contains(&block), "{block:?}");
    }
}

#[test]
fn no_row_is_quantised_worse_than_by_the_reference() {
    let matrix = golden_f32("matrix.f32");
    let reference = golden_json("reference.json");
    let columns = reference["columns"].as_u64().unwrap() as usize;
    let mut worse = Vec::new();
    for block in WRITTEN {
        for (i, row) in matrix.chunks_exact(columns).enumerate() {
            let what = reference["rows"][i].as_str().unwrap();
            let want = reference["types"][format!("{block:?}")]["rmse"][i].as_f64().unwrap();
            let got = rmse(&through(block, row), row);
            if got > want * (1.0 + 1e-6) {
                worse.push(format!("{block:?} '{what}': {got:.4e} for {want:.4e}"));
            }
            println!("{block:?} {what}: {got:.3e}, reference {want:.3e}");
        }
    }
    assert!(worse.is_empty(), "{worse:#?}");
}

#[test]
fn f16_bf16_and_q8_0_are_the_bytes_of_the_reference() {
    let matrix = golden_f32("matrix.f32");
    for block in [BlockType::F16, BlockType::BF16, BlockType::Q8_0] {
        assert!(quantized(block, &matrix) == golden(&format!("{block:?}.ref")), "{block:?}");
    }
}

#[test]
fn zeros_stay_zeros() {
    for block in WRITTEN {
        for zero in [0.0, -0.0] {
            let got = through(block, &[zero; 512]);
            assert!(got.iter().all(|&x| x == 0.0), "{block:?}");
        }
    }
}

#[test]
fn constants_come_back_within_the_precision_of_their_scale() {
    for block in WRITTEN {
        for constant in [1.0_f32, -1.0, 0.7371, -0.02, 3e-4, 1234.5, -30000.0] {
            for got in through(block, &[constant; 256]) {
                let relative = ((got - constant) / constant).abs();
                assert!(relative < 2e-2, "{block:?}: {got} for {constant}");
            }
        }
    }
}

#[test]
fn an_outlier_keeps_its_size_and_leaves_other_sub_blocks_alone() {
    for block in WRITTEN {
        let mut x = normal(3, 256);
        x[70] = -500.0;
        let got = through(block, &x);
        assert!((got[70] + 500.0).abs() < 500.0 * 0.04, "{block:?}: {}", got[70]);
        assert!(rmse(&got, &x) < 25.0, "{block:?}");
    }
}

#[test]
fn values_that_are_not_finite_count_as_zero() {
    for block in FITTED {
        let mut x = normal(4, 512);
        let clean: Vec<f32> =
            x.iter().enumerate().map(|(i, &x)| if i % 37 == 5 { 0.0 } else { x }).collect();
        for (i, x) in x.iter_mut().enumerate().filter(|(i, _)| i % 37 == 5) {
            *x = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -f32::NAN][i % 4];
        }
        assert!(quantized(block, &x) == quantized(block, &clean), "{block:?}");
        let all = through(block, &[f32::NAN; 256]);
        assert!(all.iter().all(|&x| x == 0.0), "{block:?}");
    }
}

#[test]
fn huge_and_tiny_values_give_finite_ones() {
    for block in FITTED {
        for scale in [f32::MAX / 4.0, 1e30, 1e9, 3e5, 1e-6, 1e-9, 1e-30, 1e-44, 1e-45] {
            let x: Vec<f32> = normal(5, 256).iter().map(|x| x * scale).collect();
            let got = through(block, &x);
            assert!(got.iter().all(|x| x.is_finite()), "{block:?} at {scale}");
            let largest = x.iter().fold(0.0_f32, |a, x| a.max(x.abs()));
            // A subnormal f16 scale may round up to twice its value.
            let bound = largest * 2.0 + 1e-6;
            assert!(got.iter().all(|x| x.abs() <= bound), "{block:?} at {scale}");
        }
    }
}

#[test]
fn what_was_read_back_is_written_again_nearly_as_it_was() {
    for block in WRITTEN {
        for (seed, scale) in [(6, 1.0), (7, 0.02), (8, 100.0)] {
            let x: Vec<f32> = normal(seed, 1024).iter().map(|x| x * scale).collect();
            let once = through(block, &x);
            let twice = through(block, &once);
            let (first, second) = (rmse(&once, &x), rmse(&twice, &once));
            // F16 and BF16 lose nothing more; fitted scales are themselves rounded again.
            let share = if FITTED.contains(&block) { 0.5 } else { 0.0 };
            assert!(second <= first * share, "{block:?} x{scale}: {second} after {first}");
        }
    }
}

#[test]
fn blocks_are_quantised_each_for_itself() {
    for block in FITTED {
        let x = normal(9, 1024);
        let whole = quantized(block, &x);
        let parts: Vec<u8> =
            x.chunks(block.block_len()).flat_map(|x| quantized(block, x)).collect();
        assert!(whole == parts, "{block:?}");
    }
}

//! Attention and its cache on every tier of this machine: against f64, and bit for bit across cuts.

use psi_kernels::{
    Cpu, Isa,
    attention::{AttentionParams, attention, attention_backward, attention_with_lse},
    gemm::Compute,
    kv::{KV_BLOCK, KvArena, KvDtype, KvShape, Segment, store},
    reference,
};

const DTYPES: [KvDtype; 3] = [KvDtype::F32, KvDtype::Bf16, KvDtype::Q8];

/// Numbers in -2 .. 2 that depend on `seed` only (a linear congruential generator).
fn numbers(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u32 << 22) as f32 - 2.0
    };
    (0..n).map(|_| next()).collect()
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

#[track_caller]
fn assert_near(got: &[f32], want: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(*g) - w).abs();
        assert!(error <= tolerance, "{what}[{i}]: {g} instead of {w} ({error:e})");
    }
}

/// A sequence with its queries, keys and values, and where its blocks lie.
#[derive(Clone, Debug)]
struct Sequence {
    n: usize,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    blocks: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    n_heads: usize,
    n_kv_heads: usize,
    d_head: usize,
    window: Option<usize>,
    softcap: Option<f32>,
}

impl Case {
    fn params(self) -> AttentionParams {
        let scale = 1.0 / (self.d_head as f32).sqrt();
        let Self { n_heads, window, softcap, .. } = self;
        AttentionParams { n_heads, scale, window, softcap, gradient: Compute::F32 }
    }

    fn arena(self, dtype: KvDtype, n_blocks: usize) -> KvArena {
        let shape = KvShape { n_layers: 2, n_kv_heads: self.n_kv_heads, d_head: self.d_head };
        KvArena::new(shape, dtype, n_blocks)
    }

    fn row(self) -> (usize, usize) {
        (self.n_heads * self.d_head, self.n_kv_heads * self.d_head)
    }

    /// A sequence of `n` positions whose blocks are every `stride`-th one from `first`, backwards.
    fn sequence(self, n: usize, seed: u64, first: u32, stride: u32) -> Sequence {
        let (q, kv) = self.row();
        let n_blocks = n.div_ceil(KV_BLOCK) as u32;
        Sequence {
            n,
            q: numbers(n * q, seed),
            k: numbers(n * kv, seed + 1),
            v: numbers(n * kv, seed + 2),
            blocks: (0..n_blocks).rev().map(|b| first + stride * b).collect(),
        }
    }
}

/// Stores and attends rows `from .. to` of each sequence, all in one call; outputs by sequence.
fn step(
    cpu: &Cpu,
    case: Case,
    arena: &mut KvArena,
    sequences: &[(&Sequence, usize, usize)],
) -> Vec<Vec<f32>> {
    let (q_row, kv_row) = case.row();
    let (mut q, mut k, mut v, mut segments) = (vec![], vec![], vec![], vec![]);
    let mut row0 = 0;
    for &(s, from, to) in sequences {
        q.extend_from_slice(&s.q[from * q_row..to * q_row]);
        k.extend_from_slice(&s.k[from * kv_row..to * kv_row]);
        v.extend_from_slice(&s.v[from * kv_row..to * kv_row]);
        segments.push(Segment { row0, n_rows: to - from, pos0: from, blocks: &s.blocks });
        row0 += to - from;
    }
    store(cpu, arena, 1, &segments, &k, &v);
    let mut out = vec![f32::NAN; q.len()];
    attention(cpu, arena, 1, &segments, case.params(), &q, &mut out);
    segments.iter().map(|s| out[s.row0 * q_row..(s.row0 + s.n_rows) * q_row].to_vec()).collect()
}

/// The whole sequence in chunks of `chunk` rows.
fn in_chunks(cpu: &Cpu, case: Case, arena: &mut KvArena, s: &Sequence, chunk: usize) -> Vec<f32> {
    let steps = (0..s.n).step_by(chunk).map(|from| (s, from, s.n.min(from + chunk)));
    steps.flat_map(|rows| step(cpu, case, arena, &[rows]).remove(0)).collect()
}

/// Keys and values as the cache holds them.
fn stored(case: Case, arena: &KvArena, s: &Sequence) -> [Vec<f64>; 2] {
    let d = case.d_head;
    let (mut keys, mut values) = (vec![], vec![]);
    let (mut k, mut v) = (vec![0.0; d], vec![0.0; d]);
    for pos in 0..s.n {
        for head in 0..case.n_kv_heads {
            arena.read(1, s.blocks[pos / KV_BLOCK], head, pos % KV_BLOCK, &mut k, &mut v);
            keys.extend(wide(&k));
            values.extend(wide(&v));
        }
    }
    [keys, values]
}

fn cases() -> Vec<Case> {
    let case = |n_heads, n_kv_heads, d_head| Case {
        n_heads,
        n_kv_heads,
        d_head,
        window: None,
        softcap: None,
    };
    vec![
        case(1, 1, 8),
        case(2, 2, 16),
        case(4, 2, 40),
        case(9, 3, 64),
        case(8, 2, 64),
        case(3, 1, 80),
        case(5, 1, 96),
        case(7, 1, 9),
        case(8, 1, 128),
        case(13, 1, 33),
        case(2, 1, 256),
        Case { window: Some(1), ..case(4, 2, 16) },
        Case { window: Some(5), ..case(6, 2, 8) },
        Case { window: Some(64), ..case(4, 1, 64) },
        Case { window: Some(100), ..case(3, 3, 64) },
        Case { softcap: Some(2.0), ..case(8, 2, 32) },
        Case { softcap: Some(5.0), window: Some(70), ..case(4, 4, 40) },
    ]
}

#[test]
fn prefill_and_decoding_match_f64_in_every_shape_and_storage_type() {
    for isa in Isa::available() {
        let cpu = Cpu::new(isa, 2);
        for case in cases() {
            for (dtype, n) in DTYPES.iter().flat_map(|&t| [1, 2, 63, 65, 200].map(|n| (t, n))) {
                let mut arena = case.arena(dtype, 9);
                let s = case.sequence(n, 7, 1, 2);
                let got = step(&cpu, case, &mut arena, &[(&s, 0, n)]).remove(0);
                let [k, v] = stored(case, &arena, &s);
                let (want, _) = reference::attention::attention(
                    case.params(),
                    case.n_kv_heads,
                    case.d_head,
                    0,
                    [&wide(&s.q), &k, &v],
                );
                let what = format!("{case:?} {dtype:?} n {n} on {}", isa.tier());
                assert_near(&got, &want, 6e-6, &what);
                let last = step(&cpu, case, &mut arena, &[(&s, n - 1, n)]).remove(0);
                assert_near(&last, &want[want.len() - last.len()..], 6e-6, &what);
            }
        }
    }
}

#[test]
fn a_row_has_the_same_bits_alone_in_a_batch_in_chunks_and_with_any_threads() {
    let n = 203;
    for isa in Isa::available() {
        for case in cases() {
            for dtype in DTYPES {
                let what = format!("{case:?} {dtype:?} on {}", isa.tier());
                let s = case.sequence(n, 3, 0, 1);
                let whole = {
                    let mut arena = case.arena(dtype, 4);
                    bits(&step(&Cpu::new(isa, 1), case, &mut arena, &[(&s, 0, n)])[0])
                };
                for (chunk, n_threads) in [(1, 1), (3, 2), (64, 3), (100, 2), (n, 3)] {
                    let mut arena = case.arena(dtype, 4);
                    let got = in_chunks(&Cpu::new(isa, n_threads), case, &mut arena, &s, chunk);
                    assert!(bits(&got) == whole, "chunks of {chunk}, {n_threads} threads: {what}");
                }

                let cpu = Cpu::new(isa, 2);
                let lengths = [5, 130, n, 1, 64, 65, 17];
                let batch: Vec<Sequence> = (0..7)
                    .map(|i| match i {
                        2 => case.sequence(n, 3, i, 7),
                        _ => case.sequence(lengths[i as usize], 50 + u64::from(i), i, 7),
                    })
                    .collect();
                let mut arena = case.arena(dtype, 7 * 4);
                let prefill: Vec<_> = batch.iter().map(|s| (s, 0, s.n)).collect();
                let got = step(&cpu, case, &mut arena, &prefill);
                assert!(bits(&got[2]) == whole, "in a batch: {what}");
                // Decoding the last position of all, over a cache that holds it already.
                let decode: Vec<_> = batch.iter().map(|s| (s, s.n - 1, s.n)).collect();
                let got = step(&cpu, case, &mut arena, &decode);
                assert!(whole.ends_with(&bits(&got[2])), "decoding in a batch: {what}");
            }
        }
    }
}

#[test]
fn a_long_cache_split_between_threads_gives_the_same_bits() {
    let case = Case { n_heads: 3, n_kv_heads: 1, d_head: 64, window: None, softcap: None };
    for isa in Isa::available() {
        for dtype in DTYPES {
            let n = 4000;
            let s = case.sequence(n, 5, 0, 1);
            let mut arena = case.arena(dtype, 63);
            let rows = |n_threads, arena: &mut KvArena| {
                bits(&step(&Cpu::new(isa, n_threads), case, arena, &[(&s, n - 2, n)])[0])
            };
            step(&Cpu::new(isa, 2), case, &mut arena, &[(&s, 0, n)]);
            let one = rows(1, &mut arena);
            assert!(one == rows(2, &mut arena) && one == rows(3, &mut arena), "{}", isa.tier());
            let [k, v] = stored(case, &arena, &s);
            let q = wide(&s.q[(n - 2) * 192..]);
            let (want, _) =
                reference::attention::attention(case.params(), 1, 64, n - 2, [&q, &k, &v]);
            let got: Vec<f32> = one.into_iter().map(f32::from_bits).collect();
            assert_near(&got, &want, 6e-6, &format!("{dtype:?} on {}", isa.tier()));
        }
    }
}

#[test]
fn what_lies_in_positions_not_seen_changes_no_bit() {
    let case = Case { n_heads: 4, n_kv_heads: 2, d_head: 24, window: Some(30), softcap: None };
    for isa in Isa::available() {
        for dtype in DTYPES {
            let cpu = Cpu::new(isa, 1);
            let s = case.sequence(71, 9, 0, 1);
            let mut fresh = case.arena(dtype, 2);
            let want = in_chunks(&cpu, case, &mut fresh, &s, 1);
            let mut dirty = case.arena(dtype, 2);
            let mut garbage = case.sequence(128, 11, 0, 1);
            garbage.blocks.clone_from(&s.blocks);
            garbage.k.fill(f32::NAN);
            garbage.v.fill(f32::NAN);
            step(&cpu, case, &mut dirty, &[(&garbage, 0, 128)]);
            let got = in_chunks(&cpu, case, &mut dirty, &s, 1);
            assert!(bits(&got) == bits(&want), "{dtype:?} on {}", isa.tier());
        }
    }
}

#[test]
fn the_normaliser_matches_f64() {
    let case = Case { n_heads: 6, n_kv_heads: 2, d_head: 32, window: Some(90), softcap: Some(9.0) };
    for isa in Isa::available() {
        let cpu = Cpu::new(isa, 2);
        let s = case.sequence(150, 21, 0, 1);
        let mut arena = case.arena(KvDtype::F32, 3);
        let segment = Segment { row0: 0, n_rows: s.n, pos0: 0, blocks: &s.blocks };
        store(&cpu, &mut arena, 0, &[segment], &s.k, &s.v);
        let (mut out, mut lse) = (vec![0.0; s.q.len()], vec![0.0; s.n * 6]);
        attention_with_lse(&cpu, &arena, 0, &[segment], case.params(), &s.q, &mut out, &mut lse);
        let inputs = [wide(&s.q), wide(&s.k), wide(&s.v)];
        let (want_out, want) = reference::attention::attention(
            case.params(),
            2,
            32,
            0,
            [&inputs[0], &inputs[1], &inputs[2]],
        );
        assert_near(&out, &want_out, 6e-6, "out");
        assert_near(&lse, &want, 2e-6, &format!("lse on {}", isa.tier()));
    }
}

#[test]
fn stored_rows_are_read_back_within_the_precision_of_their_type() {
    for (d_head, dtype) in
        [1, 2, 7, 8, 33, 80, 256].into_iter().flat_map(|d| DTYPES.map(|t| (d, t)))
    {
        let case = Case { n_heads: 3, n_kv_heads: 3, d_head, window: None, softcap: None };
        let s = case.sequence(100, 1, 0, 3);
        let mut arena = case.arena(dtype, 4);
        step(&Cpu::single(), case, &mut arena, &[(&s, 0, s.n)]);
        let tolerance = match dtype {
            KvDtype::F32 => 0.0,
            KvDtype::Bf16 => 2.0 / 256.0,
            KvDtype::Q8 => 2.0 / 253.0,
        };
        let [k, v] = stored(case, &arena, &s);
        assert_near(&s.k, &k, tolerance, &format!("keys of {d_head} as {dtype:?}"));
        assert_near(&s.v, &v, tolerance, &format!("values of {d_head} as {dtype:?}"));
        let bytes = KvArena::bytes_per_block(arena.shape(), dtype);
        assert_eq!(arena.bytes(), 4 * bytes);

        // A copied block serves a second sequence; what it then stores does not reach the first.
        arena.copy_block(3, 1);
        let mut copy = s.clone();
        copy.blocks = vec![1, 2];
        let head = |s: &Sequence, arena: &KvArena| {
            let mut s = s.clone();
            s.n = 36;
            stored(case, arena, &s)
        };
        assert_eq!(head(&copy, &arena), head(&s, &arena));
        copy.k.iter_mut().for_each(|x| *x = 1.0);
        step(&Cpu::single(), case, &mut arena, &[(&copy, 0, 64)]);
        assert_eq!(stored(case, &arena, &s), [k, v]);
    }
}

/// Gradients of a batch of sequences of these lengths, one after another: d_q, d_k, d_v.
fn gradients(
    cpu: &Cpu,
    compute: Compute,
    case: Case,
    s: &Sequence,
    lengths: &[usize],
    d_out: &[f32],
) -> [Vec<f32>; 3] {
    let (mut arena, blocks): (_, Vec<Vec<u32>>) = {
        let mut next = 0..;
        let mut take = |n: usize| next.by_ref().take(n.div_ceil(KV_BLOCK)).collect();
        let blocks: Vec<Vec<u32>> = lengths.iter().map(|&n| take(n)).collect();
        (case.arena(KvDtype::F32, blocks.iter().map(Vec::len).sum()), blocks)
    };
    let mut row0 = 0;
    let mut segments = Vec::new();
    for (&n_rows, blocks) in lengths.iter().zip(&blocks) {
        segments.push(Segment { row0, n_rows, pos0: 0, blocks });
        row0 += n_rows;
    }
    store(cpu, &mut arena, 0, &segments, &s.k, &s.v);
    let (mut out, mut lse) = (vec![0.0; s.q.len()], vec![0.0; s.n * case.n_heads]);
    attention_with_lse(cpu, &arena, 0, &segments, case.params(), &s.q, &mut out, &mut lse);
    let nan = |n: usize| vec![f32::NAN; n];
    let (mut d_q, mut d_k, mut d_v) = (nan(s.q.len()), nan(s.k.len()), nan(s.v.len()));
    attention_backward(
        cpu,
        &segments,
        AttentionParams { gradient: compute, ..case.params() },
        case.n_kv_heads,
        case.d_head,
        &s.q,
        &s.k,
        &s.v,
        &out,
        d_out,
        &lse,
        &mut d_q,
        &mut d_k,
        &mut d_v,
    );
    [d_q, d_k, d_v]
}

/// The loss sum(out d_out) of the same batch in f64.
fn loss(case: Case, inputs: &[Vec<f64>; 3], lengths: &[usize], d_out: &[f32]) -> f64 {
    let (q_row, kv_row) = case.row();
    let (mut sum, mut row0) = (0.0, 0);
    for &n in lengths {
        let part = |x: &'_ [f64], row: usize| x[row0 * row..(row0 + n) * row].to_vec();
        let [q, k, v] = inputs;
        let rows = [part(q, q_row), part(k, kv_row), part(v, kv_row)];
        let (out, _) = reference::attention::attention(
            case.params(),
            case.n_kv_heads,
            case.d_head,
            0,
            [&rows[0], &rows[1], &rows[2]],
        );
        let d_out = &d_out[row0 * q_row..];
        sum += out.iter().zip(d_out).map(|(o, d)| o * f64::from(*d)).sum::<f64>();
        row0 += n;
    }
    sum
}

#[test]
fn gradients_match_differences_in_f64() {
    for (i, case) in cases().into_iter().enumerate() {
        let lengths = [[70, 3, 1].as_slice(), &[131], &[64, 65]][i % 3];
        let n = lengths.iter().sum();
        let s = case.sequence(n, 30 + i as u64, 0, 1);
        let d_out = numbers(s.q.len(), 99);
        let inputs = [wide(&s.q), wide(&s.k), wide(&s.v)];
        // Single coordinates, and directions that touch all of them.
        let h = 1e-4;
        let slope = |which: usize, direction: &dyn Fn(usize) -> f64| {
            let moved = |h: f64| {
                let mut x = inputs.clone();
                x[which].iter_mut().enumerate().for_each(|(i, x)| *x += h * direction(i));
                loss(case, &x, lengths, &d_out)
            };
            (moved(h) - moved(-h)) / (2.0 * h)
        };
        let probes: Vec<(usize, Vec<f64>)> = (0..3)
            .flat_map(|which| {
                let len = inputs[which].len();
                let one = |at: usize| (0..len).map(|i| f64::from(u8::from(i == at))).collect();
                let signs = |seed| wide(&numbers(len, seed));
                [one(0), one(len / 2), one(len - 1), one(len * 2 / 3), signs(5), signs(6)]
                    .map(|direction| (which, direction))
            })
            .collect();
        let want: Vec<f64> = probes.iter().map(|(w, d)| slope(*w, &|i| d[i])).collect();
        for isa in Isa::available() {
            let got = gradients(&Cpu::new(isa, 2), Compute::F32, case, &s, lengths, &d_out);
            for ((which, direction), want) in probes.iter().zip(&want) {
                let along = wide(&got[*which]);
                let along: f64 = along.iter().zip(direction).map(|(a, b)| a * b).sum();
                let length = direction.iter().map(|d| d * d).sum::<f64>().sqrt();
                assert!(
                    (along - want).abs() <= 3e-5 * length.max(want.abs()),
                    "{which}: {along} instead of {want}: {case:?} {lengths:?} on {}",
                    isa.tier()
                );
            }
        }
    }
}

/// |a - b| / |b|; elements of b are taken to be a half at least, in the mean.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let (a, b) = (wide(a), wide(b));
    norm(&mut a.iter().zip(&b).map(|(a, b)| a - b))
        / norm(&mut b.iter().copied()).max(0.5 * (b.len() as f64).sqrt())
}

#[test]
fn gradients_in_bf16_are_those_of_f32_within_its_precision() {
    for (i, case) in cases().into_iter().enumerate() {
        let lengths = [[70, 3, 1].as_slice(), &[131], &[64, 65], &[300]][i % 4];
        let s = case.sequence(lengths.iter().sum(), 50 + i as u64, 0, 1);
        let d_out = numbers(s.q.len(), 96);
        for isa in Isa::available() {
            let of = |compute| gradients(&Cpu::new(isa, 2), compute, case, &s, lengths, &d_out);
            for ((got, want), name) in
                of(Compute::Bf16).iter().zip(&of(Compute::F32)).zip(["d_q", "d_k", "d_v"])
            {
                let far = distance(got, want);
                assert!(far <= 1.5e-2, "{name}: {far} for {case:?} {lengths:?} on {}", isa.tier());
            }
        }
    }
}

#[test]
fn gradients_have_the_same_bits_with_any_number_of_threads() {
    let case = Case { n_heads: 6, n_kv_heads: 2, d_head: 40, window: Some(300), softcap: None };
    for isa in Isa::available() {
        for lengths in [[700].as_slice(), &[30, 260, 1]] {
            let s = case.sequence(lengths.iter().sum(), 77, 0, 1);
            let d_out = numbers(s.q.len(), 98);
            for compute in [Compute::F32, Compute::Bf16] {
                let on = |n| {
                    let cpu = Cpu::new(isa, n);
                    gradients(&cpu, compute, case, &s, lengths, &d_out).map(|g| bits(&g))
                };
                let one = on(1);
                assert!(one == on(2) && one == on(3), "{lengths:?} {compute:?} on {}", isa.tier());
            }
        }
    }
}

#[test]
fn a_sequence_divided_into_parts_has_the_gradients_of_f64() {
    // Long enough for several parts: checked along random directions.
    let case = Case { n_heads: 2, n_kv_heads: 1, d_head: 16, window: None, softcap: None };
    let lengths = [900];
    let s = case.sequence(900, 41, 0, 1);
    let d_out = numbers(s.q.len(), 97);
    let inputs = [wide(&s.q), wide(&s.k), wide(&s.v)];
    let got = gradients(&Cpu::single(), Compute::F32, case, &s, &lengths, &d_out);
    for which in 0..3 {
        let direction = wide(&numbers(inputs[which].len(), 8));
        let moved = |h: f64| {
            let mut x = inputs.clone();
            x[which].iter_mut().zip(&direction).for_each(|(x, d)| *x += h * d);
            loss(case, &x, &lengths, &d_out)
        };
        let want = (moved(1e-4) - moved(-1e-4)) / 2e-4;
        let along: f64 = wide(&got[which]).iter().zip(&direction).map(|(a, b)| a * b).sum();
        assert!((along - want).abs() <= 1e-4 * want.abs().max(10.0), "{which}: {along}, {want}");
    }
}

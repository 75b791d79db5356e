use psi_kernels::{gemm::TUNE, *};
use std::{sync::atomic::Ordering, time::Instant};
fn weights(n: usize) -> Vec<f32> { (0..n).map(|i| (i.wrapping_mul(2_654_435_761) % 2048) as f32 / 1024.0 - 1.0).collect() }
fn set(v: &[(usize, usize)]) { for t in &TUNE { t.store(0, Ordering::Relaxed); } for &(i, x) in v { TUNE[i].store(x, Ordering::Relaxed); } }
// args: tier format seconds-per-cell threads,.. m,n,k;m,n,k;... then confs "i=x,i=x" ...
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let isa = Isa::best().lowered(args[0].parse().unwrap()).unwrap();
    let huge = !args[1].ends_with('v'); let fmt = if args[1].starts_with("f32") { Format::F32 } else { Format::Bf16 };
    let cell: f64 = args[2].parse().unwrap();
    let shapes: Vec<Vec<usize>> = args[4].split(';').map(|s| s.split(',').map(|x| x.parse().unwrap()).collect()).collect();
    for th in args[3].split(',') {
        let cpu = Cpu::new(isa, th.parse().unwrap());
        let mats: Vec<Matrix> = shapes.iter().map(|s| Matrix::from_f32(&cpu, fmt, s[1], s[2], &weights(s[1] * s[2]))).collect();
        let al = |v: Vec<f32>| { let n = v.len() * 4; let mut b = AlignedBuf::zeroed(if huge { n } else { n.min(1 << 20).max(64) }); if huge { b.f32s_mut().copy_from_slice(&v); } (b, v) };
        let mut xs: Vec<(AlignedBuf, Vec<f32>)> = shapes.iter().map(|s| al(weights(s[0] * s[2]))).collect();
        let mut ys: Vec<(AlignedBuf, Vec<f32>)> = shapes.iter().map(|s| al(vec![0.0; s[0] * s[1]])).collect();
        println!("{th} threads {:?} {}", isa, shapes.iter().map(|s| format!("{s:?}")).collect::<Vec<_>>().join(" "));
        for conf in args[5..].iter() {
            let c: Vec<(usize, usize)> = conf.split(',').filter(|s| s.contains('=')).map(|s| { let (a, b) = s.split_once('=').unwrap(); (a.parse().unwrap(), b.parse().unwrap()) }).collect();
            set(&c);
            print!("{conf:24}");
            for (i, s) in shapes.iter().enumerate() {
                let (m, n, k) = (s[0], s[1], s[2]); let (xb, xv) = &mut xs[i]; let (yb, yv) = &mut ys[i]; let x: &[f32] = if huge { xb.f32s() } else { xv }; let y: &mut [f32] = if huge { yb.f32s_mut() } else { yv };
                let start = Instant::now();
                let mut t = Vec::new();
                while t.len() < 3 || start.elapsed().as_secs_f64() < cell { let s = Instant::now(); matmul(&cpu, x, m, &mats[i], y); t.push(s.elapsed().as_secs_f64()); }
                t.sort_by(f64::total_cmp);
                let g = 2e-9 * (m * n * k) as f64;
                print!(" {:7.1}us {:5.0} ({:5.0})", t[t.len() / 2] * 1e6, g / t[t.len() / 2], g / t[0]);
            }
            println!();
        }
    }
}

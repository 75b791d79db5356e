//! Dense weights in panels of 16 output rows: the one layout that GEMM and GEMV read.
#![expect(unsafe_code, reason = "panels are packed by several tasks")]

use std::sync::{Mutex, PoisonError};

use super::{
    NR,
    pack::{Dest, Elements, Rounding, Source, Words, pack_groups},
    squeeze::{Codes, Places, Squeezed},
};
use crate::{
    AlignedBuf, Cpu, Format,
    simd::{self, Parts},
};

/// Source bytes per packing task.
const TASK_BYTES: usize = 256 << 10;

/// Dense weights W (n, k) in panels of [`NR`] output rows.
///
/// f32: `[n / 16][k][16]`. bf16: `[n / 16][k / 2][16][2]` (k-pairs side by side, as `vdpbf16ps` and
/// `tdpbf16ps` read them), k padded with zeros to a multiple of 32, so that 32 k of a panel are 1 KiB
/// in one piece: one AMX tile. Missing rows are zero. Words are little-endian, as on every target.
#[derive(Clone, Debug)]
pub(crate) struct DensePanels {
    n: usize,
    k: usize,
    format: Format,
    data: AlignedBuf,
    /// How to unpack the panels, where they are squeezed.
    squeezed: Option<Squeezed>,
}

impl DensePanels {
    pub(crate) fn pack_f32(cpu: &Cpu, n: usize, k: usize, weights: &[f32]) -> Self {
        Self::pack(cpu, n, k, Elements::F32(weights), Words::Copy, Format::F32)
    }

    pub(crate) fn pack_bf16_from_f32(cpu: &Cpu, n: usize, k: usize, weights: &[f32]) -> Self {
        let words = Words::Along(Rounding::Exact);
        Self::pack(cpu, n, k, Elements::F32(weights), words, Format::Bf16)
    }

    pub(crate) fn pack_bf16(cpu: &Cpu, n: usize, k: usize, weights: &[u16]) -> Self {
        Self::pack(cpu, n, k, Elements::Bf16(weights), Words::Copy, Format::Bf16)
    }

    /// bf16 panels in 12 bits per weight, where the weights allow it.
    pub(crate) fn squeeze(self, cpu: &Cpu) -> Self {
        let words = self.data.u16s();
        let plain = self.format == Format::Bf16 && self.squeezed.is_none();
        let codes = plain.then(|| Codes::choose(words)).flatten();
        let Some(codes) = codes else { return self };
        let panel = panel_bytes(self.format, self.k) / 2;
        let places = Places { panels: self.n.div_ceil(NR), slabs: panel * 2 / 1024 };
        let mut slabs = AlignedBuf::zeroed(places.bytes());
        let parts = Parts::new(slabs.bytes_mut());
        let strays = Mutex::new(vec![Vec::new(); places.panels]);
        cpu.pool().run(places.panels, &|p| {
            // SAFETY: every slab belongs to one panel, every panel to one task.
            let slab = |slab| unsafe { parts.take(places.slab(p, slab)) };
            let found = codes.squeeze(&words[p * panel..(p + 1) * panel], slab);
            if !found.is_empty() {
                strays.lock().unwrap_or_else(PoisonError::into_inner)[p] = found;
            }
        });
        let strays = strays.into_inner().unwrap_or_else(PoisonError::into_inner);
        let squeezed = Some(Squeezed::new(&codes, places, slabs, strays));
        Self { data: AlignedBuf::zeroed(0), squeezed, ..self }
    }

    fn pack(
        cpu: &Cpu,
        n: usize,
        k: usize,
        elements: Elements<'_>,
        words: Words,
        format: Format,
    ) -> Self {
        let mut data = AlignedBuf::zeroed(n.div_ceil(NR) * panel_bytes(format, k));
        let source = Source { elements, n, k, ld: k, k_inner: true };
        pack_panels(cpu, &source, words, format, data.bytes_mut());
        Self { n, k, format, data, squeezed: None }
    }

    /// The panels of Wᵀ (k, n) from row-major W (n, k).
    pub(crate) fn pack_transposed(
        cpu: &Cpu,
        format: Format,
        n: usize,
        k: usize,
        weights: &[f32],
    ) -> Self {
        let mut data = AlignedBuf::zeroed(k.div_ceil(NR) * panel_bytes(format, n));
        let source = Source { elements: Elements::F32(weights), n: k, k: n, ld: k, k_inner: false };
        pack_panels(cpu, &source, across(format), format, data.bytes_mut());
        Self { n: k, k: n, format, data, squeezed: None }
    }

    /// Changes row-major `weights` (n, k) by `change`, which gets consecutive whole rows and where they
    /// begin, and packs each part as soon as it is changed, while it is in the cache: here, and into
    /// the panels of Wᵀ.
    ///
    /// # Panics
    /// When `weights` is not (n, k), or `transposed` not (k, n) in the same format.
    pub(crate) fn update(
        &mut self,
        transposed: &mut Self,
        cpu: &Cpu,
        weights: &mut [f32],
        change: &(dyn Fn(usize, &mut [f32]) + Sync),
    ) {
        let (n, k, format) = (self.n, self.k, self.format);
        assert_eq!(weights.len(), n * k, "weights of a ({n}, {k}) matrix");
        let other = (transposed.n, transposed.k, transposed.format);
        assert_eq!(other, (k, n, format), "the transposed matrix");
        for panels in [&mut *self, &mut *transposed] {
            panels.make_plain();
        }
        let along = if format == Format::F32 { Words::Copy } else { Words::Along(Rounding::Exact) };
        let (panel, across_panel) = (panel_bytes(format, k), panel_bytes(format, n));
        // Two panels are the 32 rows that make a slab of Wᵀ.
        let per_task = panels_per_task(cpu, n, panel).next_multiple_of(2);
        let slab_rows = if format == Format::F32 { 16 } else { 32 };
        let exact_k = format == Format::F32;
        let weights = Parts::new(weights);
        let dest = |at: *mut u8, group| Dest { at, line: 64, slab: 1024, group, by_vector: false };
        let to = dest(self.data.bytes_mut().as_mut_ptr(), panel);
        let to_across = dest(transposed.data.bytes_mut().as_mut_ptr(), across_panel);
        cpu.pool().run(n.div_ceil(per_task * NR), &|i| {
            let rows = i * per_task * NR..n.min((i + 1) * per_task * NR);
            // SAFETY: every task has its own rows, their panels and their slabs of Wᵀ's panels, which
            // `pack` and `pack_transposed` made room for.
            unsafe {
                let part = weights.take(rows.start * k..rows.end * k);
                change(rows.start * k, part);
                let elements = Elements::F32(part);
                let source = Source { elements, n: rows.len(), k, ld: k, k_inner: true };
                let at = to.moved(rows.start / NR * panel);
                let groups = 0..rows.len().div_ceil(NR);
                pack_groups(cpu.isa(), &source, along, &at, groups, exact_k);
                let source = Source { elements, n: k, k: rows.len(), ld: k, k_inner: false };
                let at = to_across.moved(rows.start / slab_rows * 1024);
                let groups = 0..k.div_ceil(NR);
                pack_groups(cpu.isa(), &source, across(format), &at, groups, exact_k);
            }
        });
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn bytes(&self) -> usize {
        self.data.len() + self.squeezed.as_ref().map_or(0, Squeezed::bytes)
    }

    pub(super) fn squeezed(&self) -> Option<&Squeezed> {
        self.squeezed.as_ref()
    }

    /// Makes room for plain panels, with no weights in them yet, where they are squeezed.
    fn make_plain(&mut self) {
        if self.squeezed.take().is_some() {
            let panel = panel_bytes(self.format, self.k);
            self.data = AlignedBuf::zeroed(self.n.div_ceil(NR) * panel);
        }
    }

    pub(super) fn n(&self) -> usize {
        self.n
    }

    /// The panels and the bytes between them.
    pub(super) fn panels(&self) -> (*const u8, usize) {
        (self.data.bytes().as_ptr(), panel_bytes(self.format, self.k))
    }

    pub(crate) fn row(&self, row: usize, out: &mut [f32]) {
        let (panel, lane) = (row / NR, row % NR);
        if self.format == Format::F32 {
            let words = &self.data.f32s()[panel * self.k * NR..][..self.k * NR];
            for (x, words) in out.iter_mut().zip(words.chunks_exact(NR)) {
                *x = words[lane];
            }
            return;
        }
        if let Some(squeezed) = &self.squeezed {
            for (i, x) in out.iter_mut().enumerate() {
                let at = i / 2 * 2 * NR + 2 * lane + i % 2;
                *x = simd::f32_from_bf16(squeezed.word(panel, at));
            }
            return;
        }
        let len = panel_bytes(self.format, self.k) / 2;
        let pairs = &self.data.u16s()[panel * len..][..len];
        for (x, pairs) in out.chunks_mut(2).zip(pairs.chunks_exact(2 * NR)) {
            for (x, &bits) in x.iter_mut().zip(&pairs[2 * lane..]) {
                *x = simd::f32_from_bf16(bits);
            }
        }
    }
}

/// Panels of `panel` bytes that one task packs, of the panels of `n` rows.
fn panels_per_task(cpu: &Cpu, n: usize, panel: usize) -> usize {
    let wanted = n.div_ceil(NR).div_ceil(4 * cpu.n_threads());
    (TASK_BYTES / panel.max(1)).min(wanted).max(1)
}

/// How words arise from a source whose rows run across k.
fn across(format: Format) -> Words {
    if format == Format::F32 { Words::Copy } else { Words::Across(Rounding::Exact) }
}

/// Bytes of one panel.
pub(super) fn panel_bytes(format: Format, k: usize) -> usize {
    match format {
        Format::F32 => k * NR * 4,
        _ => k.next_multiple_of(32) * NR * 2,
    }
}

/// Packs all of `source` into the panels `to`, in parallel.
pub(super) fn pack_panels(
    cpu: &Cpu,
    source: &Source<'_>,
    words: Words,
    format: Format,
    to: &mut [u8],
) {
    let job = Packing::new(cpu, source, words, format, to);
    // SAFETY: every task is run once.
    cpu.pool().run(job.tasks(), &|i| unsafe { job.task(i) });
}

/// The packing of a source into panels, cut into tasks.
pub(super) struct Packing<'a> {
    cpu: &'a Cpu,
    source: &'a Source<'a>,
    words: Words,
    dest: Dest,
    exact_k: bool,
    groups_per_task: usize,
}

impl<'a> Packing<'a> {
    pub(super) fn new(
        cpu: &'a Cpu,
        source: &'a Source<'a>,
        words: Words,
        format: Format,
        to: &mut [u8],
    ) -> Self {
        let panel = panel_bytes(format, source.k);
        assert!(to.len() >= source.n.div_ceil(NR) * panel, "room for panels");
        let dest =
            Dest { at: to.as_mut_ptr(), line: 64, slab: 1024, group: panel, by_vector: false };
        let groups_per_task = panels_per_task(cpu, source.n, panel);
        Self { cpu, source, words, dest, exact_k: format == Format::F32, groups_per_task }
    }

    pub(super) fn tasks(&self) -> usize {
        self.source.n.div_ceil(NR).div_ceil(self.groups_per_task)
    }

    /// Packs the panels of task `i`.
    ///
    /// # Safety
    /// Nobody else packs or reads them meanwhile.
    pub(super) unsafe fn task(&self, i: usize) {
        let first = i * self.groups_per_task;
        let end = (first + self.groups_per_task).min(self.source.n.div_ceil(NR));
        let (isa, exact_k) = (self.cpu.isa(), self.exact_k);
        // SAFETY: `new` checked the room; the groups are this task's alone.
        unsafe { pack_groups(isa, self.source, self.words, &self.dest, first..end, exact_k) }
    }
}

//! AMX micro-kernels for bf16: 32 rows x 32 columns in four tiles, or up to 16 rows x 64.
//!
//! A tile of A is 16 rows x 32 k, a tile of B one 32-k slab of a panel (16 k-pairs x 16 columns); both
//! are 1 KiB in one piece. `tdpbf16ps` sums even and odd k apart within its 32 k, so decoding uses it
//! too: with any other instruction a row alone would get other bits than in a batch. The loops are
//! `asm!` because the intrinsics are unstable; tiles 0-3 hold C, 4-5 A and 6-7 B (one row of tiles:
//! 4 A and 5-7 B). Intel SDM volume 2, TDPBF16PS; optimisation manual, chapter 20.
#![expect(unsafe_code, reason = "AMX instructions")]

use std::arch::asm;

use super::{
    NR,
    block::{Block, Micro},
};

/// bf16 tiles times bf16 panels.
pub(super) struct Tiles {
    /// Rows of the first and the second row of tiles, as configured.
    rows: (u8, u8),
}

/// Bytes of one tile.
const TILE: usize = 1024;
/// Slabs of k by which decoding prefetches.
const AHEAD: usize = 3;

/// What the assembly reads, in this order.
#[repr(C)]
struct Call {
    a: *const u8,
    a_stride: usize,
    b: *const u8,
    b_stride: usize,
    steps: usize,
    c: *mut f32,
    c_stride: usize,
    accumulate: usize,
    ahead: *const u8,
    /// `pair`: lines per step and panel; `single`: steps from the end at which `next` takes over.
    lines_or_tail: usize,
    next: *const u8,
}

/// The operand of LDTILECFG (Intel SDM volume 1, section 18.2).
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    col_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Micro for Tiles {
    const MR: usize = 32;
    const GROUP: usize = 16;
    const A_BYTES: usize = TILE / 32;
    const B_BYTES: usize = NR * 2;
    const KC: usize = 2048;
    const KC_INNER: usize = 256;

    fn panels(rows: usize) -> usize {
        if rows <= 16 { 4 } else { 2 }
    }

    fn new() -> Self {
        Self { rows: (0, 0) }
    }

    unsafe fn block(&mut self, t: &Block) {
        let mut p = 0;
        let n = t.cols.div_ceil(NR);
        while p < n {
            let wanted = if t.rows > 16 { 2 } else { 4 };
            // With two rows of tiles a single panel is done row by row; with one, in fours or ones.
            let panels = if n - p >= wanted { wanted } else { 1 };
            let step = if t.rows > 16 && panels == 1 { 16 } else { t.rows };
            for row in (0..t.rows).step_by(step) {
                // SAFETY: the caller's promise; the part lies inside the block.
                unsafe { self.part(t, row, step.min(t.rows - row), p, panels) }
            }
            p += panels;
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        if self.rows.0 > 0 {
            // SAFETY: AMX was used, so it is there; no tile holds anything needed.
            unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) }
        }
    }
}

impl Tiles {
    /// Computes `rows` rows from `row` on of `panels` panels from `p` on.
    ///
    /// # Safety
    /// As for [`Micro::block`], for the part.
    unsafe fn part(&mut self, t: &Block, row: usize, rows: usize, p: usize, panels: usize) {
        let cols = (t.cols - p * NR).min(panels * NR);
        // SAFETY: row < rows and p < panels of the block.
        unsafe {
            let mut call = Call {
                a: t.a.add(row / 16 * t.a_stride),
                a_stride: t.a_stride,
                b: t.b.add(p * t.b_stride),
                b_stride: t.b_stride,
                steps: t.k / 32,
                c: t.c.add(row * t.ldc + p * NR),
                c_stride: t.ldc * size_of::<f32>(),
                accumulate: usize::from(t.accumulate),
                ahead: t.next.wrapping_add(p * t.b_stride),
                lines_or_tail: t.next_lines,
                next: t.next.wrapping_add(p * t.b_stride),
            };
            if cols == panels * NR {
                self.call(&mut call, rows, panels);
            } else {
                self.call_edge(&mut call, rows, panels, cols);
            }
        }
    }

    /// Runs the kernel for `rows` rows and `panels` panels.
    ///
    /// # Safety
    /// As for [`Micro::block`].
    unsafe fn call(&mut self, call: &mut Call, rows: usize, panels: usize) {
        // SAFETY: the caller's promise; the tiles are shaped for the kernel that runs.
        unsafe {
            self.configure((rows.min(16) as u8, rows.saturating_sub(16) as u8));
            match (rows > 16, panels) {
                (true, _) => pair(call),
                (false, 4) => {
                    call.lines_or_tail = call.steps.min(AHEAD);
                    call.ahead = call.b.wrapping_add(call.lines_or_tail * TILE);
                    single(call);
                }
                (false, _) => one(call),
            }
        }
    }

    /// [`Self::call`] where the last panel sticks out of C: C goes through a buffer.
    ///
    /// # Safety
    /// As for [`Micro::block`]; C has `cols` columns here.
    #[cold]
    unsafe fn call_edge(&mut self, call: &mut Call, rows: usize, panels: usize, cols: usize) {
        let mut edge = [0.0_f32; 32 * 64];
        let (c, ldc) = (call.c, call.c_stride / size_of::<f32>());
        (call.c, call.c_stride) = (edge.as_mut_ptr(), 64 * size_of::<f32>());
        // SAFETY: `edge` holds 32 rows of 64; `cols` elements of each row belong to C.
        unsafe {
            for r in 0..rows {
                std::ptr::copy_nonoverlapping(c.add(r * ldc), call.c.add(r * 64), cols);
            }
            self.call(call, rows, panels);
            for r in 0..rows {
                std::ptr::copy_nonoverlapping(call.c.add(r * 64), c.add(r * ldc), cols);
            }
        }
    }

    /// Gives the tiles their shapes, when they do not have them.
    ///
    /// # Safety
    /// The process may use AMX.
    unsafe fn configure(&mut self, rows: (u8, u8)) {
        if self.rows == rows {
            return;
        }
        self.rows = rows;
        let (r0, r1) = rows;
        let shape = if r1 > 0 {
            [r0, r0, r1, r1, r0, r1, 16, 16]
        } else {
            [r0, r0, r0, r0, r0, 16, 16, 16]
        };
        let mut config = Config {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            col_bytes: [0; 16],
            rows: [0; 16],
        };
        for (i, rows) in shape.into_iter().enumerate() {
            config.rows[i] = rows;
            config.col_bytes[i] = 64;
        }
        // SAFETY: a valid configuration of palette 1; the caller promises AMX.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &config, options(nostack, readonly)) }
    }
}

/// Sixteen prefetches: one slab of 1 KiB at register `$from` plus offset `$at`.
macro_rules! slab {
    ($hint:literal, $from:literal, $at:literal) => {
        concat!(
            $hint,
            " [",
            $from,
            " + ",
            $at,
            " + 0]\n",
            $hint,
            " [",
            $from,
            " + ",
            $at,
            " + 64]\n",
            $hint,
            " [",
            $from,
            " + ",
            $at,
            " + 128]\n",
            $hint,
            " [",
            $from,
            " + ",
            $at,
            " + 192]\n",
            $hint,
            " [",
            $from,
            " + ",
            $at,
            " + 256]\n",
            $hint,
            " [",
            $from,
            " + ",
            $at,
            " + 320]\n",
            $hint,
            " [",
            $from,
            " + ",
            $at,
            " + 384]\n",
            $hint,
            " [",
            $from,
            " + ",
            $at,
            " + 448]\n",
            $hint,
            " [",
            $from,
            " + ",
            $at,
            " + 512]\n",
            $hint,
            " [",
            $from,
            " + ",
            $at,
            " + 576]\n",
            $hint,
            " [",
            $from,
            " + ",
            $at,
            " + 640]\n",
            $hint,
            " [",
            $from,
            " + ",
            $at,
            " + 704]\n",
            $hint,
            " [",
            $from,
            " + ",
            $at,
            " + 768]\n",
            $hint,
            " [",
            $from,
            " + ",
            $at,
            " + 832]\n",
            $hint,
            " [",
            $from,
            " + ",
            $at,
            " + 896]\n",
            $hint,
            " [",
            $from,
            " + ",
            $at,
            " + 960]\n",
        )
    };
}

/// Two rows of tiles by two panels.
///
/// # Safety
/// The tiles are configured for it and `call` is valid.
unsafe fn pair(call: &Call) {
    // SAFETY: reads and writes what `call` describes; every register used is declared.
    unsafe {
        asm!(
            "mov rsi, [rdi]",
            "mov r8, [rdi + 8]",
            "add r8, rsi", // second row of tiles of A
            "mov r9, [rdi + 16]",
            "mov r10, [rdi + 24]",
            "lea r11, [r9 + r10]", // second panel
            "mov rcx, [rdi + 32]",
            "mov rdx, [rdi + 40]",
            "mov rax, [rdi + 48]",
            "mov r12, rax",
            "shl r12, 4",
            "add r12, rdx", // row 16 of C
            "mov r13d, 64", // bytes between the rows of a tile
            "mov r14, [rdi + 64]",
            "cmp qword ptr [rdi + 56], 0",
            "jne 2f",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "jmp 3f",
            "2:",
            "tileloadd tmm0, [rdx + rax]",
            "tileloadd tmm1, [rdx + rax + 64]",
            "tileloadd tmm2, [r12 + rax]",
            "tileloadd tmm3, [r12 + rax + 64]",
            "3:",
            "tileloadd tmm6, [r9 + r13]",
            "tileloadd tmm4, [rsi + r13]",
            "tileloadd tmm7, [r11 + r13]",
            "tileloadd tmm5, [r8 + r13]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            // A comes from the second-level cache: two steps ahead.
            slab!("prefetcht0", "rsi", "2048"),
            slab!("prefetcht0", "r8", "2048"),
            "mov r15, [rdi + 72]",
            "test r15, r15",
            "jz 5f",
            "4:",
            "prefetcht1 [r14]",
            "prefetcht1 [r14 + r10]",
            "add r14, 64",
            "dec r15",
            "jnz 4b",
            "5:",
            "add rsi, 1024",
            "add r8, 1024",
            "add r9, 1024",
            "add r11, 1024",
            "dec rcx",
            "jnz 3b",
            "tilestored [rdx + rax], tmm0",
            "tilestored [rdx + rax + 64], tmm1",
            "tilestored [r12 + rax], tmm2",
            "tilestored [r12 + rax + 64], tmm3",
            in("rdi") call,
            out("rax") _, out("rcx") _, out("rdx") _, out("rsi") _,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack)
        );
    }
}

/// One row of tiles by one panel: what is left over.
///
/// # Safety
/// As for [`pair`].
unsafe fn one(call: &Call) {
    // SAFETY: as in `pair`.
    unsafe {
        asm!(
            "mov rsi, [rdi]",
            "mov r9, [rdi + 16]",
            "mov rcx, [rdi + 32]",
            "mov rdx, [rdi + 40]",
            "mov rax, [rdi + 48]",
            "mov r13d, 64",
            "cmp qword ptr [rdi + 56], 0",
            "jne 2f",
            "tilezero tmm0",
            "jmp 3f",
            "2:",
            "tileloadd tmm0, [rdx + rax]",
            "3:",
            "tileloadd tmm4, [rsi + r13]",
            "tileloadd tmm6, [r9 + r13]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "add rsi, 1024",
            "add r9, 1024",
            "dec rcx",
            "jnz 3b",
            "tilestored [rdx + rax], tmm0",
            in("rdi") call,
            out("rax") _, out("rcx") _, out("rdx") _, out("rsi") _, out("r9") _, out("r13") _,
            out("tmm0") _, out("tmm4") _, out("tmm6") _,
            options(nostack)
        );
    }
}

/// One row of tiles by four panels, streamed: decoding.
///
/// # Safety
/// As for [`pair`].
unsafe fn single(call: &Call) {
    // SAFETY: as in `pair`.
    unsafe {
        asm!(
            "mov rsi, [rdi]",
            "mov r9, [rdi + 16]",
            "mov r10, [rdi + 24]",
            "lea r11, [r9 + r10]",
            "lea r12, [r11 + r10]",
            "lea r14, [r12 + r10]",
            "mov rcx, [rdi + 32]",
            "mov rdx, [rdi + 40]",
            "mov rax, [rdi + 48]",
            "mov r13d, 64",
            "mov r15, [rdi + 64]",
            "cmp qword ptr [rdi + 56], 0",
            "jne 2f",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "jmp 3f",
            "2:",
            "tileloadd tmm0, [rdx + rax]",
            "tileloadd tmm1, [rdx + rax + 64]",
            "tileloadd tmm2, [rdx + rax + 128]",
            "tileloadd tmm3, [rdx + rax + 192]",
            "3:",
            "mov r8, [rdi + 72]",
            "lea rdx, [r10 + 2 * r10]",
            "mov rax, [rdi + 80]",
            "4:",
            "cmp rcx, r8",
            "cmove r15, rax", // the last steps fetch the next panels
            "tileloadd tmm4, [rsi + r13]",
            "tileloadd tmm5, [r9 + r13]",
            "tdpbf16ps tmm0, tmm4, tmm5",
            slab!("prefetcht0", "r15", "0"),
            "tileloadd tmm6, [r11 + r13]",
            "tdpbf16ps tmm1, tmm4, tmm6",
            slab!("prefetcht0", "r15", "r10"),
            "tileloadd tmm7, [r12 + r13]",
            "tdpbf16ps tmm2, tmm4, tmm7",
            slab!("prefetcht0", "r15", "2 * r10"),
            "tileloadd tmm5, [r14 + r13]",
            "tdpbf16ps tmm3, tmm4, tmm5",
            slab!("prefetcht0", "r15", "rdx"),
            "add rsi, 1024",
            "add r9, 1024",
            "add r11, 1024",
            "add r12, 1024",
            "add r14, 1024",
            "add r15, 1024",
            "dec rcx",
            "jnz 4b",
            "mov rdx, [rdi + 40]",
            "mov rax, [rdi + 48]",
            "tilestored [rdx + rax], tmm0",
            "tilestored [rdx + rax + 64], tmm1",
            "tilestored [rdx + rax + 128], tmm2",
            "tilestored [rdx + rax + 192], tmm3",
            in("rdi") call,
            out("rax") _, out("rcx") _, out("rdx") _, out("rsi") _,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack)
        );
    }
}

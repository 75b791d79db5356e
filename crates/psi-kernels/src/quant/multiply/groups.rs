//! Products of many rows: panels in groups, x in chunks of rows, with f32 sums that a kernel adds to.

use std::{cell::Cell, ops::Range};

use super::Task;
use crate::{AlignedBuf, quant::panels::ROWS};

/// Rows of x that share one expansion of a panel.
const CHUNK_ROWS: usize = 512;
/// Panels that share one pass over the rows of x: for each 256 k values, those of x stay in the L2
/// cache (128 KiB for 512 rows) together with the sums of this many panels (32 KiB each).
const GROUP: usize = 8;

/// Rows of the largest tile: a last one may compute rows that are not there.
const MAX_TILE_ROWS: usize = 16;

/// f32 sums of a group of panels for a chunk of rows: `[panel][row][16]`.
pub(super) struct Sums<'a> {
    values: &'a mut [[f32; ROWS]],
    n_rows: usize,
}

impl Sums<'_> {
    /// The rows of the group's `panel`-th panel.
    pub(super) fn panel(&mut self, panel: usize) -> &mut [[f32; ROWS]] {
        &mut self.values[panel * self.n_rows..(panel + 1) * self.n_rows]
    }
}

thread_local! {
    static SUMS: Cell<Option<AlignedBuf>> = const { Cell::new(None) };
}

/// Calls `multiply` for each group of panels and chunk of rows with sums to add to, and writes those
/// to y: for a group rather than a panel, because a row of y is elsewhere in memory for each row.
///
/// Inlined, so that the copies are compiled for the kernel's tier: a tenth of a product of 32 rows.
#[inline(always)]
pub(super) fn for_groups(
    task: &Task<'_>,
    mut multiply: impl FnMut(Range<usize>, Range<usize>, &mut Sums<'_>),
) {
    let bytes = GROUP * CHUNK_ROWS * ROWS * size_of::<f32>();
    let mut buf = SUMS.take().unwrap_or_else(|| AlignedBuf::zeroed(bytes));
    let sums = buf.f32s_mut().as_chunks_mut().0;
    for first_panel in task.panels.clone().step_by(GROUP) {
        let panels = first_panel..task.panels.end.min(first_panel + GROUP);
        for first in (0..task.x.m).step_by(CHUNK_ROWS) {
            let rows = first..task.x.m.min(first + CHUNK_ROWS);
            let n_rows = rows.len().next_multiple_of(MAX_TILE_ROWS);
            let mut sums = Sums { values: &mut sums[..panels.len() * n_rows], n_rows };
            sums.values.fill([0.0; ROWS]);
            multiply(panels.clone(), rows.clone(), &mut sums);
            for row in rows {
                let of_row = sums.values[row - first..].iter().step_by(n_rows);
                panels.clone().zip(of_row).for_each(|(panel, values)| task.put(row, panel, values));
            }
        }
    }
    SUMS.set(Some(buf));
}

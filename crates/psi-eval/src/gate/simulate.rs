//! How often the gate is right: simulated candidates of known quality, thousands of times.
//!
//! `psi gate simulate` prints the tables of `docs/gate.md`. A run is a stream of items on which the two
//! models differ with probability ψ; the candidate's true difference is Δ. Item `i` of run `r` is a
//! function of (seed, ψ, Δ, r, i), so the tables are the same on any machine.

use std::fmt::Write as _;

use psi_infer::rng;

use super::spending::alpha_of;
use crate::stats::{Bets, Paired, Rates, Verdict, normal_quantile};

/// Suite sizes of the table.
pub const SIZES: [usize; 5] = [50, 100, 200, 500, 1319];
/// Shares of items on which the models differ.
pub const DISCORDANCES: [f64; 2] = [0.1, 0.2];
/// True differences in units of the margin: at the margin, equal, and better.
pub const DIFFERENCES: [f64; 3] = [-1.0, 0.0, 0.6];
/// Candidates in a row in the table of many candidates.
const CANDIDATES: u64 = 20;

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Simulated gates per cell.
    pub runs: u64,
    /// Seed of the streams.
    pub seed: u64,
    /// The gate.
    pub rates: Rates,
}

impl Default for Options {
    fn default() -> Self {
        Self { runs: 2000, seed: 0, rates: Rates { alpha: 0.05, beta: 0.05, margin: 0.05 } }
    }
}

/// What became of the runs of one cell; all but `items` are shares of the runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Cell {
    /// Share of items on which the models differ.
    pub discordance: f64,
    /// True difference.
    pub difference: f64,
    /// Items of the suite.
    pub n: usize,
    /// Promoted by the betting test, looked at after every item.
    pub promoted: f64,
    /// Blocked by it.
    pub blocked: f64,
    /// Mean number of items it took.
    pub items: f64,
    /// Promoted by Tango's test after all items.
    pub tango: f64,
    /// Blocked by McNemar's test after all items.
    pub mcnemar: f64,
}

/// The differences between candidate and incumbent, item by item.
struct Stream {
    key: u64,
    p_win: f64,
    p_loss: f64,
}

impl Stream {
    fn new(seed: u64, discordance: f64, difference: f64, run: u64) -> Self {
        let cell = rng::mix(seed ^ discordance.to_bits()) ^ difference.to_bits();
        Self {
            key: rng::mix(rng::mix(cell) ^ run),
            p_win: 0.5 * (discordance + difference),
            p_loss: 0.5 * (discordance - difference),
        }
    }

    fn item(&self, i: usize) -> f64 {
        let u = rng::uniform(self.key, i as u64);
        if u < self.p_win {
            1.0
        } else if u < self.p_win + self.p_loss {
            -1.0
        } else {
            0.0
        }
    }
}

/// The cells of one discordance and difference, for every suite size: a smaller suite is the beginning
/// of a larger one.
pub fn cells(options: &Options, discordance: f64, difference: f64, sizes: &[usize]) -> Vec<Cell> {
    let mut cells: Vec<Cell> =
        sizes.iter().map(|&n| Cell { discordance, difference, n, ..Cell::default() }).collect();
    let share = 1.0 / options.runs as f64;
    let z = normal_quantile(1.0 - options.rates.alpha);
    for run in 0..options.runs {
        let stream = Stream::new(options.seed, discordance, difference, run);
        let mut bets = Bets::new(options.rates);
        let mut counts = Paired::default();
        for cell in &mut cells {
            while counts.n < cell.n {
                let d = stream.item(counts.n);
                counts.n += 1;
                counts.wins += usize::from(d > 0.0);
                counts.losses += usize::from(d < 0.0);
                if bets.stopped().is_none() {
                    bets.push(d);
                }
            }
            let verdict = bets.verdict();
            cell.promoted += share * f64::from(verdict == Verdict::Promote);
            cell.blocked += share * f64::from(verdict == Verdict::Block);
            cell.items += share * bets.n_items() as f64;
            cell.tango += share * f64::from(counts.tango(options.rates.margin) >= z);
            cell.mcnemar += share * f64::from(counts.mcnemar_worse() <= options.rates.beta);
        }
    }
    cells
}

/// Share of the runs in which any of `n_candidates` in a row, each worse by the margin, is promoted:
/// with the whole α for each, and with α spent over them.
pub fn any_of_many(options: &Options, n_candidates: u64, n: usize) -> (f64, f64) {
    let any = |spend: bool| {
        let fooled = (0..options.runs).filter(|&run| {
            (0..n_candidates).any(|j| {
                let alpha = options.rates.alpha;
                let alpha = if spend { alpha_of(alpha, j + 1) } else { alpha };
                let mut bets = Bets::new(Rates { alpha, ..options.rates });
                let margin = options.rates.margin;
                let stream = Stream::new(options.seed, 0.1, -margin, run * n_candidates + j);
                (0..n).any(|i| bets.push(stream.item(i)) != Verdict::Hold)
                    && bets.verdict() == Verdict::Promote
            })
        });
        fooled.count() as f64 / options.runs as f64
    };
    (any(false), any(true))
}

/// Every cell of the table, row by row: discordance, then size, with a cell per difference.
pub fn rows(options: &Options, on_progress: &mut dyn FnMut(usize, usize)) -> Vec<[Cell; 3]> {
    let total = DISCORDANCES.len() * DIFFERENCES.len();
    let mut done = 0;
    let mut rows = Vec::new();
    for discordance in DISCORDANCES {
        let columns = DIFFERENCES.map(|d| {
            let cells = cells(options, discordance, d * options.rates.margin, &SIZES);
            done += 1;
            on_progress(done, total);
            cells
        });
        rows.extend((0..SIZES.len()).map(|i| [columns[0][i], columns[1][i], columns[2][i]]));
    }
    rows
}

/// The table as Markdown, one line per row.
pub fn table(options: &Options, rows: &[[Cell; 3]]) -> String {
    let points = |d: f64| format!("{:+.0}", 100.0 * d * options.rates.margin).replace("+0", "0");
    let differences = DIFFERENCES.map(points).join(" / ");
    let worst = points(DIFFERENCES[0]);
    let mut text = format!(
        "| ψ | N | betting promotes at Δ = {differences} | blocks at {worst} | mean items, same Δ | \
         Tango promotes, same Δ | McNemar blocks at {worst} / 0 |\n|--:|--:|---|--:|---|---|---|\n"
    );
    for row in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", line(row));
    }
    text
}

/// One row of the table.
pub fn line(row: &[Cell; 3]) -> String {
    let percent = |get: fn(&Cell) -> f64| {
        row.iter().map(|c| format!("{:.1}", 100.0 * get(c))).collect::<Vec<_>>().join(" / ")
    };
    let items = row.map(|c| format!("{:.0}", c.items)).join(" / ");
    format!(
        "| {} | {} | {} | {:.1} | {items} | {} | {:.1} / {:.1} |",
        row[0].discordance,
        row[0].n,
        percent(|c| c.promoted),
        100.0 * row[0].blocked,
        percent(|c| c.tango),
        100.0 * row[0].mcnemar,
        100.0 * row[1].mcnemar,
    )
}

/// The page `docs/gate.md`.
pub fn page(options: &Options, on_progress: &mut dyn FnMut(usize, usize)) -> String {
    let rows = rows(options, on_progress);
    let (whole, spent) = any_of_many(options, CANDIDATES, 200);
    let Rates { alpha, beta, margin } = options.rates;
    format!(
        "# How often the gate is right\n\n\
         Generated by `psi gate simulate --runs {runs} --markdown > docs/gate.md`; do not edit.\n\n\
         {runs} simulated gates per cell, seed {seed}: α = {alpha}, β = {beta}, margin {points} points. \
         ψ is the share of items on which the two models differ, Δ the candidate's true difference in \
         points, N the size of the suite. The betting test is looked at after every item and stops at its \
         first decision; the other two are made once, after all items. Shares in percent.\n\n\
         A candidate that is worse by the margin (Δ = {worst:.0}) may be promoted in at most {percent} % of gates.\n\n\
         {table}\n\
         {CANDIDATES} candidates in a row, each worse by the margin, N = 200, ψ = 0.1: some candidate is promoted in \
         {whole:.1} % of the series when each has the whole α, and in {spent:.1} % when α is spent over them \
         (α_j = 6 α / (π² j²)), which is what the gate does.\n",
        runs = options.runs,
        seed = options.seed,
        points = 100.0 * margin,
        worst = -100.0 * margin,
        percent = 100.0 * alpha,
        table = table(options, &rows),
        whole = 100.0 * whole,
        spent = 100.0 * spent,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Promoted and blocked by the betting test within `n` items, exactly: the money depends only on how
    /// many items were won and lost.
    fn exact(discordance: f64, difference: f64, n: usize) -> (f64, f64) {
        let rates = Options::default().rates;
        let (win, loss) = (0.5 * (discordance + difference), 0.5 * (discordance - difference));
        // Probability of being undecided with so many wins and losses.
        let mut alive = std::collections::BTreeMap::from([((0_usize, 0_usize), 1.0)]);
        let (mut promoted, mut blocked) = (0.0, 0.0);
        for done in 1..=n {
            let mut next = std::collections::BTreeMap::new();
            for (&(w, l), &p) in &alive {
                *next.entry((w + 1, l)).or_insert(0.0) += p * win;
                *next.entry((w, l + 1)).or_insert(0.0) += p * loss;
                *next.entry((w, l)).or_insert(0.0) += p * (1.0 - win - loss);
            }
            next.retain(|&(w, l), p| {
                let mut bets = Bets::new(rates);
                (0..w).for_each(|_| _ = bets.push(1.0));
                (0..l).for_each(|_| _ = bets.push(-1.0));
                (w + l..done).for_each(|_| _ = bets.push(0.0));
                let (k, against) = (bets.evidence_for(), bets.evidence_against());
                if against >= 1.0 / rates.beta {
                    blocked += *p;
                } else if k >= 1.0 / rates.alpha {
                    promoted += *p;
                } else {
                    return *p > 1e-9;
                }
                false
            });
            alive = next;
        }
        (promoted, blocked)
    }

    #[test]
    fn simulated_shares_are_the_exact_probabilities() {
        let options = Options::default();
        for difference in [-0.05, 0.0, 0.03] {
            let cell = cells(&options, 0.1, difference, &[50])[0];
            let (promoted, blocked) = exact(0.1, difference, 50);
            // Four standard errors of 2,000 runs.
            let near =
                |got: f64, p: f64| (got - p).abs() <= 4.0 * (p * (1.0 - p) / 2000.0).sqrt() + 1e-6;
            assert!(near(cell.promoted, promoted), "{cell:?}: {promoted}");
            assert!(near(cell.blocked, blocked), "{cell:?}: {blocked}");
        }
    }

    #[test]
    fn the_committed_table_is_what_the_command_prints() {
        let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let page = std::fs::read_to_string(here.join("../../docs/gate.md")).unwrap();
        let runs = page.split_once("--runs ").unwrap().1.split(' ').next().unwrap();
        let options = Options { runs: runs.parse().unwrap(), ..Options::default() };
        let row = DIFFERENCES
            .map(|d| cells(&options, DISCORDANCES[0], d * options.rates.margin, &SIZES[..1])[0]);
        let line = line(&row);
        assert!(page.contains(&line), "not in docs/gate.md: {line}");
    }

    #[test]
    fn a_worse_candidate_is_rarely_promoted_however_often_one_looks() {
        // Every look is one more chance; 5 % plus three standard errors of 2,000 runs.
        for discordance in DISCORDANCES {
            for cell in cells(&Options::default(), discordance, -0.05, &[50, 200, 500]) {
                assert!(
                    cell.promoted <= 0.05 + 3.0 * (0.05 * 0.95 / 2000.0_f64).sqrt(),
                    "{cell:?}"
                );
            }
        }
    }
}

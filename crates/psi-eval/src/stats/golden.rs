//! The statistics against scipy, statsmodels and exact fractions (`golden/intervals.py`).

use serde_json::Value;

use super::{Bets, Mean, Paired, Rates, Share, normal_quantile, t_quantile};

fn document() -> Value {
    let path = psi_testkit::golden_dir().join("intervals.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn rows<'a>(document: &'a Value, key: &str) -> &'a [Value] {
    document[key].as_array().unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn count(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

#[track_caller]
fn close(what: &str, got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance * want.abs().max(1e-3), "{what}: {got} for {want}");
}

#[test]
fn quantiles_of_the_normal_distribution() {
    for row in rows(&document(), "normal") {
        let row = numbers(row);
        close("quantile", normal_quantile(row[0]), row[1], 1e-9);
    }
}

#[test]
fn intervals_of_shares() {
    for row in rows(&document(), "shares") {
        let share = Share { right: count(&row["right"]), total: count(&row["total"]) };
        let check = |what: &str, got: (f64, f64)| {
            let want = numbers(&row[what]);
            close(&format!("{what} of {share:?}, low"), got.0, want[0], 1e-8);
            close(&format!("{what} of {share:?}, high"), got.1, want[1], 1e-8);
        };
        check("wilson", share.wilson());
        for level in [0.9, 0.95, 0.99] {
            check(&format!("jeffreys_{level}"), share.jeffreys(level));
            check(&format!("clopper_pearson_{level}"), share.clopper_pearson(level));
        }
    }
}

#[test]
fn paired_tests() {
    let document = document();
    let margins = numbers(&document["margins"]);
    for row in rows(&document, "pairs") {
        let [n, wins, losses] = ["n", "wins", "losses"].map(|key| count(&row[key]));
        let paired = Paired { n, wins, losses };
        close("two-sided", paired.mcnemar(), number(&row["mcnemar"]), 1e-9);
        // Relative, however small: 2.9e-45 is not 0.
        let ratio = paired.mcnemar() / number(&row["mcnemar"]);
        assert!((ratio - 1.0).abs() < 1e-9, "{paired:?}: off by a factor of {ratio}");
        close("one-sided", paired.mcnemar_worse(), number(&row["mcnemar_worse"]), 1e-9);
        for (&margin, want) in margins.iter().zip(row["tango"].as_array().unwrap()) {
            let Some(want) = want.as_f64() else { continue };
            // The reference maximises numerically.
            close(&format!("{paired:?} at {margin}"), paired.tango(margin), want, 1e-5);
        }
    }
}

#[test]
fn clustered_errors() {
    for row in rows(&document(), "means") {
        let scores = numbers(&row["scores"]);
        let clusters: Vec<u64> =
            row["clusters"].as_array().unwrap().iter().map(|c| c.as_u64().unwrap()).collect();
        let clustered = Mean::clustered(&scores, &clusters);
        close("mean", clustered.value, number(&row["value"]), 1e-12);
        close("clustered error", clustered.se, number(&row["clustered_se"]), 1e-9);
        close("error", Mean::of(&scores).se, number(&row["se"]), 1e-9);
        let t = t_quantile(0.975, (clustered.n_clusters - 1) as f64);
        close("t", t, number(&row["t"]), 1e-7);
        let (low, high) = clustered.interval(0.95);
        close("width", high - low, 2.0 * t * clustered.se, 1e-9);
    }
}

#[test]
fn money_in_exact_fractions() {
    for row in rows(&document(), "money") {
        let rates = Rates { alpha: 0.05, beta: 0.05, margin: number(&row["margin"]) };
        let mut bets = Bets::new(rates);
        for d in numbers(&row["stream"]) {
            bets.push(d);
        }
        close("for it", bets.evidence_for(), number(&row["k"]), 1e-11);
        close("against", bets.evidence_against(), number(&row["l"]), 1e-11);
    }
}

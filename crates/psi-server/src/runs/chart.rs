//! Line charts as SVG, drawn here: they need no script, and a test can read them.

use maud::{Markup, html};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 24.0;
/// Points drawn per line: about one per pixel of a small chart.
const MAX_POINTS: usize = 320;

/// A chart of one quantity over steps, perhaps with a second line and single points.
#[derive(Debug, Default)]
pub(crate) struct Chart<'a> {
    pub(crate) title: &'a str,
    /// Raw values, drawn faintly under their running mean.
    pub(crate) noisy: Vec<(f64, f64)>,
    /// Values drawn as they are.
    pub(crate) line: Vec<(f64, f64)>,
    /// A second line in another colour.
    pub(crate) second: Vec<(f64, f64)>,
    /// What the lines are, where there are several.
    pub(crate) legend: &'a str,
    /// Where the horizontal axis ends; 0: at the last point.
    pub(crate) steps: f64,
    /// Whether the vertical axis begins at 0.
    pub(crate) from_zero: bool,
    /// Values are shares: shown as percentages.
    pub(crate) percent: bool,
}

impl Chart<'_> {
    /// The chart, or nothing where there are no values.
    pub(crate) fn render(&self) -> Markup {
        let smooth = running_mean(&self.noisy);
        let main = if self.line.is_empty() { &smooth } else { &self.line };
        let all = || self.noisy.iter().chain(&self.line).chain(&self.second);
        if all().next().is_none() {
            return html! {};
        }
        let x_end = all().map(|p| p.0).fold(self.steps, f64::max).max(1.0);
        // The faint line may leave the chart; the others may not.
        let shown = || smooth.iter().chain(&self.line).chain(&self.second).map(|p| p.1);
        let high = shown().fold(f64::NEG_INFINITY, f64::max);
        let low = if self.from_zero { 0.0 } else { shown().fold(f64::INFINITY, f64::min) };
        let ticks = ticks(low, high);
        let (y0, y1) = (ticks[0], ticks[ticks.len() - 1]);
        let x = |step: f64| LEFT + step / x_end * (WIDTH - LEFT - RIGHT);
        let y = |v: f64| {
            let share = ((v - y0) / (y1 - y0)).clamp(0.0, 1.0);
            HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
        };
        let path = |points: &[(f64, f64)]| {
            let points = thin(points);
            let pairs = points.iter().map(|&(s, v)| format!("{:.1},{:.1}", x(s), y(v)));
            pairs.collect::<Vec<_>>().join(" ")
        };
        let points: Vec<_> = thin(main)
            .iter()
            .map(|&(s, v)| {
                ((x(s) * 10.0).round() / 10.0, format!("step {s:.0}: {}", self.value(v)))
            })
            .collect();
        let points = serde_json::to_string(&points).unwrap_or_default();
        let last = main.last().map_or(String::new(), |&(_, v)| self.value(v));
        let label = format!("{} over {x_end:.0} steps, now {last}", self.title);
        html! {
            figure.chart {
                h2 { (self.title) }
                @if !self.legend.is_empty() { span.soft { " " (self.legend) } }
                span.readout { (last) }
                svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(label) data-points=(points) {
                    @for &tick in &ticks {
                        line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(y(tick)) y2=(y(tick)) {}
                        text.axis x=(LEFT - 6.0) y=(y(tick) + 4.0) text-anchor="end" { (self.value(tick)) }
                    }
                    @for i in 0..=4 {
                        @let step = x_end * f64::from(i) / 4.0;
                        @let anchor = match i { 0 => "start", 4 => "end", _ => "middle" };
                        text.axis x=(x(step)) y=(HEIGHT - 6.0) text-anchor=(anchor) { (format!("{step:.0}")) }
                    }
                    @if !self.noisy.is_empty() { polyline.series.faint points=(path(&self.noisy)) {} }
                    polyline.series points=(path(main)) {}
                    @if main.len() == 1 { circle.dot cx=(x(main[0].0)) cy=(y(main[0].1)) r="3" {} }
                    @if !self.second.is_empty() { polyline.series.second points=(path(&self.second)) {} }
                    line.mark x1="0" x2="0" y1=(TOP) y2=(HEIGHT - BOTTOM) {}
                }
            }
        }
    }

    fn value(&self, v: f64) -> String {
        if self.percent { format!("{:.0} %", v * 100.0) } else { number(v) }
    }
}

/// A number with about four significant digits.
pub(crate) fn number(v: f64) -> String {
    match v.abs() {
        0.0 => "0".to_owned(),
        a if a >= 10_000.0 => format!("{:.0} k", v / 1000.0),
        a if a >= 100.0 => format!("{v:.0}"),
        a if a >= 10.0 => format!("{v:.1}"),
        a if a >= 0.01 => trim(format!("{v:.3}")),
        _ => format!("{v:.1e}"),
    }
}

fn trim(text: String) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// Three to seven round values that enclose `low..=high`.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let span = (high - low).max(high.abs() * 1e-3).max(1e-9);
    let raw = span / 4.0;
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|&s| s >= raw);
    let step = step.unwrap_or(10.0 * power);
    let (first, mut last) = ((low / step).floor() as i64, (high / step).ceil() as i64);
    if last <= first {
        last = first + 1;
    }
    (first..=last).map(|i| i as f64 * step).collect()
}

/// At most [`MAX_POINTS`] points: means of equal runs of neighbours.
fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let n = points.len().div_ceil(MAX_POINTS).max(1);
    let mean = |c: &[(f64, f64)]| {
        let n = c.len() as f64;
        (c[c.len() - 1].0, c.iter().map(|p| p.1).sum::<f64>() / n)
    };
    points.chunks(n).map(mean).collect()
}

/// Exponential running mean over a fiftieth of the points, free of the start's bias.
fn running_mean(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let keep = 1.0 - 1.0 / (points.len() as f64 / 50.0).max(1.0);
    let (mut sum, mut weight) = (0.0, 0.0);
    let mean = points.iter().map(|&(step, v)| {
        (sum, weight) = (keep * sum + (1.0 - keep) * v, keep * weight + (1.0 - keep));
        (step, sum / weight)
    });
    mean.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_enclose_the_values() {
        assert_eq!(ticks(0.0, 1.0), [0.0, 0.5, 1.0]);
        assert_eq!(ticks(2.1, 8.7), [2.0, 4.0, 6.0, 8.0, 10.0]);
        for (low, high) in [(3.0, 3.0), (0.0, 0.0), (-5.0, 1e6), (1e-9, 2e-9)] {
            let t = ticks(low, high);
            assert!(t.len() >= 2 && t[0] <= low && t[t.len() - 1] >= high, "{low} {high}: {t:?}");
        }
    }

    #[test]
    fn a_long_series_is_thinned_to_means() {
        let points: Vec<_> = (0..10_000).map(|i| (f64::from(i), f64::from(i % 2))).collect();
        let thin = thin(&points);
        assert!(thin.len() <= MAX_POINTS);
        assert!(thin.iter().all(|p| (p.1 - 0.5).abs() < 0.05));
        assert_eq!(thin[thin.len() - 1].0, 9_999.0);
    }

    #[test]
    fn the_running_mean_starts_at_the_first_value() {
        let mean = running_mean(&[(1.0, 4.0), (2.0, 4.0), (3.0, 4.0)]);
        assert!(mean.iter().all(|p| (p.1 - 4.0).abs() < 1e-12));
    }

    #[test]
    fn a_chart_names_its_newest_value_for_screen_readers() {
        let chart = Chart { title: "loss", line: vec![(1.0, 3.0), (2.0, 2.5)], ..Chart::default() };
        let text = chart.render().into_string();
        assert!(text.contains("aria-label=\"loss over 2 steps, now 2.5\""), "{text}");
        assert!(Chart { title: "empty", ..Chart::default() }.render().into_string().is_empty());
    }
}

//! Plots as SVG: intervals of several things over one axis, money at the gate, accuracy against tokens.

use maud::{Markup, html};

use crate::votes::Point;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 210.0;
const RIGHT: f64 = 28.0;
const ROW: f64 = 22.0;
const AXIS: f64 = 26.0;

/// A value with its interval.
pub(super) struct Interval<'a> {
    pub(super) name: &'a str,
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// One line per interval over a common axis from `from` to `to`; a mark stands at `mark`.
pub(super) fn intervals(
    rows: &[Interval<'_>],
    (from, to): (f64, f64),
    mark: Option<f64>,
    show: fn(f64) -> String,
) -> Markup {
    let height = ROW * rows.len() as f64 + AXIS;
    let x = |v: f64| LEFT + ((v - from) / (to - from)).clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT);
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label="intervals" {
            @for i in 0..=4 {
                @let v = from + (to - from) * f64::from(i) / 4.0;
                line.grid x1=(x(v)) x2=(x(v)) y1="0" y2=(height - AXIS + 4.0) {}
                text.axis x=(x(v)) y=(height - 6.0) text-anchor="middle" { (show(v)) }
            }
            @if let Some(mark) = mark {
                line.mark x1=(x(mark)) x2=(x(mark)) y1="0" y2=(height - AXIS + 4.0) {}
            }
            @for (i, row) in rows.iter().enumerate() {
                @let y = ROW * (i as f64 + 0.5);
                text.name x=(LEFT - 10.0) y=(y + 4.0) text-anchor="end" { (row.name) }
                line.interval x1=(x(row.low)) x2=(x(row.high)) y1=(y) y2=(y) {}
                circle.value cx=(x(row.value)) cy=(y) r="4" {
                    title { (row.name) ": " (show(row.value)) " (" (show(row.low)) " to " (show(row.high)) ")" }
                }
            }
        }
    }
}

/// How the money of both bets grew over the items, on a logarithmic axis, with the lines it had to cross.
pub(super) fn money(trace: &[(usize, f64, f64)], promotes: f64, blocks: f64) -> Markup {
    const HEIGHT: f64 = 200.0;
    const LEFT: f64 = 60.0;
    let last = trace.last().map_or(1, |t| t.0) as f64;
    let values = || trace.iter().flat_map(|t| [t.1, t.2]).chain([0.0, promotes, blocks]);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    let (low, high) = (low.max(-4.0) - 0.2, high + 0.2);
    let x = |n: f64| LEFT + n / last * (WIDTH - LEFT - RIGHT);
    let y =
        |v: f64| HEIGHT - AXIS - ((v - low) / (high - low)).clamp(0.0, 1.0) * (HEIGHT - AXIS - 6.0);
    let path = |get: fn(&(usize, f64, f64)) -> f64| {
        let points = trace.iter().map(|t| format!("{:.1},{:.1}", x(t.0 as f64), y(get(t))));
        let start = format!("{:.1},{:.1}", x(0.0), y(0.0));
        std::iter::once(start).chain(points).collect::<Vec<_>>().join(" ")
    };
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label="evidence over items" {
            @for exponent in low.ceil() as i32..=high.floor() as i32 {
                @let at = y(f64::from(exponent));
                line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(at) y2=(at) {}
                text.axis x=(LEFT - 8.0) y=(at + 4.0) text-anchor="end" { "10" tspan dy="-5" font-size="8" { (exponent) } }
            }
            line.mark x1=(LEFT) x2=(WIDTH - RIGHT) y1=(y(promotes)) y2=(y(promotes)) { title { "promotes from here on" } }
            line.mark.blocks x1=(LEFT) x2=(WIDTH - RIGHT) y1=(y(blocks)) y2=(y(blocks)) { title { "rejects from here on" } }
            polyline.for points=(path(|t| t.1)) {}
            polyline.against points=(path(|t| t.2)) {}
            text.axis x=(WIDTH - RIGHT) y=(HEIGHT - 6.0) text-anchor="end" { (last) " items" }
        }
    }
}

/// Accuracy over a logarithmic axis of tokens: a majority's and a verifier's.
pub(super) fn curves(points: &[Point]) -> Markup {
    const HEIGHT: f64 = 260.0;
    const LEFT: f64 = 46.0;
    let log = |p: &Point| p.tokens.max(1.0).log2();
    let (first, last) = (points.first().map_or(0.0, log), points.last().map_or(1.0, log));
    let x = |p: &Point| LEFT + (log(p) - first) / (last - first).max(1e-9) * (WIDTH - LEFT - RIGHT);
    let y = |share: f64| 10.0 + (1.0 - share) * (HEIGHT - AXIS - 10.0);
    let line = |of: fn(&Point) -> f64| -> String {
        let at = |p: &Point| format!("{:.1},{:.1}", x(p), y(of(p)));
        points.iter().map(at).collect::<Vec<_>>().join(" ")
    };
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label="accuracy against tokens" {
            @for i in 0..=4 {
                @let share = f64::from(i) / 4.0;
                line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(y(share)) y2=(y(share)) {}
                text.axis x=(LEFT - 6.0) y=(y(share) + 4.0) text-anchor="end" { (format!("{:.0} %", 100.0 * share)) }
            }
            @for p in points { text.axis x=(x(p)) y=(HEIGHT - 6.0) text-anchor="middle" { (format!("{:.0}", p.tokens)) } }
            polyline.verifier points=(line(|p| p.verifier)) {}
            polyline.majority points=(line(|p| p.majority)) {}
        }
    }
}

//! A load's levels as a picture: throughput, time to the first token, time between tokens.

use std::fmt::Write;

use super::report::{Level, Report};

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 180.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 34.0;

/// One line of a panel: its name, its colour, its value at each level.
type Line<'a> = (&'a str, &'a str, &'a dyn Fn(&Level) -> f64);

/// The report as an SVG document.
pub(super) fn svg(report: &Report) -> String {
    let (width, height) = (3.0 * (WIDTH + LEFT) + 20.0, HEIGHT + TOP + 50.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let panels: [(&str, &[Line<'_>]); 3] = [
        ("output, tokens per second", &[("all clients", "#0b6e99", &|l| l.output_per_s)]),
        (
            "first token, ms",
            &[
                ("p50", "#0b6e99", &|l| l.first.p50 * 1e3),
                ("p99", "#c2410c", &|l| l.first.p99 * 1e3),
            ],
        ),
        (
            "between tokens, ms",
            &[("p50", "#0b6e99", &|l| l.gap.p50 * 1e3), ("p99", "#c2410c", &|l| l.gap.p99 * 1e3)],
        ),
    ];
    for (i, (title, lines)) in panels.iter().enumerate() {
        let x0 = LEFT + i as f64 * (WIDTH + LEFT);
        panel(&mut svg, x0, title, &report.levels, lines);
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, x0: f64, title: &str, levels: &[Level], lines: &[Line<'_>]) {
    let values = lines.iter().flat_map(|(_, _, value)| levels.iter().map(value));
    let top = round_up(values.fold(0.0, f64::max));
    let x = |i: usize| x0 + WIDTH * (i as f64 + 0.5) / levels.len().max(1) as f64;
    let y = |value: f64| TOP + HEIGHT * (1.0 - value / top);
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "<text x=\"{x0}\" y=\"16\" font-weight=\"600\">{title}</text>");
    for tick in 0..=4 {
        let value = top * f64::from(tick) / 4.0;
        let (at, end) = (y(value), x0 + WIDTH);
        let label = x0 - 6.0;
        let _ = writeln!(
            svg,
            "<line x1=\"{x0}\" y1=\"{at:.1}\" x2=\"{end}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{label}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
            at + 4.0
        );
    }
    for (i, level) in levels.iter().enumerate() {
        let (at, below) = (x(i), TOP + HEIGHT + 16.0);
        let name = &level.name;
        let _ =
            writeln!(svg, "<text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{name}</text>");
    }
    for (i, (name, colour, value)) in lines.iter().enumerate() {
        let points: Vec<(f64, f64)> =
            levels.iter().enumerate().map(|(i, level)| (x(i), y(value(level)))).collect();
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        );
        for (x, y) in points {
            let _ =
                writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
        }
        let (at, below) = (x0 + 90.0 * i as f64, TOP + HEIGHT + 36.0);
        let _ = writeln!(svg, "<text x=\"{at}\" y=\"{below}\" fill=\"{colour}\">{name}</text>");
    }
}

/// The next of 1, 2, 4, 5, 8, 10 times a power of ten.
fn round_up(x: f64) -> f64 {
    let power = 10f64.powf(x.max(1e-9).log10().floor());
    let steps = [1.0, 2.0, 4.0, 5.0, 8.0, 10.0];
    steps.iter().map(|s| s * power).find(|&top| top >= x).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (x, top) in [(97.0, 100.0), (187.0, 200.0), (0.31, 0.4), (1.0, 1.0), (4100.0, 5000.0)] {
            assert!((round_up(x) - top).abs() < 1e-9 * top, "{x}: {}", round_up(x));
        }
        assert!(round_up(0.0) > 0.0);
    }
}

//! The samples as panels, one above the other, over one axis of time.

use std::fmt::Write as _;

use super::sample::{COLUMNS, Sample, number};

const WIDTH: f64 = 880.0;
const PANEL: f64 = 130.0;
const LEFT: f64 = 20.0;

pub(super) fn draw(samples: &[Sample]) -> String {
    let height = PANEL * number(u64::try_from(COLUMNS.len()).unwrap_or(0)) + 30.0;
    let end = samples.last().map_or(1.0, |sample| sample.at).max(1.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    let mut top = 10.0;
    for (name, of) in COLUMNS {
        let most = samples.iter().map(of).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
        let points: Vec<_> = samples
            .iter()
            .map(|sample| {
                let across = LEFT + sample.at / end * (WIDTH - LEFT * 2.0);
                let down = top + 20.0 + (1.0 - of(sample) / most) * (PANEL - 40.0);
                format!("{across:.1},{down:.1}")
            })
            .collect();
        let base = top + PANEL - 20.0;
        // Into a string nothing fails.
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{:.0}\">{name}, at most {most:.1}</text>\n<line x1=\"{LEFT}\" x2=\"{}\" \
             y1=\"{base}\" y2=\"{base}\" stroke=\"#999\"/>\n<polyline fill=\"none\" stroke=\"#0a58ca\" \
             points=\"{}\"/>",
            top + 14.0,
            WIDTH - LEFT,
            points.join(" ")
        );
        top += PANEL;
    }
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{:.0}\">0 to {end:.0} seconds; a fall of memory is a kill</text>\n</svg>",
        top + 10.0
    );
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_its_panel() {
        let svg = draw(&[]);
        assert_eq!(svg.matches("<polyline").count(), COLUMNS.len());
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    }
}

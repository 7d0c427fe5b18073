//! Lines over a common axis, as an SVG file.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::{
    backend::SVGBackend,
    chart::{ChartBuilder, SeriesLabelPosition},
    drawing::IntoDrawingArea,
    element::PathElement,
    series::LineSeries,
    style::{Color, Palette, Palette99, WHITE},
};

/// One line of a plot.
#[derive(Debug)]
pub(super) struct Line {
    /// What the legend calls it.
    pub(super) name: String,
    /// Its points, from left to right.
    pub(super) points: Vec<(f64, f64)>,
}

pub(super) fn draw(file: &Path, title: &str, across: &str, up: &str, lines: &[Line]) -> Result<()> {
    let largest =
        |of: fn(&(f64, f64)) -> f64| lines.iter().flat_map(|line| &line.points).map(of).fold(1.0, f64::max);
    let (right, top) = (largest(|point| point.0), largest(|point| point.1) * 1.05);
    let area = SVGBackend::new(file, (880, 480)).into_drawing_area();
    let failed = |error: &dyn std::fmt::Display| anyhow!("draw {}: {error}", file.display());
    area.fill(&WHITE).map_err(|error| failed(&error))?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 20))
        .margin(16)
        .x_label_area_size(40)
        .y_label_area_size(72)
        .build_cartesian_2d(0.0..right, 0.0..top)
        .map_err(|error| failed(&error))?;
    chart
        .configure_mesh()
        .x_desc(across)
        .y_desc(up)
        .x_label_formatter(&|figure| short(*figure))
        .y_label_formatter(&|figure| short(*figure))
        .draw()
        .map_err(|error| failed(&error))?;
    for (number, line) in lines.iter().enumerate() {
        let style = Palette99::pick(number).stroke_width(2);
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), style))
            .map_err(|error| failed(&error))?
            .label(&line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .draw()
        .map_err(|error| failed(&error))?;
    area.present().map_err(|error| failed(&error))
}

/// 1200000 as 1.2M.
fn short(figure: f64) -> String {
    let (figure, unit) = match figure {
        large if large >= 1e6 => (large / 1e6, "M"),
        large if large >= 1e3 => (large / 1e3, "k"),
        small => (small, ""),
    };
    let text = format!("{figure:.1}");
    format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
}

/// A count as a coordinate.
#[expect(clippy::cast_precision_loss, reason = "a plot is read to three digits")]
pub(super) fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_names_its_lines() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plot.svg");
        let lines = [
            Line { name: "one".into(), points: vec![(0.0, 1.0), (2e6, 3000.0)] },
            Line { name: "other".into(), points: vec![(0.0, 2.0), (1e6, 500.0)] },
        ];
        draw(&file, "Title", "across", "up", &lines).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        for word in ["<svg", "Title", "across", "one", "other", "2M"] {
            assert!(text.contains(word), "no {word} in {text}");
        }
    }

    #[test]
    fn large_numbers_are_short() {
        assert_eq!([0.0, 950.0, 1200.0, 3e6].map(short), ["0", "950", "1.2k", "3M"]);
    }
}

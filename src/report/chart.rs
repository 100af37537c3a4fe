//! A chart as data, and its drawing as SVG: the only file that knows plotters.
//!
//! Plotters places everything on whole pixels and in fixed colours. So a chart is drawn four times too large, which makes
//! curves smooth, and each colour is drawn as a stand-in that is then replaced by a CSS variable of the page: `--ink`,
//! `--muted`, `--grid`, `--p0`… for policies and `--v0`… for providers. The page chooses them for light and dark, and
//! scales the picture to its column. What has a name is labelled where it is, if there is room, and its figures go along with the
//! drawing in the attribute `data-hover`, for the page's script to show. Left out: legends and titles, which the page writes as text
//! that can wrap.

mod axis;
mod hover;
mod label;
mod lane;
mod paint;

pub(super) use paint::escaped;

use super::Unit;

/// How many colours a page has for policies, and for providers; further ones begin again, policies then dashed and hollow.
pub const COLOURS: usize = 8;

/// What is to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What the chart shows, in words: its text alternative for screen readers.
    pub title: String,
    /// Width and height in pixels as it was designed; the page scales it.
    pub size: (u32, u32),
    /// From left to right.
    pub x: Axis,
    /// From bottom to top.
    pub y: Axis,
    /// In order of drawing.
    pub series: Vec<Series>,
    /// Lines across the plot.
    pub references: Vec<Reference>,
}

/// An axis of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it measures; may be empty.
    pub label: String,
    /// What its figures are counted in.
    pub unit: Unit,
    /// How figures are laid out on it.
    pub scale: Scale,
    /// The least and greatest value shown, where the data should not decide. On a logarithmic axis both are above 0.
    pub range: Option<(f64, f64)>,
}

/// How figures are laid out on an axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Scale {
    /// Equal differences are equal distances.
    Linear,
    /// Equal factors are equal distances. Figures of 0 and less cannot be shown and are left out.
    Log,
    /// Names at places.
    Named(Vec<(f64, String)>),
}

/// Something drawn in one colour.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The colour of the series.
    pub colour: Colour,
    /// What the series is called, beside its line and where its figures are shown, and above the plot for an area; empty for what has no
    /// name of its own.
    pub name: String,
    /// What is drawn.
    pub mark: Mark,
}

/// A colour by its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// The colour of a policy, by its place.
    Policy(usize),
    /// The colour of a provider, by its place.
    Provider(usize),
    /// The colour of a policy that is one of too many to be told apart, or of no use.
    Rest,
    /// The colour of what goes along with the data: a line between points.
    Muted,
    /// The colour of the background, or of something unimportant.
    Grid,
}

/// What is drawn. Figures that are not finite leave a gap.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// A line through points (x, y).
    Line(Vec<(f64, f64)>),
    /// A level for each bin: (the bin's end, y). The first bin begins at the axis's lower end.
    Steps(Vec<(f64, f64)>),
    /// An area: (x, lower, upper).
    Band(Vec<(f64, f64, f64)>),
    /// Points, with crosses for their intervals.
    Points(Vec<Point>),
    /// Small points (x, y) without names, where there are many.
    Dots(Vec<(f64, f64)>),
    /// Moments (x, what happened), marked above the plot.
    Ticks(Vec<(f64, String)>),
    /// Words (x, y, what is said) with their middle there, moved to where they stay within the picture.
    Notes(Vec<(f64, f64, String)>),
}

/// A point with its intervals.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The place on the x axis, and the ends of its interval.
    pub x: (f64, Option<(f64, f64)>),
    /// The place on the y axis, and the ends of its interval.
    pub y: (f64, Option<(f64, f64)>),
    /// What is written beside it; nothing if empty.
    pub label: String,
}

/// A dashed line across the plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// The place of the line on the y axis.
    pub y: f64,
    /// What is written below its left end.
    pub label: String,
}

/// Why a chart could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw \"{chart}\": {cause}")]
pub struct Error {
    chart: String,
    cause: String,
}

impl Chart {
    /// The chart as an `<svg>` element, to be put into a page.
    pub fn svg(&self) -> Result<String, Error> {
        paint::svg(self).map_err(|cause| Error {
            chart: self.title.clone(),
            cause,
        })
    }
}

impl Mark {
    /// Whether there is nothing in it that could be drawn.
    pub fn is_empty(&self) -> bool {
        match self {
            Mark::Line(points) | Mark::Steps(points) | Mark::Dots(points) => {
                !points.iter().any(|(x, y)| (x + y).is_finite())
            }
            Mark::Band(slices) => !slices.iter().any(|(x, lower, upper)| (x + lower + upper).is_finite()),
            Mark::Points(points) => !points.iter().any(|point| (point.x.0 + point.y.0).is_finite()),
            Mark::Ticks(ticks) => !ticks.iter().any(|(x, _)| x.is_finite()),
            Mark::Notes(notes) => !notes.iter().any(|(x, y, _)| (x + y).is_finite()),
        }
    }

    /// Every x that must be on the plot.
    fn xs(&self) -> Vec<f64> {
        match self {
            Mark::Line(points) | Mark::Steps(points) | Mark::Dots(points) => points.iter().map(|(x, _)| *x).collect(),
            Mark::Band(slices) => slices.iter().map(|(x, ..)| *x).collect(),
            Mark::Points(points) => points.iter().flat_map(|point| ends(point.x)).collect(),
            Mark::Ticks(ticks) => ticks.iter().map(|(x, _)| *x).collect(),
            Mark::Notes(notes) => notes.iter().map(|(x, ..)| *x).collect(),
        }
    }

    /// Every y that must be on the plot.
    fn ys(&self) -> Vec<f64> {
        match self {
            Mark::Line(points) | Mark::Steps(points) | Mark::Dots(points) => points.iter().map(|(_, y)| *y).collect(),
            Mark::Band(slices) => slices.iter().flat_map(|(_, lower, upper)| [*lower, *upper]).collect(),
            Mark::Points(points) => points.iter().flat_map(|point| ends(point.y)).collect(),
            Mark::Ticks(_) => Vec::new(),
            Mark::Notes(notes) => notes.iter().map(|(_, y, _)| *y).collect(),
        }
    }
}

fn ends((centre, interval): (f64, Option<(f64, f64)>)) -> [f64; 2] {
    interval.map_or([centre, centre], |(lower, upper)| [lower, upper])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(scale: Scale, mark: Mark) -> Chart {
        let axis = |scale| Axis {
            label: "label".into(),
            unit: Unit::Seconds,
            scale,
            range: None,
        };
        Chart {
            title: "a < b".into(),
            size: (480, 300),
            x: axis(scale),
            y: axis(Scale::Linear),
            series: vec![Series {
                colour: Colour::Policy(9),
                name: "x<y".into(),
                mark,
            }],
            references: vec![],
        }
    }

    #[test]
    fn colours_are_the_pages_own() {
        let svg = chart(Scale::Linear, Mark::Line(vec![(0.0, 1.0), (2.0, 3.0)]))
            .svg()
            .unwrap();
        assert!(!svg.contains('#'), "{svg}");
        assert!(svg.contains("stroke:var(--p1);stroke-dasharray"), "{svg}");
        assert!(svg.contains("fill:var(--muted)"));
    }

    #[test]
    fn the_page_sets_its_size_and_its_font() {
        let svg = chart(Scale::Linear, Mark::Line(vec![(0.0, 1.0), (2.0, 3.0)]))
            .svg()
            .unwrap();
        assert!(svg.starts_with("<svg viewBox=\"0 0 1920 1200\" role=\"img\" aria-label=\"a &lt; b\""));
        assert!(!svg.contains("font-family") && !svg.contains("width=\"1920\""));
    }

    #[test]
    fn figures_that_do_not_exist_are_gaps() {
        let gap = vec![(1.0, 1.0), (2.0, 2.0), (3.0, f64::NAN), (4.0, 2.0), (5.0, 1.0)];
        let svg = chart(Scale::Linear, Mark::Line(gap)).svg().unwrap();
        assert_eq!(svg.matches("stroke:var(--p1)").count(), 2, "{svg}");
    }

    #[test]
    fn nothing_is_drawn_beyond_numbers() {
        let odd = [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300, 1e-300];
        for scale in [Scale::Linear, Scale::Log] {
            for mark in [
                Mark::Line(vec![]),
                Mark::Line(odd.map(|x| (x, x)).to_vec()),
                Mark::Steps(vec![(1.0, 1.0)]),
                Mark::Dots(odd.map(|x| (x, x)).to_vec()),
                Mark::Band(odd.map(|x| (x, x, 2.0 * x)).to_vec()),
                Mark::Points(vec![Point {
                    x: (1.0, Some((f64::NAN, f64::NAN))),
                    y: (1.0, None),
                    label: "&".into(),
                }]),
            ] {
                let svg = chart(scale.clone(), mark).svg().unwrap();
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
    }

    #[test]
    fn what_has_a_name_is_labelled_and_gives_its_figures() {
        let svg = chart(Scale::Linear, Mark::Line(vec![(0.0, 1.0), (2.0, 3.0)]))
            .svg()
            .unwrap();
        let hover = svg.split_once("data-hover=\"").unwrap().1.split_once('"').unwrap().0;
        assert!(hover.starts_with("[{&quot;name&quot;:&quot;x&lt;y&quot;,"), "{hover}");
        assert!(hover.contains("2.00 s · 3.00 s"), "{hover}");
        assert!(svg.contains("\nx&lt;y\n"), "{svg}");
        let mut plain = chart(Scale::Linear, Mark::Line(vec![(0.0, 1.0), (2.0, 3.0)]));
        plain.series[0].name.clear();
        assert!(!plain.svg().unwrap().contains("data-hover"));
    }
}

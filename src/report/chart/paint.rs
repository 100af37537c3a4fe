//! Draws a chart with plotters, four times too large, and hands its colours and its size over to the page.
//!
//! Sizes here are in pixels of the design; [`px`] turns them into the drawing's. Text widths are guesses, since the font is
//! the page's: they decide margins and where there is room for a name.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Layout;
use super::label::{ABOVE_AXIS, Label, place_labels};
use super::lane::Lane;
use super::{COLOURS, Chart, Colour, Mark, Point, Scale, Series, hover};

/// How much too large a chart is drawn.
pub(super) const FINE: u32 = 4;
/// Height of text.
pub(super) const TEXT: f64 = 12.0;
/// About the width of a character.
const CHARACTER: f64 = 6.8;

/// Stand-ins for the page's colours. No other colour is drawn.
const INK: RGBColor = RGBColor(1, 0, 0);
const MUTED: RGBColor = RGBColor(1, 0, 1);
const GRID: RGBColor = RGBColor(1, 0, 2);
const REST: RGBColor = RGBColor(1, 0, 3);
const PAPER: RGBColor = RGBColor(1, 0, 4);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Plane<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Layout, Layout>>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// The chart as an `<svg>` element, or what plotters has to say.
pub(super) fn svg(chart: &Chart) -> Result<String, String> {
    let mut drawing = String::new();
    let size = (chart.size.0 * FINE, chart.size.1 * FINE);
    let mut seen = Vec::new();
    {
        let area = SVGBackend::with_string(&mut drawing, size).into_drawing_area();
        draw(chart, &area, &mut seen).map_err(|error| error.to_string())?;
        area.present().map_err(|error| error.to_string())?;
    }
    Ok(hand_over(&drawing, chart, size, &hover::attribute(&seen)))
}

fn draw(chart: &Chart, area: &Area<'_>, seen: &mut Vec<hover::Seen>) -> Drawn {
    let shown = || chart.series.iter().map(|series| &series.mark);
    let references = chart.references.iter().map(|reference| reference.y);
    let apart = if chart.x.scale == Scale::Log { 62 } else { 72 };
    let wanted = (chart.size.0 / apart) as usize;
    let y = Layout::new(
        &chart.y,
        shown().flat_map(Mark::ys).chain(references),
        (chart.size.1 / 56) as usize,
    );

    // Room to spare: on a small screen and on paper the page makes text larger.
    let left = y.ticks.iter().map(|(_, label)| 1.32 * width(label)).fold(0.0, f64::max) + 8.0;
    // Fewer ticks where their labels would be upon each other.
    let laid = |wanted: usize| Layout::new(&chart.x, shown().flat_map(Mark::xs), wanted);
    let across = f64::from(chart.size.0) - left - 16.0;
    let has_room = |x: &Layout| {
        let each = x.ticks.iter().map(|(_, label)| 1.36 * width(label) + 6.0);
        each.fold(0.0, f64::max) * x.ticks.len().saturating_sub(1) as f64 <= across
    };
    let x = (2..=wanted).rev().map(laid).find(has_room).unwrap_or_else(|| laid(1));
    // The labels of the first and the last tick reach beyond them to either side.
    let beyond = |tick: Option<&(f64, String)>| tick.map_or(0.0, |(_, label)| 0.68 * width(label) + 4.0);
    let (left, right) = (left.max(beyond(x.ticks.first())), beyond(x.ticks.last()).max(16.0));
    let below = if chart.x.label.is_empty() { 24.0 } else { 38.0 };
    let lane = Lane::of(chart, &x, (left, f64::from(chart.size.0) - right));
    let top = if chart.y.label.is_empty() { 10.0 } else { 26.0 };
    let above = top + lane.height();
    let named = matches!(chart.y.scale, Scale::Named(_));
    let text = text_of(MUTED);
    let mut plane: Plane<'_, '_> = ChartBuilder::on(area)
        .margin_top(px(above))
        .margin_right(px(right))
        .set_label_area_size(LabelAreaPosition::Left, px(left))
        .set_label_area_size(LabelAreaPosition::Bottom, px(below))
        .build_cartesian_2d(x.clone(), y.clone())?;
    let mut mesh = plane.configure_mesh();
    mesh.bold_line_style(GRID.stroke_width(4))
        .light_line_style(TRANSPARENT)
        .axis_style(TRANSPARENT)
        .label_style(text.clone())
        .set_all_tick_mark_size(px(2.5));
    if named {
        mesh.disable_y_mesh();
    }
    if !chart.x.label.is_empty() {
        mesh.x_desc(chart.x.label.as_str()).axis_desc_style(text.clone());
    }
    mesh.draw()?;
    // Only the line that bars or curves stand on; plotters would draw both.
    let end = if named { (x.lo, y.hi) } else { (x.hi, y.lo) };
    plane.draw_series([PathElement::new(vec![(x.lo, y.lo), end], MUTED.stroke_width(4))])?;
    // A label along the axis would have to be read with the head tilted.
    area.draw(&Text::new(chart.y.label.clone(), (off(2.0), off(2.0)), text))?;

    for (words, (across, up)) in lane.words() {
        let centred = text_of(INK).pos(Pos::new(HPos::Center, VPos::Center));
        area.draw(&Text::new(words.to_owned(), (off(across), off(top + up)), centred))?;
    }
    for reference in &chart.references {
        draw_reference(&mut plane, &x, &y, reference)?;
    }
    for series in &chart.series {
        let colour = stand_in(series.colour);
        let is_second = matches!(series.colour, Colour::Policy(policy) if policy >= COLOURS);
        match &series.mark {
            Mark::Line(points) => {
                let points = points.iter().map(|(at, value)| Some((x.place(*at)?, y.place(*value)?)));
                draw_lines(&mut plane, points, colour.stroke_width(px(1.75)))?;
            }
            Mark::Steps(bins) => draw_lines(&mut plane, steps(bins, &x, &y), colour.stroke_width(px(1.25)))?,
            Mark::Band(slices) => draw_band(&mut plane, slices, &x, &y, series.colour)?,
            Mark::Points(points) => {
                for point in points {
                    draw_cross(&mut plane, point, (&x, &y), colour, is_second)?;
                }
            }
            Mark::Ticks(ticks) => {
                for at in ticks.iter().filter_map(|(at, _)| x.place(*at)) {
                    let tick = PathElement::new(vec![(0, off(-9.0)), (0, off(-1.0))], colour.stroke_width(px(2.0)));
                    plane.draw_series([EmptyElement::at((at, y.hi)) + tick])?;
                }
            }
            Mark::Notes(notes) => {
                for (at, value, words) in notes {
                    let Some(place) = x.place(*at).zip(y.place(*value)) else {
                        continue;
                    };
                    let (across, up) = plane.backend_coord(&place);
                    let half = off(0.66 * width(words));
                    let across = across.min(off(f64::from(chart.size.0)) - half).max(off(left) + half);
                    let centred = text_of(INK).pos(Pos::new(HPos::Center, VPos::Center));
                    area.draw(&Text::new(words.clone(), (across, up), centred))?;
                }
            }
            Mark::Dots(points) => {
                let places = points
                    .iter()
                    .filter_map(|(at, value)| Some((x.place(*at)?, y.place(*value)?)));
                plane.draw_series(places.map(|place| Circle::new(place, px(2.0), colour.filled())))?;
            }
        }
    }
    let (wide, high) = area.dim_in_pixel();
    // On an axis a name would be read as one of its figures.
    let inside = (
        off(left + 4.0),
        off(above - 8.0),
        wide as i32 - off(4.0),
        high as i32 - off(below + ABOVE_AXIS),
    );
    let on_paper = |series: &Series| pixels(&series.mark, &plane, &x, &y);
    let shown: Vec<_> = (chart.series.iter())
        .filter(|series| !matches!(series.mark, Mark::Band(_) | Mark::Ticks(_) | Mark::Notes(_)))
        .map(|series| (series, on_paper(series)))
        .collect();
    let rungs = chart.references.iter().filter_map(|reference| {
        let (left, up) = plane.backend_coord(&(x.lo, y.place(reference.y)?));
        Some((
            left,
            up,
            left + off(4.0 + 1.32 * width(&reference.label)),
            up + off(18.0),
        ))
    });
    let labels = place_labels(&shown, rungs.collect(), inside, named);
    for (from, to) in labels.iter().filter_map(|label| label.lead) {
        area.draw(&PathElement::new(vec![from, to], MUTED.stroke_width(px(0.75))))?;
    }
    for label in &labels {
        draw_label(label, area)?;
    }
    seen.extend(shown.iter().filter_map(|(series, at)| hover::seen(chart, series, at)));
    Ok(())
}

/// A name, and where a line has it, a dot on the line.
fn draw_label(label: &Label<'_>, area: &Area<'_>) -> Drawn {
    if let Some((at, colour)) = label.dot {
        area.draw(&Circle::new(at, px(2.5), stand_in(colour).filled()))?;
    }
    let text = text_of(INK).pos(Pos::new(label.anchor, VPos::Center));
    area.draw(&Text::new(label.text.to_owned(), label.at, text))?;
    Ok(())
}

/// Where each point of a mark is on the paper; nothing for one that has no place there.
fn pixels(mark: &Mark, plane: &Plane<'_, '_>, x: &Layout, y: &Layout) -> Vec<Option<(i32, i32)>> {
    let place = |at: f64, value: f64| Some(plane.backend_coord(&(x.place(at)?, y.place(value)?)));
    match mark {
        Mark::Line(points) | Mark::Steps(points) | Mark::Dots(points) => {
            points.iter().map(|(at, value)| place(*at, *value)).collect()
        }
        Mark::Points(points) => points.iter().map(|point| place(point.x.0, point.y.0)).collect(),
        Mark::Band(_) | Mark::Ticks(_) | Mark::Notes(_) => Vec::new(),
    }
}

fn draw_reference(plane: &mut Plane<'_, '_>, x: &Layout, y: &Layout, reference: &super::Reference) -> Drawn {
    let Some(at) = y.place(reference.y) else { return Ok(()) };
    plane.draw_series(DashedLineSeries::new(
        [(x.lo, at), (x.hi, at)],
        px(3.0),
        px(3.0),
        MUTED.stroke_width(px(0.75)),
    ))?;
    let text = text_of(MUTED).pos(Pos::new(HPos::Left, VPos::Top));
    let label = Text::new(reference.label.clone(), (off(4.0), off(2.0)), text);
    plane.draw_series([EmptyElement::at((x.lo, at)) + label])?;
    Ok(())
}

/// A line, in as many pieces as its gaps leave.
fn draw_lines(plane: &mut Plane<'_, '_>, points: impl Iterator<Item = Option<(f64, f64)>>, style: ShapeStyle) -> Drawn {
    for piece in pieces(points) {
        plane.draw_series(LineSeries::new(piece, style))?;
    }
    Ok(())
}

fn draw_band(plane: &mut Plane<'_, '_>, slices: &[(f64, f64, f64)], x: &Layout, y: &Layout, colour: Colour) -> Drawn {
    let slices = slices
        .iter()
        .map(|(at, lower, upper)| Some((x.place(*at)?, y.place(*lower)?, y.place(*upper)?)));
    for piece in pieces(slices) {
        let up = piece.iter().map(|(at, _, upper)| (*at, *upper));
        let down = piece.iter().rev().map(|(at, lower, _)| (*at, *lower));
        let outline: Vec<_> = up.chain(down).collect();
        plane.draw_series([Polygon::new(outline, stand_in(colour).filled())])?;
    }
    Ok(())
}

/// A point with its intervals; of those colours that come a second time it is hollow.
fn draw_cross(
    plane: &mut Plane<'_, '_>,
    point: &Point,
    (x, y): (&Layout, &Layout),
    colour: RGBColor,
    is_second: bool,
) -> Drawn {
    let (Some(across), Some(up)) = (x.place(point.x.0), y.place(point.y.0)) else {
        return Ok(());
    };
    let reach = |layout: &Layout, (_, interval): (f64, Option<(f64, f64)>)| {
        let (lower, upper) = interval?;
        Some((layout.place(lower)?, layout.place(upper)?))
    };
    if let Some((lower, upper)) = reach(x, point.x) {
        whisker(plane, [(lower, up), (upper, up)], colour)?;
    }
    if let Some((lower, upper)) = reach(y, point.y) {
        whisker(plane, [(across, lower), (across, upper)], colour)?;
    }
    plane.draw_series([Circle::new((across, up), px(4.5), colour.filled())])?;
    if is_second {
        plane.draw_series([Circle::new((across, up), px(2.75), PAPER.filled())])?;
    }
    Ok(())
}

/// An interval: a line with caps.
fn whisker(plane: &mut Plane<'_, '_>, ends: [(f64, f64); 2], colour: RGBColor) -> Drawn {
    let style = colour.stroke_width(px(1.25));
    plane.draw_series([PathElement::new(ends.to_vec(), style)])?;
    let cap = off(2.5);
    let offset = if ends[0].1 == ends[1].1 { (0, cap) } else { (cap, 0) };
    plane.draw_series(ends.map(|end| {
        EmptyElement::at(end) + PathElement::new(vec![(-offset.0, -offset.1), (offset.0, offset.1)], style)
    }))?;
    Ok(())
}

/// The corners of a line that holds each bin's level over the bin.
fn steps(bins: &[(f64, f64)], x: &Layout, y: &Layout) -> impl Iterator<Item = Option<(f64, f64)>> {
    let mut begins = Some(x.lo);
    let mut corners = Vec::with_capacity(2 * bins.len());
    for (until, level) in bins {
        let ends = x.place(*until);
        for end in [begins, ends] {
            corners.push(end.zip(y.place(*level)));
        }
        begins = ends;
    }
    corners.into_iter()
}

/// Runs of what exists.
fn pieces<T>(items: impl Iterator<Item = Option<T>>) -> Vec<Vec<T>> {
    let mut pieces = vec![vec![]];
    for item in items {
        match (item, pieces.last_mut()) {
            (Some(item), Some(piece)) => piece.push(item),
            _ => pieces.push(vec![]),
        }
    }
    pieces.retain(|piece| piece.len() > 1);
    pieces
}

/// Plotters' own axes choose their ticks themselves, and cannot write those that they are given.
impl Ranged for Layout {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        let share = (value - self.lo) / (self.hi - self.lo);
        first + (share * f64::from(last - first)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return vec![];
        }
        self.ticks.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.lo..self.hi
    }
}

impl ValueFormatter<f64> for Layout {
    fn format_ext(&self, value: &f64) -> String {
        let tick = self.ticks.iter().find(|(at, _)| at == value);
        tick.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

fn px(design: f64) -> u32 {
    (design * f64::from(FINE)) as u32
}

pub(super) fn off(design: f64) -> i32 {
    (design * f64::from(FINE)) as i32
}

pub(super) fn width(text: &str) -> f64 {
    CHARACTER * text.chars().count() as f64
}

fn text_of(colour: RGBColor) -> TextStyle<'static> {
    // Plotters divides the size by this.
    ("sans-serif", TEXT * f64::from(FINE) * 1.24).into_font().color(&colour)
}

fn stand_in(colour: Colour) -> RGBColor {
    let index = |index: usize| u8::try_from(index % (2 * COLOURS)).unwrap_or(0);
    match colour {
        Colour::Policy(policy) => RGBColor(2, 0, index(policy)),
        Colour::Provider(provider) => RGBColor(3, 0, index(provider)),
        Colour::Rest => REST,
        Colour::Muted => MUTED,
        Colour::Grid => GRID,
    }
}

/// Puts the page's colours in place of the stand-ins, its font in place of a fixed one, and a size that follows the column.
fn hand_over(drawing: &str, chart: &Chart, (wide, high): (u32, u32), hover: &str) -> String {
    let body = drawing.split_once('>').map_or("", |(_, body)| body);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {wide} {high}\" role=\"img\" aria-label=\"{}\" class=\"chart\"{hover} xmlns=\"http://www.w3.org/2000/svg\">",
        escaped(&chart.title)
    );
    svg += &body
        .replace(" opacity=\"1\"", "")
        .replace(" font-family=\"sans-serif\"", "");
    let plain = [
        (INK, "ink"),
        (MUTED, "muted"),
        (GRID, "grid"),
        (REST, "rest"),
        (PAPER, "paper"),
    ];
    for (colour, name) in plain {
        svg = recoloured(&svg, colour, name, "");
    }
    for index in 0..2 * COLOURS {
        let dash = if index < COLOURS { "" } else { ";stroke-dasharray:20 12" };
        let colour = index % COLOURS;
        svg = recoloured(&svg, stand_in(Colour::Policy(index)), &format!("p{colour}"), dash);
        svg = recoloured(&svg, stand_in(Colour::Provider(index)), &format!("v{colour}"), "");
    }
    svg
}

fn recoloured(svg: &str, RGBColor(r, g, b): RGBColor, name: &str, more: &str) -> String {
    let hex = format!("#{r:02X}{g:02X}{b:02X}");
    svg.replace(
        &format!("stroke=\"{hex}\""),
        &format!("style=\"stroke:var(--{name}){more}\""),
    )
    .replace(&format!("fill=\"{hex}\""), &format!("style=\"fill:var(--{name})\""))
}

/// The text as it may stand in an element or an attribute.
pub(in crate::report) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

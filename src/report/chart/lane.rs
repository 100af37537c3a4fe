//! What stands above a plot over time: the names of shaded stretches, and what happened at ticks.
//!
//! A name stands over the middle of its stretch, in the first row where no other name is; of ticks that are next to each other and say the
//! same, it is written once with their number, and what others beside them say follows it. What has no room in any row is left to the caption. Left out: names that follow their ticks into
//! the plot.

use super::axis::Layout;
use super::paint::width;
use super::{Chart, Colour, Mark};

/// The most rows of names.
const ROWS: usize = 7;
/// Height of a row.
const ROW: f64 = 16.0;
/// Room for ticks, between the names and the plot.
const TICKS: f64 = 10.0;
/// Half the width of a name where the page makes text larger, on a small screen and on paper, as a share of what it is here.
const HALF: f64 = 0.66;
/// Ticks nearer than this are told of as one.
const NEAR: f64 = 14.0;
/// The width of what is said of several ticks at most, as a share of the picture's.
const MOST: f64 = 0.6;
/// Between two names.
const GAP: f64 = 8.0;

/// The names above a plot.
pub(super) struct Lane {
    /// Each name, the middle of it from the left, and its row from the top.
    names: Vec<(String, f64, usize)>,
    has_ticks: bool,
}

impl Lane {
    /// Finds room for the names over a plot that reaches from `ends.0` to `ends.1`, in pixels of the design.
    pub(super) fn of(chart: &Chart, x: &Layout, ends: (f64, f64)) -> Lane {
        let place = |at: f64| Some(ends.0 + (x.place(at)? - x.lo) / (x.hi - x.lo) * (ends.1 - ends.0));
        let mut wanted: Vec<(String, f64)> = Vec::new();
        let mut ticks: Vec<(&str, f64)> = Vec::new();
        for series in &chart.series {
            match &series.mark {
                Mark::Band(slices) if !series.name.is_empty() && series.colour == Colour::Grid => {
                    let middle = slices.first().zip(slices.last()).map(|(a, b)| (a.0 + b.0) / 2.0);
                    wanted.extend(middle.and_then(place).map(|at| (series.name.clone(), at)));
                }
                Mark::Ticks(all) => {
                    ticks.extend(all.iter().filter_map(|(at, what)| Some((what.as_str(), place(*at)?))))
                }
                Mark::Band(_) | Mark::Line(_) | Mark::Steps(_) | Mark::Points(_) | Mark::Dots(_) | Mark::Notes(_) => {}
            }
        }
        let has_ticks = !ticks.is_empty();
        wanted.extend(grouped(ticks, MOST * f64::from(chart.size.0)));
        let mut names: Vec<(String, f64, usize)> = Vec::new();
        for (name, at) in wanted {
            let half = HALF * width(&name);
            let at = at.min(f64::from(chart.size.0) - half - 1.0).max(half + 1.0);
            let is_free = |row: &usize| {
                names
                    .iter()
                    .all(|(other, there, taken)| taken != row || (at - there).abs() >= half + HALF * width(other) + GAP)
            };
            if let Some(row) = (0..ROWS).find(is_free) {
                names.push((name, at, row));
            }
        }
        Lane { names, has_ticks }
    }

    /// How much room it takes.
    pub(super) fn height(&self) -> f64 {
        let ticks = if self.has_ticks { TICKS } else { 0.0 };
        ticks + ROW * self.rows() as f64
    }

    /// Each name with its middle, from the left and from the top. Later rows stand above earlier ones.
    pub(super) fn words(&self) -> impl Iterator<Item = (&str, (f64, f64))> {
        let rows = self.rows();
        self.names.iter().map(move |(name, at, row)| {
            let up = ROW * ((rows - 1 - row) as f64 + 0.5) - 2.0;
            (name.as_str(), (*at, up))
        })
    }

    fn rows(&self) -> usize {
        self.names.iter().map(|(_, _, row)| row + 1).max().unwrap_or(0)
    }
}

/// What is said of ticks: once for those that are near each other and say the same, and together with what others there say, up to a width.
fn grouped(mut ticks: Vec<(&str, f64)>, most: f64) -> Vec<(String, f64)> {
    crate::stats::sorting::by(&mut ticks, |a, b| a.0.cmp(b.0).then(a.1.total_cmp(&b.1)));
    let mut groups: Vec<(&str, f64, f64, usize)> = Vec::new();
    for (what, at) in ticks {
        match groups.last_mut() {
            Some((known, _, last, count)) if *known == what && at - *last < NEAR => (*last, *count) = (at, *count + 1),
            _ => groups.push((what, at, at, 1)),
        }
    }
    let said = groups.into_iter().map(|(what, first, last, count)| {
        let times = if count > 1 {
            format!(" × {count}")
        } else {
            String::new()
        };
        (format!("{what}{times}"), (first + last) / 2.0)
    });
    joined(said.collect(), most)
}

/// Names of ticks with those beside them, as one of at most this width.
fn joined(mut names: Vec<(String, f64)>, most: f64) -> Vec<(String, f64)> {
    crate::stats::sorting::by(&mut names, |a, b| a.1.total_cmp(&b.1));
    let mut joined: Vec<(String, f64)> = Vec::new();
    for (name, at) in names {
        match joined.last_mut() {
            Some((known, there)) if at - *there < NEAR && 2.0 * HALF * (width(known) + width(&name)) <= most => {
                *known += &format!(" · {name}");
            }
            _ => joined.push((name, at)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_that_are_near_and_say_the_same_are_told_of_once() {
        let ticks = vec![
            ("ejected", 10.0),
            ("recovered", 12.0),
            ("ejected", 16.0),
            ("ejected", 90.0),
        ];
        let said = grouped(ticks.clone(), 300.0);
        let expected = [("recovered · ejected × 2", 12.0), ("ejected", 90.0)];
        assert_eq!(said, expected.map(|(what, at)| (what.to_owned(), at)));
        assert_eq!(grouped(ticks, 100.0).len(), 3, "what is too wide stays apart");
    }
}

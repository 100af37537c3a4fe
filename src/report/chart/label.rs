//! Where the names of points and lines are written: beside what they name, where nothing else is.
//!
//! A point has its name on the first side of it that is free, in a row above it. A line has it at the first of several places along it, its
//! end before its beginning, where no other line that has a name is near and the name lies on no line; where that is nowhere, on no line
//! that has a name itself. In a crowd a name is left to the legend. Left out: the best of all ways to place them together, which is a hard problem.

use plotters::style::text_anchor::HPos;

use super::paint::{TEXT, off, width};
use super::{Colour, Mark, Series};

/// A place on the paper.
type At = (i32, i32);

/// Left, top, right, bottom.
type Box4 = (i32, i32, i32, i32);

/// A name and where it is written.
pub(super) struct Label<'a> {
    pub(super) text: &'a str,
    pub(super) at: At,
    pub(super) anchor: HPos,
    /// The place on a line that it belongs to, and the line's colour.
    pub(super) dot: Option<(At, Colour)>,
}

/// Places of a line that are tried, from its end on.
const TRIES: usize = 40;

/// The names that there is room for. `shown` has the places of each series on the paper, `inside` what may be written on; `in_rows` says
/// whether points lie in rows, each of which has room above it.
pub(super) fn place_labels<'a>(shown: &[(&'a Series, Vec<Option<At>>)], inside: Box4, in_rows: bool) -> Vec<Label<'a>> {
    let mut room = Room {
        inside,
        in_rows,
        taken: Vec::new(),
        ink: Vec::new(),
    };
    let dot = off(5.0);
    for (place, (series, at)) in shown.iter().enumerate() {
        match &series.mark {
            Mark::Points(_) => {
                let dots = at.iter().flatten();
                room.taken
                    .extend(dots.map(|(x, y)| (x - dot, y - dot, x + dot, y + dot)));
            }
            Mark::Line(_) | Mark::Steps(_) => room.ink.push(Ink {
                of: place,
                named: !series.name.is_empty(),
                at: between(at),
            }),
            Mark::Band(_) | Mark::Dots(_) | Mark::Ticks(_) => {}
        }
    }
    let mut labels = Vec::new();
    for (place, (series, at)) in shown.iter().enumerate() {
        match &series.mark {
            Mark::Points(points) => {
                for (point, at) in points.iter().zip(at) {
                    let Some(at) = at.filter(|_| !point.label.is_empty()) else {
                        continue;
                    };
                    if let Some((anchor, at)) = room.beside(at, &point.label, |_| false) {
                        labels.push(Label {
                            text: &point.label,
                            at,
                            anchor,
                            dot: None,
                        });
                    }
                }
            }
            Mark::Line(_) | Mark::Steps(_) if !series.name.is_empty() => {
                labels.extend(room.along(&series.name, series.colour, place, at));
            }
            Mark::Line(_) | Mark::Steps(_) | Mark::Band(_) | Mark::Dots(_) | Mark::Ticks(_) => {}
        }
    }
    labels
}

/// What is already written and drawn.
struct Room {
    inside: Box4,
    in_rows: bool,
    taken: Vec<Box4>,
    ink: Vec<Ink>,
}

/// A line, pixel by pixel.
struct Ink {
    /// The place of its series.
    of: usize,
    named: bool,
    at: Vec<At>,
}

impl Room {
    /// The first free side of a place for a name that may lie on no line that `avoids` picks.
    fn beside(&mut self, (across, up): At, text: &str, avoids: impl Fn(&Ink) -> bool) -> Option<(HPos, At)> {
        // On a small screen the page makes text larger, and a line of text is higher than its letters.
        let (w, h, gap) = (off(1.25 * width(text)), off(1.3 * TEXT), off(9.0));
        let above = [(HPos::Center, across), (HPos::Left, across), (HPos::Right, across)];
        let above = above.map(|(anchor, at)| (anchor, at, up - off(14.0)));
        let around = [
            (HPos::Left, across + gap, up - gap),
            (HPos::Right, across - gap, up - gap),
            (HPos::Left, across + gap, up + gap),
            (HPos::Right, across - gap, up + gap),
            (HPos::Center, across, up - 2 * gap),
            (HPos::Center, across, up + 2 * gap),
            (HPos::Left, across + gap, up - 3 * gap),
            (HPos::Left, across + gap, up + 3 * gap),
        ];
        let covers = |(anchor, at, height): &(HPos, i32, i32)| -> Box4 {
            let left = match anchor {
                HPos::Left => *at,
                HPos::Right => at - w,
                HPos::Center => at - w / 2,
            };
            (left, height - h / 2, left + w, height + h / 2)
        };
        let free = |side: &&(HPos, i32, i32)| {
            let own = covers(side);
            let is_inside =
                own.0 >= self.inside.0 && own.1 >= self.inside.1 && own.2 <= self.inside.2 && own.3 <= self.inside.3;
            let lies_on = |(x, y): &At| own.0 <= *x && *x <= own.2 && own.1 <= *y && *y <= own.3;
            is_inside
                && !self.taken.iter().any(|other| overlap(&own, other))
                && !self.ink.iter().any(|ink| avoids(ink) && ink.at.iter().any(lies_on))
        };
        let side = if self.in_rows { &above[..] } else { &around[..] }.iter().find(free)?;
        self.taken.push(covers(side));
        Some((side.0, (side.1, side.2)))
    }

    /// A place for the name of a line that goes through `at`.
    fn along<'a>(&mut self, text: &'a str, colour: Colour, own: usize, at: &[Option<At>]) -> Option<Label<'a>> {
        let (left, right) = (self.inside.0, self.inside.2);
        let known: Vec<At> = (at.iter().flatten().copied())
            .filter(|(x, y)| (left..=right).contains(x) && (self.inside.1..=self.inside.3).contains(y))
            .collect();
        let near = off(4.0);
        let others = || self.ink.iter().filter(|ink| ink.named && ink.of != own);
        let is_alone = |(x, y): &At| {
            let is_near = |(u, v): &At| (x - u).abs() < near && (y - v).abs() < near;
            !others().any(|ink| ink.at.iter().any(is_near))
        };
        let tries = (0..TRIES).filter_map(|n| known.get(known.len().checked_sub(1 + n * known.len() / TRIES)?));
        let tries: Vec<At> = tries.copied().filter(is_alone).collect();
        let mut free = |on_grey: bool, at: At| {
            let (anchor, written) = self.beside(at, text, |ink| ink.named || !on_grey)?;
            let dot = Some((at, colour));
            Some(Label {
                text,
                at: written,
                anchor,
                dot,
            })
        };
        let first = tries.iter().find_map(|at| free(false, *at));
        first.or_else(|| tries.iter().find_map(|at| free(true, *at)))
    }
}

fn overlap(a: &Box4, b: &Box4) -> bool {
    a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3
}

/// The line through places, in steps small enough that no name fits between two.
fn between(at: &[Option<At>]) -> Vec<At> {
    let step = off(3.0);
    let mut all = Vec::new();
    for pair in at.windows(2) {
        let [Some(from), Some(to)] = *pair else { continue };
        let (wide, high) = (to.0 - from.0, to.1 - from.1);
        let pieces = (wide.abs().max(high.abs()) / step).clamp(1, 1000);
        all.extend((0..=pieces).map(|n| (from.0 + wide * n / pieces, from.1 + high * n / pieces)));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str) -> Series {
        Series {
            colour: Colour::Policy(0),
            name: name.into(),
            mark: Mark::Line(vec![]),
        }
    }

    #[test]
    fn names_lie_on_no_line_and_on_no_other_name() {
        let (a, b) = (line("first"), line("second"));
        let flat = |y: i32| (0..50).map(|n| Some((n * 40, y))).collect::<Vec<_>>();
        let shown = [(&a, flat(400)), (&b, flat(430))];
        let labels = place_labels(&shown, (0, 0, 2000, 800), false);
        assert_eq!(
            labels.iter().map(|label| label.text).collect::<Vec<_>>(),
            ["first", "second"]
        );
        // The first above both, the second below.
        assert!(labels[0].at.1 < 400 && labels[1].at.1 > 430);
        // Where two lines are one, a name would be that of either.
        assert!(place_labels(&[(&a, flat(400)), (&b, flat(400))], (0, 0, 2000, 800), false).is_empty());
    }

    #[test]
    fn where_there_is_no_room_the_legend_has_it() {
        let wide = line("a name that is wider than the whole of the plot is");
        assert!(place_labels(&[(&wide, vec![Some((10, 10)); 3])], (0, 0, 300, 300), false).is_empty());
        assert!(place_labels(&[(&line("none"), vec![None; 3])], (0, 0, 300, 300), false).is_empty());
    }
}

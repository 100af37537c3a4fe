//! Where the names of points and lines are written: beside what they name, where nothing else is.
//!
//! A point has its name on the first side of it that is free and near no other point, in a row above it; where there is none, further off
//! with a line that leads to it. A line has it at the first of several places along it, its end before its beginning, where no other line that has
//! a name is near and the name lies on no line; where that is nowhere, on no line that has a name itself; and else further off, with a line that
//! leads to it. What has no room at all, or runs under another line all the way, is left to the legend. Left out: the best of all ways to place them
//! together, which is a hard problem.

use plotters::style::text_anchor::HPos;

use super::paint::{TEXT, off, width};
use super::{Colour, Mark, Series};

/// A place on the paper.
type At = (i32, i32);

/// Left, top, right, bottom.
type Box4 = (i32, i32, i32, i32);

/// Where a name stands: by which end, where, and the line that leads there from its point.
type Placed = (HPos, At, Option<(At, At)>);

/// A name and where it is written.
pub(super) struct Label<'a> {
    pub(super) text: &'a str,
    pub(super) at: At,
    pub(super) anchor: HPos,
    /// The place on a line that it belongs to, and the line's colour.
    pub(super) dot: Option<(At, Colour)>,
    /// A line from what it names to itself, where it is not beside it.
    pub(super) lead: Option<(At, At)>,
}

/// Places of a line that are tried, from its end on.
const TRIES: usize = 40;
/// A name nearer than this to a point that it does not name would be taken for that point's.
const NEAR: f64 = 14.0;
/// How many of the sides of a place are so near that it is plain what a name there belongs to.
const BESIDE: usize = 6;
/// The distance of one ring round a point from the next, where a name is tried that has no room beside it.
const RING: f64 = 12.0;
/// So far above the axis at the bottom names are written at most, while a line may reach it.
pub(super) const ABOVE_AXIS: f64 = 6.0;
/// Points nearer than this to each other are a crowd.
const CROWD: f64 = 18.0;
/// The furthest ring round a point, and round a place on a line, which has a dot there.
const RINGS: i32 = 12;
const RINGS_OF_LINE: i32 = 26;
/// The directions in which it is tried, to the right and the left first, as names are wide.
const DIRECTIONS: [(f64, f64); 12] = [
    (0.87, -0.5),
    (-0.87, -0.5),
    (0.87, 0.5),
    (-0.87, 0.5),
    (1.0, 0.0),
    (-1.0, 0.0),
    (0.5, -0.87),
    (-0.5, -0.87),
    (0.5, 0.87),
    (-0.5, 0.87),
    (0.0, -1.0),
    (0.0, 1.0),
];

/// The names that there is room for. `shown` has the places of each series on the paper, `taken` where something is written, `inside` what may be
/// written on; `in_rows` says
/// whether points lie in rows, each of which has room above it.
pub(super) fn place_labels<'a>(
    shown: &[(&'a Series, Vec<Option<At>>)],
    taken: Vec<Box4>,
    inside: Box4,
    in_rows: bool,
) -> Vec<Label<'a>> {
    let mut room = Room {
        inside,
        in_rows,
        taken,
        dots: Vec::new(),
        leads: Vec::new(),
        ink: Vec::new(),
    };
    let dot = off(5.0);
    for (place, (series, at)) in shown.iter().enumerate() {
        match &series.mark {
            Mark::Points(_) => {
                let dots = at.iter().flatten();
                room.taken
                    .extend(dots.clone().map(|(x, y)| (x - dot, y - dot, x + dot, y + dot)));
                room.dots.extend(dots);
            }
            Mark::Line(_) | Mark::Steps(_) => room.ink.push(Ink {
                of: place,
                named: !series.name.is_empty(),
                at: between(at),
            }),
            Mark::Band(_) | Mark::Dots(_) | Mark::Ticks(_) | Mark::Notes(_) => {}
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
                    let beside = room.beside(at, &point.label, false, |_| false);
                    let beside = beside.map(|(anchor, at)| (anchor, at, None));
                    if let Some((anchor, at, lead)) = beside.or_else(|| room.apart(at, &point.label)) {
                        labels.push(Label {
                            text: &point.label,
                            at,
                            anchor,
                            dot: None,
                            lead,
                        });
                    }
                }
            }
            Mark::Line(_) | Mark::Steps(_) if !series.name.is_empty() => {
                labels.extend(room.along(&series.name, series.colour, place, at));
            }
            Mark::Line(_) | Mark::Steps(_) | Mark::Band(_) | Mark::Dots(_) | Mark::Ticks(_) | Mark::Notes(_) => {}
        }
    }
    labels
}

/// What is already written and drawn.
struct Room {
    inside: Box4,
    in_rows: bool,
    taken: Vec<Box4>,
    /// The points of the plot.
    dots: Vec<At>,
    /// The lines that lead to names, in small steps.
    leads: Vec<At>,
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
    /// The first free side of a place for a name that may lie on no line that `avoids` picks. That of a line may be further off, as there is
    /// a dot where it belongs.
    fn beside(
        &mut self,
        (across, up): At,
        text: &str,
        of_line: bool,
        avoids: impl Fn(&Ink) -> bool,
    ) -> Option<(HPos, At)> {
        // On a small screen the page makes text larger, and a line of text is higher than its letters.
        let ((w, h), gap) = (size_of(text), off(9.0));
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
        let covers = |side: &(HPos, i32, i32)| covers(*side, (w, h));
        // Beside another point it would be taken for that one's.
        let stranger = |own: &Box4| {
            let mut others = self.dots.iter().filter(|at| **at != (across, up));
            !self.in_rows && others.any(|at| from(own, *at) < off(NEAR))
        };
        let free = |side: &&(HPos, i32, i32)| {
            let own = covers(side);
            let lies_on = |at: &At| from(&own, *at) == 0;
            self.has_room(&own)
                && !stranger(&own)
                && !self.ink.iter().any(|ink| avoids(ink) && ink.at.iter().any(lies_on))
        };
        let around = if of_line { &around[..] } else { &around[..BESIDE] };
        let side = if self.in_rows { &above[..] } else { around }.iter().find(free)?;
        self.taken.push(covers(side));
        Some((side.0, (side.1, side.2)))
    }

    /// Whether a name fits in there, beside names, points and lines that lead to names.
    fn has_room(&self, own: &Box4) -> bool {
        let (left, top, right, bottom) = self.inside;
        let is_inside = own.0 >= left && own.1 >= top && own.2 <= right && own.3 <= bottom;
        is_inside
            && !self.taken.iter().any(|other| overlap(own, other))
            && !self.leads.iter().any(|at| from(own, *at) == 0)
    }

    /// The nearest free place further off for the name of a point, with the line that leads there, which crosses nothing that is written.
    fn apart(&mut self, point: At, text: &str) -> Option<Placed> {
        if self.in_rows {
            return None;
        }
        let size = size_of(text);
        let others = || self.dots.iter().filter(|dot| **dot != point);
        let apart = |a: At, b: At| (a.0 - b.0).abs().max((a.1 - b.1).abs());
        // In a crowd the line begins among other points, and leads out of it.
        let beyond = || others().filter(|dot| apart(point, **dot) >= off(CROWD));
        let is_near = |at: &At| beyond().any(|dot| apart(*at, *dot) < off(6.0));
        let free = |there: &Apart| {
            self.can_be_led(there)
                && !others().any(|dot| from(&there.own, *dot) < off(8.0))
                && !there.way.iter().any(is_near)
        };
        let found = rings(RINGS).find_map(|step| Some(Apart::of(point, step, size)).filter(free))?;
        Some(self.led(point, found))
    }

    /// Whether there is room for a name and for the line that leads to it.
    fn can_be_led(&self, there: &Apart) -> bool {
        let is_point = |of: &Box4| of.2 - of.0 <= 2 * off(5.0);
        let written = || self.taken.iter().filter(|other| !is_point(other));
        self.has_room(&there.own) && !there.way.iter().any(|at| written().any(|other| from(other, *at) == 0))
    }

    /// Takes a place that a line leads to.
    fn led(&mut self, point: At, there: Apart) -> Placed {
        self.taken.push(there.own);
        self.leads.extend(there.way);
        (there.anchor, there.at, Some((point, there.end)))
    }

    /// A place for the name of a line that goes through `at`.
    fn along<'a>(&mut self, text: &'a str, colour: Colour, own: usize, at: &[Option<At>]) -> Option<Label<'a>> {
        let (left, right) = (self.inside.0, self.inside.2);
        let known: Vec<At> = (at.iter().flatten().copied())
            .filter(|(x, y)| {
                (left..=right).contains(x) && (self.inside.1..=self.inside.3 + off(ABOVE_AXIS)).contains(y)
            })
            .collect();
        let others = || self.ink.iter().filter(|ink| ink.named && ink.of != own);
        let is_alone = |at: &At| !others().any(|ink| ink.at.iter().any(|on| near(*at, *on, off(4.0))));
        let tries = (0..TRIES).filter_map(|n| known.get(known.len().checked_sub(1 + n * known.len() / TRIES)?));
        let tries: Vec<At> = tries.copied().filter(is_alone).collect();
        let mut free = |on_grey: bool, at: At| {
            let (anchor, written) = self.beside(at, text, true, |ink| ink.named || !on_grey)?;
            let dot = Some((at, colour));
            Some(Label {
                text,
                at: written,
                anchor,
                dot,
                lead: None,
            })
        };
        let beside = tries.iter().find_map(|at| free(false, *at));
        let beside = beside.or_else(|| tries.iter().find_map(|at| free(true, *at)));
        beside.or_else(|| {
            let (point, (anchor, written, lead)) = self.off_line(&tries, text, own)?;
            Some(Label {
                text,
                at: written,
                anchor,
                dot: Some((point, colour)),
                lead,
            })
        })
    }

    /// The nearest free place off a line for its name, which lies on no line then, from the first of several places that it has to itself. The line
    /// that leads there crosses no other that has a name, if that can be.
    fn off_line(&mut self, tries: &[At], text: &str, own: usize) -> Option<(At, Placed)> {
        let size = size_of(text);
        let others = || self.ink.iter().filter(|ink| ink.named && ink.of != own);
        let is_on = |at: &At, ink: &[At]| ink.iter().any(|on| near(*at, *on, off(3.0)));
        let crosses = |at: &At| is_on(at, &self.leads) || others().any(|ink| is_on(at, &ink.at));
        let is_written_on = |of: &Box4| self.ink.iter().any(|ink| ink.at.iter().any(|at| from(of, *at) == 0));
        let places = || {
            rings(RINGS_OF_LINE).flat_map(|step| tries.iter().map(move |point| (*point, Apart::of(*point, step, size))))
        };
        let has_room = |(_, there): &(At, Apart)| self.can_be_led(there) && !is_written_on(&there.own);
        let clear = places().find(|at| has_room(at) && !at.1.way.iter().any(crosses));
        let (point, there) = clear.or_else(|| places().find(has_room))?;
        Some((point, self.led(point, there)))
    }
}

/// A place further off what it names.
struct Apart {
    anchor: HPos,
    at: At,
    own: Box4,
    /// The place of the name that is nearest to what it names, and the way there.
    end: At,
    way: Vec<At>,
}

impl Apart {
    fn of(point: At, (far, (across, up)): (f64, (f64, f64)), size: (i32, i32)) -> Apart {
        let at = (point.0 + (far * across) as i32, point.1 + (far * up) as i32);
        let anchor = if across > 0.3 {
            HPos::Left
        } else if across < -0.3 {
            HPos::Right
        } else {
            HPos::Center
        };
        let own = covers((anchor, at.0, at.1), size);
        let end = (point.0.clamp(own.0, own.2), point.1.clamp(own.1, own.3));
        Apart {
            anchor,
            at,
            own,
            end,
            way: between(&[Some(point), Some(end)]),
        }
    }
}

/// The distances, to the last ring, and directions in which a name is tried that has no room beside what it names, the nearest first.
fn rings(last: i32) -> impl Iterator<Item = (f64, (f64, f64))> {
    let far = (2..=last).map(|ring| f64::from(off(RING)) * f64::from(ring));
    far.flat_map(|far| DIRECTIONS.into_iter().map(move |direction| (far, direction)))
}

fn near(a: At, b: At, within: i32) -> bool {
    (a.0 - b.0).abs() < within && (a.1 - b.1).abs() < within
}

/// How wide and how high a name is: on a small screen and on paper the page makes text larger, and a line of text is higher than its letters.
fn size_of(text: &str) -> (i32, i32) {
    (off(1.32 * width(text)), off(1.4 * TEXT))
}

/// What a name covers that is written at a place by its left or right end or its middle.
fn covers((anchor, at, height): (HPos, i32, i32), (w, h): (i32, i32)) -> Box4 {
    let left = match anchor {
        HPos::Left => at,
        HPos::Right => at - w,
        HPos::Center => at - w / 2,
    };
    (left, height - h / 2, left + w, height + h / 2)
}

/// How far a place is from a box, along the axis on which it is further; 0 within.
fn from(own: &Box4, (x, y): At) -> i32 {
    let across = (own.0 - x).max(x - own.2).max(0);
    let up = (own.1 - y).max(y - own.3).max(0);
    across.max(up)
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
        let labels = place_labels(&shown, Vec::new(), (0, 0, 2000, 800), false);
        assert_eq!(
            labels.iter().map(|label| label.text).collect::<Vec<_>>(),
            ["first", "second"]
        );
        // The first above both, the second below.
        assert!(labels[0].at.1 < 400 && labels[1].at.1 > 430);
        // Where two lines are one, a name would be that of either.
        assert!(
            place_labels(
                &[(&a, flat(400)), (&b, flat(400))],
                Vec::new(),
                (0, 0, 2000, 800),
                false
            )
            .is_empty()
        );
    }

    #[test]
    fn a_name_beside_another_point_is_led_to_its_own() {
        let point = |label: &str| Series {
            colour: Colour::Policy(0),
            name: label.into(),
            mark: Mark::Points(vec![super::super::Point {
                x: (0.0, None),
                y: (0.0, None),
                label: label.into(),
            }]),
        };
        let crowd: Vec<Series> = (0..9).map(|n| point(if n == 4 { "middle" } else { "" })).collect();
        // Nine points in three rows, a little more than a dot apart.
        let at = |n: usize| vec![Some((900 + 48 * (n % 3) as i32, 900 + 48 * (n / 3) as i32))];
        let shown: Vec<_> = crowd.iter().enumerate().map(|(n, series)| (series, at(n))).collect();
        let labels = place_labels(&shown, Vec::new(), (0, 0, 1800, 1800), false);
        let lead = labels[0].lead.expect("a line leads to it");
        assert_eq!(lead.0, (948, 948));
    }

    #[test]
    fn a_line_amid_others_is_led_to_its_name() {
        let names: Vec<String> = (0..15).map(|n| format!("l{n}")).collect();
        let lines: Vec<Series> = names.iter().map(|name| line(name)).collect();
        let height = |n: usize| 700 + 20 * n as i32;
        let shown: Vec<_> = (lines.iter().enumerate())
            .map(|(n, line)| (line, (0..50).map(|at| Some((at * 40, height(n)))).collect()))
            .collect();
        let labels = place_labels(&shown, Vec::new(), (0, 0, 2000, 1800), false);
        assert_eq!(labels.iter().map(|label| label.text).collect::<Vec<_>>(), names);
        for (n, label) in labels.iter().enumerate() {
            let own = covers((label.anchor, label.at.0, label.at.1), size_of(label.text));
            assert!(own.3 < height(0) || own.1 > height(14), "{} lies on a line", label.text);
            let (dot, _) = label.dot.expect("a dot on its line");
            assert_eq!(dot.1, height(n));
            assert!(label.lead.is_none_or(|(from, _)| from == dot));
        }
        assert!(labels[7].lead.is_some());
    }

    #[test]
    fn where_there_is_no_room_the_legend_has_it() {
        let wide = line("a name that is wider than the whole of the plot is");
        assert!(place_labels(&[(&wide, vec![Some((10, 10)); 3])], Vec::new(), (0, 0, 300, 300), false).is_empty());
        assert!(place_labels(&[(&line("none"), vec![None; 3])], Vec::new(), (0, 0, 300, 300), false).is_empty());
    }
}

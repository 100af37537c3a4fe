//! Few points through which straight lines follow all of a sample, its mean with it.
//!
//! The values in rising order stand at the places 0, 1, … From some points that are given, the value that is furthest from its line is added
//! wherever the lines are furthest from the values between them, until the area between lines and values is small enough. A few large values among
//! many small ones are so a jump, and not a slope that makes up values between the two.

/// A place and the value there; a place between two of the sample's, or half a place beyond its ends, is allowed.
pub(crate) type Knot = (f64, f64);

/// The points from `first` on, which rise in their places, for `sorted` values: more of them until the area between lines and values is at most
/// `off` of the values' sum, or there are `most` lines.
pub(crate) fn knots<T: Copy + Into<f64>>(sorted: &[T], first: &[Knot], off: f64, most: usize) -> Vec<Knot> {
    let mut lines: Vec<Line> = first.windows(2).map(|two| Line::of(sorted, two[0], two[1])).collect();
    let sum: f64 = sorted.iter().map(|x| (*x).into()).sum();
    loop {
        let area: f64 = lines.iter().map(|line| line.area).sum();
        let worst = lines
            .iter()
            .enumerate()
            .filter_map(|(number, line)| Some((number, line, line.furthest?)))
            .max_by(|a, b| a.1.area.total_cmp(&b.1.area));
        let Some((number, line, middle)) = worst.filter(|_| area > off * sum && lines.len() < most) else {
            break;
        };
        let halves = [
            Line::of(sorted, line.from, middle),
            Line::of(sorted, middle, line.until),
        ];
        lines.splice(number..=number, halves);
    }
    let last = first.last().copied();
    lines.iter().map(|line| line.from).chain(last).collect()
}

/// A line between two points, and what lies between them.
struct Line {
    from: Knot,
    until: Knot,
    /// The sum of how far values are from the line.
    area: f64,
    /// The value that is furthest from the line, where one is off it.
    furthest: Option<Knot>,
}

impl Line {
    fn of<T: Copy + Into<f64>>(sorted: &[T], from: Knot, until: Knot) -> Line {
        let slope = (until.1 - from.1) / (until.0 - from.0);
        let (mut area, mut worst, mut furthest) = (0.0, 0.0, None);
        let [begin, end] = [from.0.floor() + 1.0, until.0.ceil()].map(|place| place.max(0.0) as usize);
        for (place, x) in sorted.iter().enumerate().take(end).skip(begin) {
            let (place, x): (f64, f64) = (place as f64, (*x).into());
            let off = (x - from.1 - slope * (place - from.0)).abs();
            area += off;
            if off > worst {
                (worst, furthest) = (off, Some((place, x)));
            }
        }
        Line {
            from,
            until,
            area,
            furthest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_furthest_from_its_line_comes_first() {
        let sorted = [0.0, 1.0, 2.0, 9.0, 10.0];
        let ends = [(0.0, 0.0), (4.0, 10.0)];
        assert_eq!(knots(&sorted, &ends, 0.0, 1), ends);
        // Of 2.5, 5 and 7.5 on the line 1, 2 and 9 are 1.5, 3 and 1.5 away.
        assert_eq!(knots(&sorted, &ends, 0.0, 2), [(0.0, 0.0), (2.0, 2.0), (4.0, 10.0)]);
        // Of a sum of 22 the lines are 3 off then, at 9, which is above 6.
        assert_eq!(knots(&sorted, &ends, 0.2, 9).len(), 3);
        assert_eq!(knots(&sorted, &ends, 0.1, 9).len(), 4);
    }

    #[test]
    fn points_may_lie_beside_the_values() {
        let ends = [(-0.5, 1.0), (0.5, 2.0), (3.5, 2.0)];
        assert_eq!(knots(&[1_u32, 2, 2, 2], &ends, 1.0, 9), ends);
        let more = knots(&[1_u32, 2, 2, 8], &[(-0.5, 1.0), (3.5, 8.0)], 0.0, 99);
        assert_eq!(more.len(), 6, "{more:?}");
    }
}

//! The difference of two texts as a unified diff: three lines around each change, as `patch` takes it.
//!
//! The shortest edit script by Myers' greedy algorithm (Algorithmica 1, 1986): its time is that of the lines times the changes, which are
//! few. Line ends are part of their lines; a last line without one is told.

use std::fmt::Write;

/// Lines around a change.
const AROUND: usize = 3;

/// A line of the script.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Both(usize, usize),
    Old(usize),
    New(usize),
}

/// The difference from `old` to `new`, headed by `name`; empty if there is none.
pub fn unified(name: &str, old: &str, new: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let script = script(&a, &b);
    let changed: Vec<usize> = (script.iter().enumerate())
        .filter(|(_, line)| !matches!(line, Line::Both(..)))
        .map(|(at, _)| at)
        .collect();
    if changed.is_empty() {
        return String::new();
    }
    let mut out = format!("--- {name}\n+++ {name}\n");
    let mut at = 0;
    while at < changed.len() {
        let first = changed[at];
        let mut last = first;
        while at < changed.len() && changed[at] <= last + 2 * AROUND {
            last = changed[at];
            at += 1;
        }
        let hunk = &script[first.saturating_sub(AROUND)..(last + AROUND + 1).min(script.len())];
        hunk_of(&mut out, hunk, &script[..first.saturating_sub(AROUND)], &a, &b);
    }
    out
}

fn hunk_of(out: &mut String, hunk: &[Line], before: &[Line], a: &[&str], b: &[&str]) {
    let count = |lines: &[Line], new: bool| {
        let is_it = |line: &&Line| match line {
            Line::Both(..) => true,
            Line::Old(_) => !new,
            Line::New(_) => new,
        };
        lines.iter().filter(is_it).count()
    };
    let range = |new: bool| {
        let (start, n) = (count(before, new), count(hunk, new));
        // A range of nothing is named by the line before it.
        let start = if n == 0 { start } else { start + 1 };
        if n == 1 {
            start.to_string()
        } else {
            format!("{start},{n}")
        }
    };
    let _ = writeln!(out, "@@ -{} +{} @@", range(false), range(true));
    for line in hunk {
        let (mark, text) = match *line {
            Line::Both(i, _) => (' ', a[i]),
            Line::Old(i) => ('-', a[i]),
            Line::New(j) => ('+', b[j]),
        };
        out.push(mark);
        out.push_str(text);
        if !text.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
}

/// The shortest script from `a` to `b`.
fn script(a: &[&str], b: &[&str]) -> Vec<Line> {
    let head = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let room = a.len().min(b.len()) - head;
    let tails = a.iter().rev().zip(b.iter().rev());
    let tail = tails.take(room).take_while(|(a, b)| a == b).count();
    let (n, m) = (a.len() - head - tail, b.len() - head - tail);
    let rounds = rounds(&a[head..head + n], &b[head..head + m]);
    let mut middle = Vec::new();
    let (mut x, mut y) = (n as isize, m as isize);
    let line = |at: isize| head + at as usize;
    for d in (1..rounds.len()).rev() {
        let (down, from) = step(&rounds[d - 1], x - y);
        let before = from - if down { x - y + 1 } else { x - y - 1 };
        let after = if down { (from, before + 1) } else { (from + 1, before) };
        while x > after.0 {
            (x, y) = (x - 1, y - 1);
            middle.push(Line::Both(line(x), line(y)));
        }
        middle.push(if down {
            Line::New(line(before))
        } else {
            Line::Old(line(from))
        });
        (x, y) = (from, before);
    }
    while x > 0 {
        (x, y) = (x - 1, y - 1);
        middle.push(Line::Both(line(x), line(y)));
    }
    middle.reverse();
    let first = (0..head).map(|i| Line::Both(i, i));
    let last = (0..tail).map(|i| Line::Both(head + n + i, head + m + i));
    first.chain(middle).chain(last).collect()
}

/// How far each diagonal reaches after each number of changes, d: entry `k + d` of round d is that of diagonal `k`.
fn rounds(x: &[&str], y: &[&str]) -> Vec<Vec<isize>> {
    let (n, m) = (x.len() as isize, y.len() as isize);
    let mut rounds: Vec<Vec<isize>> = Vec::new();
    for d in 0..=n + m {
        let mut now = vec![0; (2 * d + 1) as usize];
        for k in (-d..=d).step_by(2) {
            let mut i = match rounds.last() {
                None => 0,
                Some(before) => {
                    let (down, from) = step(before, k);
                    if down { from } else { from + 1 }
                }
            };
            while i < n && i - k < m && x[i as usize] == y[(i - k) as usize] {
                i += 1;
            }
            now[(k + d) as usize] = i;
            if i >= n && i - k >= m {
                rounds.push(now);
                return rounds;
            }
        }
        rounds.push(now);
    }
    rounds
}

/// Where diagonal `k` comes from in the round `before`: whether by a new line, and how far that one reached.
fn step(before: &[isize], k: isize) -> (bool, isize) {
    let d = before.len() as isize / 2;
    let at = |k: isize| (k.abs() <= d).then(|| before[(k + d) as usize]);
    match (at(k - 1), at(k + 1)) {
        (Some(left), Some(right)) if left >= right => (false, left),
        (Some(left), None) => (false, left),
        (_, Some(right)) => (true, right),
        (None, None) => (true, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_stand_among_three_lines() {
        let old: String = (1..=20).map(|n| format!("{n}\n")).collect();
        let new = old.replace("\n5\n", "\nfive\n").replace("\n18\n", "\n18\nmore\n");
        assert_eq!(
            unified("x", &old, &new),
            "--- x\n+++ x\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n@@ -16,5 +16,6 @@\n 16\n 17\n 18\n+more\n 19\n 20\n"
        );
        assert_eq!(unified("x", &old, &old), "");
    }

    #[test]
    fn a_last_line_without_an_end_is_told() {
        let said = unified("x", "a\nb", "a\nc");
        assert_eq!(
            said,
            "--- x\n+++ x\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n"
        );
    }

    /// Random texts: the script says both of them, and has no more changes than the dynamic programme finds.
    #[test]
    fn the_script_is_right_and_shortest() {
        let mut state = 5_u64;
        let mut draw = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let words = ["a\n", "b\n", "c\n"];
        for _ in 0..500 {
            let text = |draw: &mut dyn FnMut(u64) -> u64| -> Vec<&str> {
                (0..draw(9)).map(|_| words[draw(3) as usize]).collect()
            };
            let (a, b) = (text(&mut draw), text(&mut draw));
            let script = script(&a, &b);
            let old = script.iter().filter_map(|line| match line {
                Line::Both(i, _) | Line::Old(i) => Some(a[*i]),
                Line::New(_) => None,
            });
            assert_eq!(old.collect::<Vec<_>>(), a);
            let new = script.iter().filter_map(|line| match line {
                Line::Both(_, j) | Line::New(j) => Some(b[*j]),
                Line::Old(_) => None,
            });
            assert_eq!(new.collect::<Vec<_>>(), b);
            let mut common = vec![vec![0_usize; b.len() + 1]; a.len() + 1];
            for i in 0..a.len() {
                for j in 0..b.len() {
                    common[i + 1][j + 1] = match a[i] == b[j] {
                        true => common[i][j] + 1,
                        false => common[i][j + 1].max(common[i + 1][j]),
                    };
                }
            }
            let both = script.iter().filter(|line| matches!(line, Line::Both(..))).count();
            assert_eq!(both, common[a.len()][b.len()]);
        }
    }
}

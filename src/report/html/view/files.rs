//! The plots of the page as files of their own: pictures in SVG that bring their title, caption, legend and colours along.
//!
//! A plot is drawn as on the page and set into a picture that is larger by its words. It is light or dark as its viewer is.
//! Left out: the figures that the page shows where a reader points.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::Figure;
use super::keys::{Key, Keys};
use super::pictures::{pictures, shares, waterfall};
use crate::report::Report;
use crate::report::chart::{Error, escaped};

/// About how wide a character is, as a share of the size of its font.
const CHARACTER: f64 = 0.53;
/// Around everything, in pixels.
const MARGIN: f64 = 16.0;
/// The longest name of a file, without its ending.
const LONGEST: usize = 60;

const STYLE: &str = "\
text { fill: var(--ink); font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif; }
.quiet { fill: var(--muted); }
.chart { overflow: visible; }
.chart text { paint-order: stroke; stroke: var(--paper); stroke-width: 12px; stroke-linejoin: round; }
";

/// The name and the text of a file for each plot of the page; `palette` has the page's colours.
pub(in crate::report::html) fn files(report: &Report, palette: &str) -> Result<Vec<(String, String)>, Error> {
    let keys = Keys::of(report);
    let all = (0..report.policies.len()).map(|place| keys.at(place));
    let named: Vec<Key> = all.filter(|key| key.named).collect();
    let mut taken = BTreeSet::new();
    let mut files = Vec::new();
    for figure in pictures(report)? {
        let legend = if figure.legend.is_empty() {
            &named
        } else {
            &figure.legend
        };
        files.push((name(&figure.title, &mut taken), picture(&figure, legend, palette)));
    }
    for share in shares(report)? {
        let title = format!("attempts {}", share.figure.title);
        files.push((name(&title, &mut taken), picture(&share.figure, &share.legend, palette)));
    }
    for policy in &report.policies {
        if let Some(figure) = waterfall(report, policy)? {
            files.push((name(&figure.title, &mut taken), picture(&figure, &[], palette)));
        }
    }
    Ok(files)
}

/// A name that is not taken yet, of letters, digits and dashes.
fn name(title: &str, taken: &mut BTreeSet<String>) -> String {
    let mut plain = String::new();
    for c in title.chars() {
        if c.is_ascii_alphanumeric() {
            plain.push(c.to_ascii_lowercase());
        } else if !plain.is_empty() && !plain.ends_with('-') {
            plain.push('-');
        }
    }
    plain.truncate(LONGEST);
    let plain = plain.trim_end_matches('-');
    let mut name = plain.to_owned();
    let mut number = 1;
    while !taken.insert(name.clone()) {
        number += 1;
        name = format!("{plain}-{number}");
    }
    name + ".svg"
}

/// The plot with its words.
fn picture(figure: &Figure, legend: &[Key], palette: &str) -> String {
    let (wide, high) = (f64::from(figure.size.0), f64::from(figure.size.1));
    let mut words = String::new();
    let mut y = MARGIN;
    let mut write = |text: &str, size: f64, class: &str, y: &mut f64| {
        for line in lines(text, wide / (CHARACTER * size)) {
            *y += 1.3 * size;
            // Writing to a string does not fail.
            let _ = writeln!(
                words,
                "<text x=\"{MARGIN}\" y=\"{y:.1}\" font-size=\"{size}\"{class}>{}</text>",
                escaped(&line)
            );
        }
    };
    write(&figure.title, 15.0, " font-weight=\"600\"", &mut y);
    write(&figure.caption, 11.0, " class=\"quiet\"", &mut y);
    let top = y + 8.0;
    y = top + high + 8.0;
    let mut x = MARGIN;
    for key in legend {
        let across = 18.0 + CHARACTER * 11.0 * key.name.chars().count() as f64 + 14.0;
        if x > MARGIN && x + across > MARGIN + wide {
            x = MARGIN;
            y += 17.0;
        }
        let _ = writeln!(
            words,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"11\" height=\"11\" rx=\"2.5\" fill=\"var({})\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" font-size=\"11\">{}</text>",
            key.colour,
            x + 17.0,
            y + 9.5,
            escaped(&key.name)
        );
        x += across;
    }
    let (all_wide, all_high) = (wide + 2.0 * MARGIN, y + 17.0 + MARGIN);
    let place = format!("<svg x=\"{MARGIN}\" y=\"{top:.1}\" width=\"{wide}\" height=\"{high}\" ");
    let whole = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {all_wide} {all_high:.1}\" width=\"{}\" height=\"{:.1}\" role=\"img\" \
         aria-label=\"{}\">\n<style>\n{palette}{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"var(--paper)\"/>\n{words}{}\n</svg>\n",
        2.0 * all_wide,
        2.0 * all_high,
        escaped(&figure.title),
        figure.svg.replacen("<svg ", &place, 1)
    );
    // XML has no place for control characters, and a name may have any.
    crate::report::html::plain(&whole)
}

/// The text in lines of at most so many characters; a word that is longer has a line of its own.
fn lines(text: &str, most: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if ((line.chars().count() + 1 + word.chars().count()) as f64) <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

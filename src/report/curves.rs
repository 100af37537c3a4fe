//! A page of curves and maps with what follows from them: of a sweep, of a search for a capacity. It needs no network and no script.

use minijinja::{Value, context};

use super::chart::Chart;
use super::html::{Error, PALETTE, environment};

const PAGE: &str = include_str!("curves.html");
const STYLE: &str = include_str!("../calibrate/page.css");

/// What stands on the page, from top to bottom.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// The title of the page.
    pub(super) title: String,
    /// What follows from the pictures, in sentences.
    pub(super) sentences: Vec<String>,
    /// What to know of them, in sentences.
    pub(super) warnings: Vec<String>,
    /// The curves, as [`figure`] makes them.
    pub(super) charts: Vec<Value>,
    /// The maps: a title, a corner, heads and rows each.
    pub(super) heats: Vec<Value>,
    /// The tables as the terminal has them.
    pub(super) text: String,
    /// What is not modelled, in a clause; may be empty.
    pub(super) assumptions: String,
}

/// A curve with its name and what it shows.
///
/// # Errors
/// If it cannot be drawn.
pub(super) fn figure(name: &str, caption: &str, chart: &Chart) -> Result<Value, Error> {
    let svg = Value::from_safe_string(chart.svg()?);
    Ok(context! { name => name, caption => caption, svg => svg })
}

impl Page {
    /// The page in HTML.
    ///
    /// # Errors
    /// If the template cannot be filled in.
    pub(super) fn html(self) -> Result<String, Error> {
        Ok(environment().render_str(
            PAGE,
            context! {
                style => STYLE,
                palette => PALETTE,
                title => self.title,
                sentences => self.sentences,
                warnings => self.warnings,
                charts => self.charts,
                heats => self.heats,
                text => self.text,
                assumptions => self.assumptions,
            },
        )?)
    }
}

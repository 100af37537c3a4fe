//! A backtest as one HTML page: the answer, the table, and a Q–Q plot for each quantity.

use super::{Backtest, text};
use crate::calibrate::validate::{Pairs, page as validation};
use crate::report::html::Error;
use crate::report::terminal::Style;

/// Renders the HTML page of a backtest.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn page(found: &Backtest) -> Result<String, Error> {
    let pairs: Vec<&Pairs> = found.times.iter().map(|times| &times.pairs).collect();
    let style = Style {
        width: 110,
        colour: false,
    };
    let title = format!("{} against its log", found.experiment);
    validation::of(&title, &text::sentence(found), &text::text(found, &style), &pairs)
}

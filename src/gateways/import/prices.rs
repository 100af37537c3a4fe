//! What a token costs at a provider of a gateway: what its configuration says, and else what a price table has of its model.

use super::assumptions::model;
use crate::experiment::model::BUILT_IN_PRICES;
use crate::form::units::TokenPrice;
use crate::gateways::model::Member;
use crate::import::prices;
use crate::provider::pricing::listed::{Prices, Table};

/// The price table that is built in.
pub fn built_in_prices() -> Table {
    let file = serde_json::from_str(BUILT_IN_PRICES).unwrap_or_default();
    prices::table(&file).unwrap_or_default()
}

/// The name of a model without what tells its releases apart: `claude-haiku-4-5` of `claude-haiku-4-5-20251001-v1:0`.
fn released(name: &str) -> &str {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let version = |text: &str| is_number(text.split(':').next().unwrap_or(""));
    let name = name
        .rsplit_once("-v")
        .filter(|(_, end)| version(end))
        .map_or(name, |(name, _)| name);
    let name = name.strip_suffix("-latest").unwrap_or(name);
    let is_date = |end: &str| end.len() == 8 && is_number(end) && end.starts_with("20");
    let dated = name.rsplit_once(['-', '@']).filter(|(_, end)| is_date(end));
    dated.map_or(name, |(name, _)| name)
}

/// The last part of a model's name, without what tells one release of it from another.
pub(super) fn last_name(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or("").to_ascii_lowercase();
    let last = last.rsplit_once("anthropic.").map_or(last.as_str(), |(_, name)| name);
    released(last).to_owned()
}

/// The name by which `table` has the model `name`, and its prices.
pub(super) fn listed<'a>(name: &str, table: &'a Table) -> Option<(&'a str, &'a Prices)> {
    let last = last_name(name);
    let names = [name, name.split_once('/').map_or(name, |(_, rest)| rest), last.as_str()];
    let (name, prices) = names.iter().find_map(|name| table.models.get_key_value(*name))?;
    Some((name.as_str(), prices))
}

/// Dollars a token of input and of output at `member` of `group`: what the configuration says, and else what `table` does.
pub(in crate::gateways) fn price_of(member: &Member, group: &str, table: &Table) -> Option<(f64, f64)> {
    let a_token = |price: TokenPrice| price.picodollars() as f64 / 1e12;
    match member.own_price {
        Some(own) => Some(own),
        None if member.local => Some((0.0, 0.0)),
        None => {
            let (_, prices) = listed(model(member, group), table)?;
            Some((a_token(prices.standard.input), a_token(prices.standard.output)))
        }
    }
}

/// A price of a token as an experiment has it.
pub(super) fn dollars(a_token: f64) -> String {
    // Prices have few digits; what multiplying adds is cut off.
    format!("${}/Mtok", (a_token * 1e12).round() / 1e6)
}

//! Any bytes as a gateway's configuration: no panic, no secret shown, and what is read becomes an experiment or a message; it does not
//! differ from itself.

use simcap::gateways::diff::{self, diff};
use simcap::gateways::import::{Assumptions, built_in_prices, experiment};
use simcap::gateways::{self, show, source};
use simcap::report::terminal::Style;

/// Panics where what holds of any bytes does not hold of these.
pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let config = match source::from_text("fuzz.yaml", text) {
        Ok(config) => config,
        Err(refused) => {
            let said = refused.to_string();
            assert!(said.starts_with("fuzz.yaml: ") && said.len() < 2_000, "{said}");
            return;
        }
    };
    for product in gateways::products() {
        let Ok(gateway) = gateways::read(&config, Some(product)) else {
            continue;
        };
        let shown = show::text(
            &gateway,
            &Style {
                width: 80,
                colour: false,
            },
            true,
        );
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'));
        let _ = (
            show::json(&gateway),
            show::markdown(&gateway),
            show::sarif(&gateway),
            show::ledger(&gateway),
        );
        if let Ok(found) = diff(&gateway, &gateway, &built_in_prices()) {
            assert!(found.changes.is_empty() && found.raised.is_empty() && found.keys.is_empty());
            let _ = diff::markdown(&found, None);
        }
        let assumed = Assumptions::of(&gateway, &built_in_prices());
        let made = experiment(&gateway, &assumed, "fuzz").to_string();
        let _ = simcap::experiment::load::from_text("fuzz.json", &made);
    }
}

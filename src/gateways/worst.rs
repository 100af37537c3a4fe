//! What one request costs at worst: every attempt that hangs billed whole, as a provider may bill an answer that the caller no longer
//! waits for.

use super::import::{MEDIANS, price_of};
use super::model::{Gateway, Group};
use crate::provider::pricing::listed::Table;

/// What one request of a group costs in dollars, of as many tokens as the median of a class is assumed to have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// If the first attempt answers: at the cheapest and at the dearest of the group's own members.
    pub answered: (f64, f64),
    /// If every attempt hangs that may, each at the dearest member that it may reach, and each is billed whole.
    pub worst: f64,
}

/// What one request of `group` costs by the prices that the configuration says, and else by those of `prices`; none if a member that it
/// may reach has no known price.
pub fn cost(gateway: &Gateway, group: &Group, prices: &Table) -> Option<Cost> {
    let of_groups = |group: &Group| -> Option<(f64, f64)> {
        let mut bounds = None;
        for member in &group.members {
            let (input, output) = price_of(member, &group.name, prices)?;
            let one = MEDIANS.0 as f64 * input + MEDIANS.1 as f64 * output;
            let (least, most) = bounds.unwrap_or((one, one));
            bounds = Some((f64::min(least, one), f64::max(most, one)));
        }
        bounds
    };
    let answered = of_groups(group)?;
    let further = group.chain.iter().filter(|name| **name != group.name);
    let reached: Vec<&Group> = std::iter::once(group)
        .chain(further.filter_map(|name| gateway.groups.iter().find(|group| group.name == *name)))
        .collect();
    let dearest: Vec<f64> = reached
        .iter()
        .map(|group| of_groups(group).map(|(_, most)| most))
        .collect::<Option<_>>()?;
    // Failures that are answered at once, like a 429, are not billed.
    let total = group.hanging_attempts();
    // Where each group's own attempts add up to those of the request they are billed at its own price, and else at the highest.
    let own = |group: &&Group| {
        let cases = group.cases.iter().filter(|case| !case.is_of_chain && case.is_hanging());
        cases.map(|case| case.attempts).max().unwrap_or(0)
    };
    let attempts: Vec<u64> = reached.iter().map(own).collect();
    let worst = if attempts.iter().sum::<u64>() == total {
        attempts.iter().zip(&dearest).map(|(n, price)| *n as f64 * price).sum()
    } else {
        total as f64 * dearest.iter().copied().fold(0.0, f64::max)
    };
    Some(Cost { answered, worst })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateways::import::built_in_prices;
    use crate::gateways::{read, source};

    fn of(config: &str, name: &str) -> Option<Cost> {
        let gateway = read(
            &source::from_text("litellm.yaml", config).expect("reads"),
            Some("litellm"),
        )
        .expect("reads");
        let group = gateway
            .groups
            .iter()
            .find(|group| group.name == name)
            .expect("is there");
        cost(&gateway, group, &built_in_prices())
    }

    /// Two attempts at $2 and $8 a million, then three at $0.4 and $1.6: 800 in and 200 out are $0.0032 and $0.00064.
    #[test]
    fn each_group_is_billed_at_its_own_price() {
        let config = "
model_list:
  - { model_name: big, litellm_params: { model: openai/a, input_cost_per_token: 0.000002, output_cost_per_token: 0.000008, num_retries: 1 } }
  - { model_name: small, litellm_params: { model: openai/b, input_cost_per_token: 0.0000004, output_cost_per_token: 0.0000016, num_retries: 2 } }
router_settings: { fallbacks: [{ big: [small] }] }
";
        let found = of(config, "big").expect("is priced");
        assert!((found.answered.0 - 0.0032).abs() < 1e-12 && found.answered.0 == found.answered.1);
        assert!(
            (found.worst - (2.0 * 0.0032 + 3.0 * 0.00064)).abs() < 1e-12,
            "{found:?}"
        );
    }

    /// Nothing is told of a group that may reach what has no price.
    #[test]
    fn a_price_that_is_not_known_is_not_made_up() {
        let config = "
model_list:
  - { model_name: big, litellm_params: { model: openai/gpt-4.1 } }
  - { model_name: small, litellm_params: { model: openai/nobody-knows } }
router_settings: { fallbacks: [{ big: [small] }] }
";
        assert_eq!(of(config, "big"), None);
        assert_eq!(of(config, "small"), None);
    }
}

//! One traffic for two configurations.
//!
//! Callers ask for names, and one of the two may lack a name. What both have must come as often in both, so each side has its part of the
//! rate: that of the classes that it has, out of all. Left out: callers of a name that is gone, whose requests would be refused; that is told.

use serde_json::{Map, Value};

use crate::gateways::import::Assumptions;
use crate::gateways::import::callers::part;

/// Gives both the same rate of every class that both have, and says which classes only one of them has.
pub fn level(old: &mut Assumptions, new: &mut Assumptions) -> Vec<String> {
    let lacks = |these: &Map<String, Value>, those: &Map<String, Value>| -> Vec<String> {
        these
            .keys()
            .filter(|name| !those.contains_key(*name))
            .cloned()
            .collect()
    };
    let (gone, added) = (lacks(&old.classes, &new.classes), lacks(&new.classes, &old.classes));
    if gone.is_empty() && added.is_empty() {
        return Vec::new();
    }
    let share = |class: &Value| class.get("share").and_then(Value::as_f64).unwrap_or(1.0);
    let sum = |classes: &Map<String, Value>| classes.values().map(share).sum::<f64>();
    let further: f64 = added.iter().filter_map(|name| new.classes.get(name)).map(share).sum();
    let all = sum(&old.classes) + further;
    for side in [old, new] {
        side.rate = part(&side.rate, sum(&side.classes) / all);
    }
    let said = |names: &[String], only: &str| {
        let what = format!(
            "only {only} has what {} asks for; it is simulated there alone",
            names.join(", ")
        );
        (!names.is_empty()).then_some(what)
    };
    said(&gone, "the first")
        .into_iter()
        .chain(said(&added, "the second"))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn assumed(classes: Value) -> Assumptions {
        Assumptions {
            rate: "120/min".to_owned(),
            classes: classes.as_object().unwrap().clone(),
            ..Assumptions::default()
        }
    }

    /// Of 2/s a asks for three quarters of what the first has: 1.2/s and 0.4/s beside 0.4/s that only the second has.
    #[test]
    fn what_both_have_comes_as_often_in_both() {
        let mut old = assumed(json!({ "a": { "share": 3 }, "b": { "share": 1 } }));
        let mut new = assumed(json!({ "a": { "share": 3 }, "b": { "share": 1 }, "c": { "share": 1 } }));
        let said = level(&mut old, &mut new);
        assert_eq!(
            (old.rate.as_str(), new.rate.as_str()),
            ("1.600000000/s", "2.000000000/s")
        );
        assert_eq!(
            said,
            ["only the second has what c asks for; it is simulated there alone"]
        );
        let (mut one, mut same) = (old.clone(), old.clone());
        assert!(level(&mut one, &mut same).is_empty() && one == same && one == old);
    }
}

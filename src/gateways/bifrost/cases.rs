//! What Bifrost does when something fails, in closed form.
//!
//! A request draws a provider by weight and a key of it by weight. After a 429 each retry takes another key, after a back-off; after a 500 or a
//! timeout the same key, after a back-off; after a 401 another key at once. When the retries of a provider are used up the next one is
//! asked, with all of its own; when all have failed the caller is told of the first provider's failure. A back-off is
//! min(initial × 2ᵏ, max) × U(0.8, 1.2).

use super::Network;
use crate::gateways::model::Case;
use crate::gateways::show::some;
use crate::report::format::share;

/// The bounds of the factor of a back-off.
const JITTER: (f64, f64) = (0.8, 1.2);

/// A provider of a group.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) network: Network,
    /// Keys that allow the model.
    pub(super) keys: u64,
    pub(super) weight: f64,
}

impl Part {
    fn tries(&self) -> u64 {
        self.network.retries + 1
    }

    fn waits(&self) -> (f64, f64) {
        let waits = self.network.waits();
        (waits * JITTER.0, waits * JITTER.1)
    }
}

/// The cases of a group of these providers, the most attempts of a request, and the longest that it takes in seconds.
pub(super) fn of(parts: &[Part]) -> (Vec<Case>, u64, f64) {
    let attempts = parts.iter().map(Part::tries).sum::<u64>();
    let waits = parts.iter().map(Part::waits);
    let (least, most) = waits.fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
    let hung = parts.iter().map(|part| part.network.timeout * part.tries() as f64);
    let hung = hung.sum::<f64>();
    let keys = parts.iter().map(|part| part.keys).sum::<u64>();
    let mut cases = ones(parts);
    let told = if parts.len() > 1 { "the first provider's " } else { "" };
    let when = |many, one| if keys > 1 { many } else { one };
    let again = if keys > 1 { "each retry takes another key; " } else { "" };
    cases.push(Case::new(
        when("all answer 429", "it answers 429"),
        attempts,
        (least, most),
        format!("{again}the caller is told {told}429"),
    ));
    cases.push(Case::new(
        when("all answer 500", "it answers 500"),
        attempts,
        (least, most),
        format!("each retry takes the same key; the caller is told {told}500"),
    ));
    cases.push(Case::new(
        when("all hang", "it hangs"),
        attempts,
        (hung + least, hung + most),
        format!("the caller is told {told}timeout"),
    ));
    cases.push(Case::new(
        when("all refuse the key (401)", "it refuses the key (401)"),
        keys,
        (0.0, 0.0),
        "every key is tried once; the caller is told a 502",
    ));
    (cases, attempts, hung + most)
}

/// What happens when one key fails and all others are well, by the provider that was drawn.
fn ones(parts: &[Part]) -> Vec<Case> {
    if parts.iter().map(|part| part.keys).sum::<u64>() < 2 {
        return Vec::new();
    }
    let sum: f64 = parts.iter().map(|part| part.weight).sum();
    let mut told: Vec<(Vec<String>, Vec<Case>)> = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let others = parts.iter().enumerate().filter(|(other, _)| *other != number);
        let next = some(others.map(|(_, other)| other.name.as_str()), " or ");
        let cases = one(part, &next);
        let branch = format!("{}: {} of the requests", part.name, share(part.weight / sum));
        match told.iter_mut().find(|(_, known)| *known == cases) {
            Some((names, _)) => names.push(branch),
            None => told.push((vec![branch], cases)),
        }
    }
    let several = parts.len() > 1;
    let each = told.into_iter().flat_map(|(names, cases)| {
        let branch = if several { names.join("; ") } else { String::new() };
        cases.into_iter().map(move |case| case.of_branch(&branch))
    });
    each.collect()
}

/// What happens when one key of the provider fails; `next` are the other providers, of which one is asked when its tries are used up.
fn one(part: &Part, next: &str) -> Vec<Case> {
    let (least, most) = part.waits();
    let when = |several, alone| if part.keys > 1 { several } else { alone };
    // All tries meet the one that fails.
    let spent = |when, seconds: (f64, f64), told: &str| {
        let again = if part.tries() > 1 {
            "the same key each time; "
        } else {
            ""
        };
        match next {
            "" => Case::new(when, part.tries(), seconds, format!("{again}the caller is told {told}")),
            next => Case::new(when, part.tries() + 1, seconds, format!("{again}then {next} answers")),
        }
    };
    let first = part.network.wait(0);
    let limited = match (part.keys, part.network.retries) {
        (2.., 1..) => {
            let seconds = (first * JITTER.0, first * JITTER.1);
            Case::new("one key answers 429", 2, seconds, "another key of the provider answers")
        }
        _ => spent(
            when("one key answers 429", "its key answers 429"),
            (least, most),
            "the 429",
        ),
    };
    let hung = part.network.timeout * part.tries() as f64;
    let refused = match (part.keys, next) {
        (2.., _) => Case::new(
            "one key is refused",
            2,
            (0.0, 0.0),
            "another key of the provider answers",
        ),
        (_, "") => Case::new("its key is refused", 1, (0.0, 0.0), "the caller is told a 502"),
        (_, next) => Case::new("its key is refused", 2, (0.0, 0.0), format!("then {next} answers")),
    };
    vec![
        limited,
        spent(
            when("one key answers 500", "its key answers 500"),
            (least, most),
            "the 500",
        ),
        spent(
            when("one key hangs", "its key hangs"),
            (hung + least, hung + most),
            "the timeout",
        ),
        refused,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, retries: u64, keys: u64, weight: f64) -> Part {
        Part {
            name: name.to_owned(),
            network: Network {
                retries,
                initial: 0.5,
                most: 5.0,
                timeout: 30.0,
                idle: 120.0,
            },
            keys,
            weight,
        }
    }

    #[test]
    fn a_429_rotates_the_key_and_a_500_keeps_it_until_the_next_provider_is_asked() {
        let (cases, attempts, worst) = of(&[part("openai", 2, 2, 0.8), part("azure", 0, 1, 0.2)]);
        let find = |branch: &str, when: &str| {
            let found = cases
                .iter()
                .find(|case| case.branch.starts_with(branch) && case.when == when);
            let case = found.unwrap_or_else(|| panic!("{branch} {when}: {cases:#?}"));
            (case.attempts, case.seconds, case.then.as_str())
        };
        let rotated = "another key of the provider answers";
        assert_eq!(find("openai: 80.0 %", "one key answers 429"), (2, (0.4, 0.6), rotated));
        let (tries, (least, most), then) = find("openai", "one key answers 500");
        // Three at the same key with 0.5 and 1 s between them, and the one that azure answers.
        assert_eq!((tries, then), (4, "the same key each time; then azure answers"));
        assert!((least - 1.2).abs() < 1e-9 && (most - 1.8).abs() < 1e-9);
        let asked = find("azure: 20.0 %", "its key answers 429");
        assert_eq!(asked, (2, (0.0, 0.0), "then openai answers"));
        assert_eq!(find("", "all answer 429").0, 4);
        assert_eq!(attempts, 4);
        assert!((worst - (120.0 + 1.8)).abs() < 1e-9);
    }

    #[test]
    fn one_key_alone_has_no_others_that_are_well() {
        let (cases, ..) = of(&[part("openai", 1, 1, 1.0)]);
        assert_eq!(cases[0].when, "it answers 429");
        assert_eq!(cases.len(), 4);
    }
}

//! The table of quantities: everything that a metric can be of.
//!
//! One entry holds all that is known of a quantity: what it is called in files and by people, its unit, which way is better,
//! where it lies in a tally, whether an objective on it bounds goodput, whether it can be told of one provider, and which
//! metrics of it every report shows and where. Whatever lists, judges, compares or shows metrics reads this table. The macro makes
//! the enum and the table from the same lines, so that no quantity is without its entry.

use super::Statistic;
use crate::words::Unit;

/// All that is known of a quantity.
#[derive(Debug)]
pub struct Row {
    /// The name of the quantity in files.
    pub name: &'static str,
    /// The name of the quantity for people, before the statistic.
    pub title: &'static str,
    /// The heading of a narrow column for the quantity.
    pub short: &'static str,
    /// The description of the quantity, for the schema.
    pub about: &'static str,
    /// The unit of the quantity.
    pub unit: Unit,
    /// The direction that is better.
    pub better: Better,
    /// What the name of a metric of this quantity has after the dot.
    pub takes: Takes,
    /// Where a tally holds the quantity.
    pub lies: Lies,
    /// Whether a success must keep to an objective on the quantity in order to count as goodput.
    pub bounds_goodput: bool,
    /// Why the quantity cannot be told of one provider, and what to ask for instead; `None` if it can.
    pub not_of_provider: Option<&'static str>,
    /// The metrics of the quantity that every report holds, in the order of tables.
    pub standard: &'static [Standard],
}

/// The direction in which a quantity is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Lower values are better.
    Lower,
    /// Higher values are better.
    Higher,
    /// More successes are better, and less of every other outcome.
    Successes,
}

/// What the name of a metric has after the quantity and a dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: the quantity is one number.
    Nothing,
    /// A statistic of its distribution: `mean`, `p95`.
    Statistic,
    /// An outcome: `rate_limited`.
    Outcome,
}

/// Where a quantity lies in a tally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lies {
    /// In the histogram of these times, class by class.
    Times(Times),
    /// In the counts of how requests ended, class by class.
    Requests,
    /// In the ratings of successes, class by class.
    Ratings,
    /// In what was billed; for a class, in its own bills.
    Bills,
    /// In the counts of what succeeded within the counted time.
    Served,
    /// In the counts of how attempts ended.
    Attempts,
    /// In what the response cache answered, class by class.
    Hits,
    /// In what became of conversations and agent runs, class by class.
    Dialogues,
}

impl Lies {
    /// Whether the tally of a class holds it, so that scopes of classes can be read from there.
    pub const fn in_classes(self) -> bool {
        match self {
            Lies::Times(_) | Lies::Requests | Lies::Ratings | Lies::Bills | Lies::Hits | Lies::Dialogues => true,
            Lies::Served | Lies::Attempts => false,
        }
    }
}

/// The times of a request, or of a dialogue, that a tally keeps histograms of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Times {
    /// Time to first token.
    Ttft,
    /// Time to last token.
    E2e,
    /// Wait in the client.
    Wait,
    /// Time per output token after the first.
    Tpot,
    /// Time of a conversation or agent run, from its first request's arrival to its last one's end.
    Dialogue,
}

impl Times {
    /// The number of distributions.
    pub const COUNT: usize = 5;

    /// The index of the distribution in tables of histograms.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A metric that every report holds, and where it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Standard {
    /// The statistic of the quantity.
    pub statistic: Statistic,
    /// Whether the main table and the comparisons on the terminal show it.
    pub terminal: bool,
    /// The heading over its column of the page's main table, and the column's own; not there if nothing.
    pub page: Option<(&'static str, &'static str)>,
    /// The place of the metric in the sentence about two policies; `None` if it is left out.
    pub spoken: Option<u8>,
    /// The place of the metric beside the one that ranks, in the page's ranking; `None` if it is left out.
    pub beside: Option<u8>,
    /// Whether it is told of every class.
    pub of_classes: bool,
}

/// A standard metric that is shown nowhere but in files and in the page's differences.
const fn kept(statistic: Statistic) -> Standard {
    Standard {
        statistic,
        terminal: false,
        page: None,
        spoken: None,
        beside: None,
        of_classes: false,
    }
}

/// A standard metric that the terminal shows.
const fn shown(statistic: Statistic) -> Standard {
    Standard {
        terminal: true,
        ..kept(statistic)
    }
}

impl Standard {
    /// With a column of the page's main table.
    const fn paged(self, over: &'static str, column: &'static str) -> Standard {
        Standard {
            page: Some((over, column)),
            ..self
        }
    }

    /// With a place in the sentence about two policies.
    const fn spoken(self, place: u8) -> Standard {
        Standard {
            spoken: Some(place),
            ..self
        }
    }

    /// With a place in the page's ranking.
    const fn beside(self, place: u8) -> Standard {
        Standard {
            beside: Some(place),
            ..self
        }
    }

    /// Told of every class.
    const fn of_classes(self) -> Standard {
        Standard {
            of_classes: true,
            ..self
        }
    }
}

const P50: Statistic = Statistic::percent(50);
const P95: Statistic = Statistic::percent(95);
const P99: Statistic = Statistic::percent(99);
const OF_DIALOGUES: &str =
    "the turns of a dialogue may go to several providers. Ask for it of a class, a tag or a window, or of all";
const FIRST: &str = "Time to first token";
const LAST: &str = "Time to last token";

macro_rules! quantities {
    ($($quantity:ident = $row:expr;)*) => {
        /// What a metric is of. [`Quantity::row`] says all that is known of it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "each row says what its quantity is")]
        pub enum Quantity {
            $($quantity,)*
        }

        impl Quantity {
            /// Every quantity, in the order of tables.
            pub const ALL: [Quantity; [$(Quantity::$quantity,)*].len()] = [$(Quantity::$quantity,)*];

            /// The row of the quantity in the table.
            pub const fn row(self) -> &'static Row {
                match self {
                    $(Quantity::$quantity => {
                        const ROW: &Row = &$row;
                        ROW
                    })*
                }
            }
        }
    };
}

quantities! {
    Ttft = Row {
        name: "ttft",
        title: "TTFT",
        short: "TTFT",
        about: "time from arrival to first token",
        unit: Unit::Seconds,
        better: Better::Lower,
        takes: Takes::Statistic,
        lies: Lies::Times(Times::Ttft),
        bounds_goodput: true,
        not_of_provider: None,
        standard: &[
            shown(P50).paged(FIRST, "p50"),
            shown(P95).paged(FIRST, "p95").spoken(0).of_classes(),
            shown(P99).paged(FIRST, "p99"),
            kept(Statistic::Mean),
        ],
    };
    E2e = Row {
        name: "e2e",
        title: "E2E",
        short: "E2E",
        about: "time from arrival to last token",
        unit: Unit::Seconds,
        better: Better::Lower,
        takes: Takes::Statistic,
        lies: Lies::Times(Times::E2e),
        bounds_goodput: true,
        not_of_provider: None,
        standard: &[
            shown(P50).paged(LAST, "p50"),
            shown(P95).paged(LAST, "p95").spoken(1).beside(1).of_classes(),
            shown(P99).paged(LAST, "p99"),
            kept(Statistic::Mean),
        ],
    };
    Wait = Row {
        name: "wait",
        title: "wait",
        short: "wait",
        about: "time spent waiting in the client for a slot, a limiter or a connection, of all requests that were not shed",
        unit: Unit::Seconds,
        better: Better::Lower,
        takes: Takes::Statistic,
        lies: Lies::Times(Times::Wait),
        bounds_goodput: true,
        not_of_provider: Some(
            "the wait in the client is not one provider's: most of it is over before one is chosen. Ask for `ttft.*` of the provider",
        ),
        standard: &[
            shown(P50),
            shown(P95).paged("Wait", "p95"),
            shown(P99),
            kept(Statistic::Mean),
        ],
    };
    Tpot = Row {
        name: "tpot",
        title: "TPOT",
        short: "TPOT",
        about: "time per output token after the first, of successes with more than one: (E2E - TTFT) / (tokens - 1)",
        unit: Unit::Seconds,
        better: Better::Lower,
        takes: Takes::Statistic,
        lies: Lies::Times(Times::Tpot),
        bounds_goodput: true,
        not_of_provider: None,
        standard: &[],
    };
    ErrorRate = Row {
        name: "error_rate",
        title: "errors",
        short: "errors",
        about: "share of requests that did not succeed",
        unit: Unit::Share,
        better: Better::Lower,
        takes: Takes::Nothing,
        lies: Lies::Requests,
        bounds_goodput: false,
        not_of_provider: Some(
            "a request that fails may have been tried at several providers, so its failure is not one provider's. Ask for `attempts.success` or another outcome of the provider's attempts",
        ),
        standard: &[shown(Statistic::Whole).paged("", "Errors").spoken(2).beside(0).of_classes()],
    };
    Throughput = Row {
        name: "throughput",
        title: "throughput",
        short: "throughput",
        about: "requests a second that succeed within the counted time, by when they end",
        unit: Unit::PerSecond,
        better: Better::Higher,
        takes: Takes::Nothing,
        lies: Lies::Served,
        bounds_goodput: false,
        not_of_provider: None,
        standard: &[kept(Statistic::Whole)],
    };
    Goodput = Row {
        name: "goodput",
        title: "goodput",
        short: "goodput",
        about: "of the throughput, the requests within every latency objective that bounds them",
        unit: Unit::PerSecond,
        better: Better::Higher,
        takes: Takes::Nothing,
        lies: Lies::Served,
        bounds_goodput: false,
        not_of_provider: None,
        standard: &[shown(Statistic::Whole).paged("", "Goodput").spoken(5)],
    };
    AttemptsPerRequest = Row {
        name: "attempts_per_request",
        title: "attempts / request",
        short: "attempts / request",
        about: "attempts for each request",
        unit: Unit::Number,
        better: Better::Lower,
        takes: Takes::Nothing,
        lies: Lies::Attempts,
        bounds_goodput: false,
        not_of_provider: Some(
            "a request that fails is not one provider's, so there is nothing to divide its attempts by. Ask for `attempts.*` of the provider, or `throughput`",
        ),
        standard: &[kept(Statistic::Whole)],
    };
    CostPer1k = Row {
        name: "cost_per_1k",
        title: "$ / 1,000 requests",
        short: "$/1k",
        about: "money for 1,000 requests, failed ones included",
        unit: Unit::Dollars,
        better: Better::Lower,
        takes: Takes::Nothing,
        lies: Lies::Bills,
        bounds_goodput: false,
        not_of_provider: Some(
            "several providers may bill for one request, so there are no 1,000 requests of one provider. Ask for `cost_per_month` of the provider",
        ),
        standard: &[shown(Statistic::Whole).paged("Cost", "per 1,000").of_classes()],
    };
    CostPer1kAnswers = Row {
        name: "cost_per_1k_answers",
        title: "$ / 1,000 answers",
        short: "$/1k answers",
        about: "all that is billed, for failed requests too, over 1,000 requests that succeeded",
        unit: Unit::Dollars,
        better: Better::Lower,
        takes: Takes::Nothing,
        lies: Lies::Bills,
        bounds_goodput: false,
        not_of_provider: Some(
            "several providers may bill for one answer, so there are no 1,000 answers of one provider. Ask for `cost_per_month` of the provider",
        ),
        standard: &[kept(Statistic::Whole)],
    };
    CostPerMonth = Row {
        name: "cost_per_month",
        title: "$ / month",
        short: "$/month",
        about: "money for a month of this traffic",
        unit: Unit::Dollars,
        better: Better::Lower,
        takes: Takes::Nothing,
        lies: Lies::Bills,
        bounds_goodput: false,
        not_of_provider: None,
        standard: &[shown(Statistic::Whole).paged("Cost", "per month").spoken(3).beside(2)],
    };
    Quality = Row {
        name: "quality",
        title: "quality",
        short: "quality",
        about: "mean probability that an answer given is a good one",
        unit: Unit::Share,
        better: Better::Higher,
        takes: Takes::Nothing,
        lies: Lies::Ratings,
        bounds_goodput: false,
        not_of_provider: None,
        standard: &[shown(Statistic::Whole).paged("", "Quality").spoken(4).beside(3).of_classes()],
    };
    Share = Row {
        name: "share",
        title: "requests",
        short: "requests",
        about: "share of requests that ended so",
        unit: Unit::Share,
        better: Better::Successes,
        takes: Takes::Outcome,
        lies: Lies::Requests,
        bounds_goodput: false,
        not_of_provider: Some(
            "a request that fails may have been tried at several providers, so its end is not one provider's. Ask for `attempts` with the same outcome",
        ),
        standard: &[],
    };
    Attempts = Row {
        name: "attempts",
        title: "attempts",
        short: "attempts",
        about: "share of attempts that ended so, copies included",
        unit: Unit::Share,
        better: Better::Successes,
        takes: Takes::Outcome,
        lies: Lies::Attempts,
        bounds_goodput: false,
        not_of_provider: None,
        standard: &[],
    };
    CacheHits = Row {
        name: "share.cache_hit",
        title: "cache hits",
        short: "cache hits",
        about: "share of requests that the gateway's response cache answered",
        unit: Unit::Share,
        better: Better::Higher,
        takes: Takes::Nothing,
        lies: Lies::Hits,
        bounds_goodput: false,
        not_of_provider: Some("an answer out of the response cache is of no provider. Ask for it of a class, or of all"),
        standard: &[],
    };
    SavedPerMonth = Row {
        name: "saved_per_month",
        title: "$ saved / month",
        short: "$ saved",
        about: "money that the answers out of the response cache would cost in a month of this traffic, as when they were first given",
        unit: Unit::Dollars,
        better: Better::Higher,
        takes: Takes::Nothing,
        lies: Lies::Hits,
        bounds_goodput: false,
        not_of_provider: Some("an answer out of the response cache is of no provider. Ask for it of a class, or of all"),
        standard: &[],
    };
    DialogueTime = Row {
        name: "dialogue_time",
        title: "dialogue",
        short: "dialogue",
        about: "time from the first request of a conversation or agent run to the end of its last, pauses and tools included, of those that came to their end",
        unit: Unit::Seconds,
        better: Better::Lower,
        takes: Takes::Statistic,
        lies: Lies::Times(Times::Dialogue),
        bounds_goodput: false,
        not_of_provider: Some(OF_DIALOGUES),
        standard: &[],
    };
    DialogueFailures = Row {
        name: "dialogue_failures",
        title: "dialogues failed or left",
        short: "dial. failed",
        about: "share of conversations and agent runs that did not come to their end: a request failed for good, or the user left",
        unit: Unit::Share,
        better: Better::Lower,
        takes: Takes::Nothing,
        lies: Lies::Dialogues,
        bounds_goodput: false,
        not_of_provider: Some(OF_DIALOGUES),
        standard: &[],
    };
    TurnsPerDialogue = Row {
        name: "turns_per_dialogue",
        title: "turns / dialogue",
        short: "turns",
        about: "requests for each conversation or agent run, those sent again included",
        unit: Unit::Number,
        better: Better::Lower,
        takes: Takes::Nothing,
        lies: Lies::Dialogues,
        bounds_goodput: false,
        not_of_provider: Some(OF_DIALOGUES),
        standard: &[],
    };
    CostPerDialogue = Row {
        name: "cost_per_dialogue",
        title: "$ / dialogue",
        short: "$/dialogue",
        about: "money for the attempts of each conversation or agent run, failed ones included and reserved capacity left out",
        unit: Unit::Dollars,
        better: Better::Lower,
        takes: Takes::Nothing,
        lies: Lies::Dialogues,
        bounds_goodput: false,
        not_of_provider: Some(OF_DIALOGUES),
        standard: &[],
    };
}

impl Quantity {
    /// The quantity of this name in files.
    pub fn named(name: &str) -> Option<Quantity> {
        Quantity::ALL.into_iter().find(|q| q.row().name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn quantities_have_names_and_titles_of_their_own() {
        let names: BTreeSet<&str> = Quantity::ALL.iter().map(|q| q.row().name).collect();
        assert_eq!(names.len(), Quantity::ALL.len());
        for quantity in Quantity::ALL {
            let row = quantity.row();
            assert_eq!(Quantity::named(row.name), Some(quantity));
            assert!(
                row.about.split(' ').count() > 2 && !row.title.is_empty(),
                "{}",
                row.name
            );
        }
    }

    /// What a metric says after its quantity's name must be what the place in the tally can answer.
    #[test]
    fn a_row_takes_what_lies_in_its_tally() {
        for quantity in Quantity::ALL {
            let row = quantity.row();
            let is_time = matches!(row.lies, Lies::Times(_));
            assert_eq!(row.takes == Takes::Statistic, is_time, "{}", row.name);
            assert_eq!(
                row.better == Better::Successes,
                row.takes == Takes::Outcome,
                "{}",
                row.name
            );
            assert!(!row.bounds_goodput || is_time, "{}", row.name);
            for standard in row.standard {
                assert!(standard.statistic.suits(row.takes), "{}", row.name);
            }
        }
    }

    #[test]
    fn a_place_is_taken_once() {
        let places = |of: fn(&Standard) -> Option<u8>| {
            let standard = Quantity::ALL.into_iter().flat_map(|q| q.row().standard);
            let mut places: Vec<u8> = standard.filter_map(of).collect();
            places.sort_unstable();
            places
        };
        assert_eq!(places(|s| s.spoken), [0, 1, 2, 3, 4, 5]);
        assert_eq!(places(|s| s.beside), [0, 1, 2, 3]);
    }
}

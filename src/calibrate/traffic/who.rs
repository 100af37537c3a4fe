//! Whose requests those of a trace are, where columns say so: its users, and its classes and tags value by value.
//!
//! Users are told by how unequal they are: the exponent of Zipf's law under which the requests of the users, from the busiest on, are likeliest
//! (the maximum likelihood of the ranks, which of users that are all alike makes a little more than 0, because one of them is busiest by chance).
//! Users, classes and tags are told each by themselves: that one team's users are others than another's is not.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::SECOND;
use crate::import::trace::Trace;
use crate::stats::sorting;
use crate::traffic::kept::Kept;

/// The most values of a column that are told one by one, or become classes of a model.
pub(super) const MOST_VALUES: usize = 12;

/// What stands for the values beyond those.
pub(super) const OTHERS: &str = "others";

/// The most unequal that users of a model may be.
const MOST_SKEW: f64 = 5.0;

/// A skew below this is none.
const LEAST_SKEW: f64 = 0.05;

/// Whose requests a trace has.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Who {
    /// The users, where a column says them.
    pub users: Option<Askers>,
    /// The values of the class's column and of each tag's, the most frequent first, at most twelve of each and the rest together.
    pub values: Vec<Of>,
}

/// The users of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Askers {
    /// How many there are.
    pub count: u64,
    /// The share of all requests that the busiest has.
    pub busiest: f64,
    /// The share of all requests that the busiest tenth has.
    pub tenth: f64,
    /// How unequal they are: the user of rank k makes requests in proportion to 1/k^skew.
    pub skew: f64,
}

/// The requests of one value of a column.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Of {
    /// What the column is: `class`, or a tag's name.
    pub column: String,
    /// Whether it is a tag, which may be called `class` too.
    #[serde(skip)]
    pub is_tag: bool,
    /// The value in that column.
    pub value: String,
    /// The number of requests.
    pub requests: u64,
    /// Their share of all.
    pub share: f64,
    /// Mean requests a second.
    pub rate: f64,
    /// Mean input tokens.
    pub input: f64,
    /// Mean output tokens.
    pub output: f64,
}

/// Requests, and their input and output tokens.
type Sums = [u64; 3];

/// Whose requests the trace has; nothing if it does not say. It lasts so many `seconds`.
pub(super) fn who(trace: &Trace, seconds: f64) -> Option<Who> {
    let kept = trace.kept.as_ref()?;
    let mut each: Vec<Sums> = vec![[0; 3]; kept.each.len()];
    for (row, of) in trace.rows.iter().zip(&kept.of_row) {
        let sums = &mut each[*of as usize];
        *sums = [
            sums[0] + 1,
            sums[1] + u64::from(row.input),
            sums[2] + u64::from(row.output),
        ];
    }
    let all = trace.rows.len() as f64;
    // By place in a combination: that of the user, the class and each tag.
    let by = |place: usize, many: usize| {
        let mut found: Vec<Sums> = vec![[0; 3]; many];
        for (of, sums) in kept.each.iter().zip(&each) {
            let to = &mut found[of[place] as usize];
            (0..3).for_each(|i| to[i] += sums[i]);
        }
        found
    };
    let mut values = Vec::new();
    let columns = kept.classes.iter().map(|classes| ("class", 1, classes));
    let tags = kept.tags.iter().zip(2..);
    let columns = columns.chain(tags.map(|((tag, values), place)| (tag.as_str(), place, values)));
    for (column, place, names) in columns {
        for (value, [requests, input, output]) in told(names, by(place, names.len())) {
            let of = requests as f64;
            values.push(Of {
                column: column.to_owned(),
                is_tag: place > 1,
                value,
                requests,
                share: of / all,
                rate: of / seconds.max(1.0 / SECOND),
                input: input as f64 / of,
                output: output as f64 / of,
            });
        }
    }
    let users = kept.users.as_ref().map(|users| {
        let mut counts: Vec<u64> = by(0, users.len()).into_iter().map(|sums| sums[0]).collect();
        counts.retain(|count| *count > 0);
        askers(counts)
    });
    (users.is_some() || !values.is_empty()).then_some(Who { users, values })
}

/// The values, the most frequent first, and those beyond the bound as one.
fn told(names: &[String], sums: Vec<Sums>) -> Vec<(String, Sums)> {
    let mut all: Vec<(String, Sums)> = names
        .iter()
        .cloned()
        .zip(sums)
        .filter(|(_, sums)| sums[0] > 0)
        .collect();
    sorting::by(&mut all, |a, b| b.1[0].cmp(&a.1[0]));
    if all.len() > MOST_VALUES {
        // One that is itself called so is among the rest.
        if let Some(at) = all.iter().position(|(name, _)| name == OTHERS) {
            let own = all.remove(at);
            all.push(own);
        }
        let rest = all.split_off(MOST_VALUES - 1);
        let sum = rest
            .iter()
            .fold([0; 3], |sum, (_, of)| [sum[0] + of[0], sum[1] + of[1], sum[2] + of[2]]);
        all.push((OTHERS.to_owned(), sum));
    }
    all
}

/// What users with so many requests each are like.
fn askers(mut counts: Vec<u64>) -> Askers {
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let all: u64 = counts.iter().sum();
    let share = |of: &[u64]| of.iter().sum::<u64>() as f64 / all.max(1) as f64;
    let tenth = counts.len().div_ceil(10);
    Askers {
        count: counts.len() as u64,
        busiest: share(&counts[..counts.len().min(1)]),
        tenth: share(&counts[..tenth]),
        skew: skew(&counts),
    }
}

/// The exponent of Zipf's law that makes these counts, from the greatest on, likeliest: under it the mean logarithm of the rank is theirs.
fn skew(counts: &[u64]) -> f64 {
    let logs: Vec<f64> = (1..=counts.len()).map(|rank| libm::log(rank as f64)).collect();
    let all: u64 = counts.iter().sum();
    let own = counts.iter().zip(&logs).map(|(n, log)| *n as f64 * log).sum::<f64>() / all.max(1) as f64;
    let mean = |skew: f64| {
        let weights = logs.iter().map(|log| (libm::exp(-skew * log), log));
        let sums = weights.fold((0.0, 0.0), |(sum, of), (weight, log)| (sum + weight, of + weight * log));
        sums.1 / sums.0.max(f64::MIN_POSITIVE)
    };
    let (mut low, mut high) = (0.0, MOST_SKEW);
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        // The more unequal users are, the lower the mean rank of a request's user.
        if mean(middle) > own {
            low = middle
        } else {
            high = middle
        }
    }
    if low < LEAST_SKEW {
        0.0
    } else {
        (low * 1e3).round() / 1e3
    }
}

/// What of it a model has besides its classes: `users` and `tags` of an experiment's traffic.
pub(super) fn of_model(who: &Who) -> Map<String, Value> {
    let mut says = Map::new();
    if let Some(users) = &who.users {
        says.insert("users".to_owned(), json!({ "count": users.count, "skew": users.skew }));
    }
    let mut tags: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for of in who.values.iter().filter(|of| of.is_tag) {
        let share = (of.share * 1e6).round().max(1.0) / 1e6;
        tags.entry(&of.column)
            .or_default()
            .insert(of.value.clone(), share.into());
    }
    if !tags.is_empty() {
        says.insert("tags".to_owned(), json!(tags));
    }
    says
}

/// The value of the class's column of each row as the number of a class, and what classes are called.
pub(super) fn labels(kept: &Kept) -> Option<(Vec<u32>, Vec<String>)> {
    let names = kept.classes.as_ref()?;
    let counts = kept.rows_by_class();
    let told = told(names, counts.into_iter().map(|count| [count, 0, 0]).collect());
    let of = |name: &String| {
        let own = told.iter().position(|(value, _)| value == name);
        own.unwrap_or(told.len() - 1) as u32
    };
    let each: Vec<u32> = names.iter().map(of).collect();
    let rows = kept.of_row.iter().map(|row| each[kept.each[*row as usize][1] as usize]);
    Some((rows.collect(), told.into_iter().map(|(value, _)| value).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::trace;
    use crate::traffic::arrivals::Reading;

    /// Shares and means by hand.
    #[test]
    fn users_classes_and_tags_are_counted() {
        let text = "startTime,prompt_tokens,completion_tokens,end_user,team_id,model_group\n\
            2026-03-02T09:00:00Z,5,1,alice,t1,small\n2026-03-02T09:00:01Z,6,2,bob,t2,large\n\
            2026-03-02T09:00:02Z,7,3,bob,t2,large\n2026-03-02T09:00:04Z,8,6,bob,t1,large\n";
        let keep = json!({ "user": "end_user", "class": "model_group", "tags": { "team": "team_id" } });
        let reading = Reading {
            keep: Some(serde_json::from_value(keep).unwrap()),
            ..Reading::default()
        };
        let trace = trace::read(text.as_bytes(), &reading).unwrap();
        let who = who(&trace, 4.0).unwrap();
        let users = who.users.unwrap();
        assert_eq!((users.count, users.busiest, users.tenth), (2, 0.75, 0.75));
        let told: Vec<(&str, &str, u64, f64, f64)> = (who.values.iter())
            .map(|of| (of.column.as_str(), of.value.as_str(), of.requests, of.input, of.output))
            .collect();
        let expected = [
            ("class", "large", 3, 7.0, 11.0 / 3.0),
            ("class", "small", 1, 5.0, 1.0),
            ("team", "t1", 2, 6.5, 3.5),
            ("team", "t2", 2, 6.5, 2.5),
        ];
        assert_eq!(told, expected);
        assert_eq!(who.values[0].rate, 0.75);
        let says = Value::Object(of_model(&who));
        assert_eq!(says["tags"], json!({ "team": { "t1": 0.5, "t2": 0.5 } }));
        assert_eq!(says["users"]["count"], 2);
        let (labels, names) = labels(trace.kept.as_ref().unwrap()).unwrap();
        assert_eq!(
            (labels, names),
            (vec![1, 0, 0, 0], vec!["large".to_owned(), "small".to_owned()])
        );
    }

    /// Counts that are Zipf's own: of 200 users in proportion to 1/k, and to 1.
    #[test]
    fn the_skew_is_that_of_the_counts() {
        let of = |skew: f64| -> Vec<u64> {
            (1..=200)
                .map(|k| (1e6 / libm::pow(f64::from(k), skew)) as u64)
                .collect()
        };
        for expected in [0.0, 0.5, 1.0, 2.0] {
            let found = skew(&of(expected));
            assert!((found - expected).abs() < 0.01, "{found}, not {expected}");
        }
        assert_eq!(skew(&[7]), 0.0);
    }

    #[test]
    fn many_values_are_told_as_a_few_and_the_rest() {
        let names: Vec<String> = (0..40).map(|i| format!("v{i}")).collect();
        let told = told(&names, (0..40).map(|i| [i + 1, 1, 1]).collect());
        assert_eq!(told.len(), MOST_VALUES);
        assert_eq!(told[0], ("v39".to_owned(), [40, 1, 1]));
        assert_eq!(told[MOST_VALUES - 1], (OTHERS.to_owned(), [(1..=29).sum(), 29, 29]));
    }
}

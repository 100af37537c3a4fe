//! A metric from its text, and what is said where there is none of that name.

use super::scope::is_special;
use super::{Key, Metric, Quantity, Scope, Statistic, Takes};

/// A text that names no metric.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMetric {
    /// A part of the text is an unknown name.
    #[error("there is no `{found}`: known are {}", allowed.join(", "))]
    Unknown {
        /// The name that was found.
        found: String,
        /// What might stand there: of percentiles a few, though any may.
        allowed: Vec<String>,
    },
    /// The text is not written as metrics are.
    #[error("{0}")]
    Form(String),
}

/// Percentiles that are offered where another statistic is not understood.
const OFFERED: [&str; 6] = ["mean", "p50", "p90", "p95", "p99", "p99.9"];
/// The outcome that is offered where one is missing.
const AN_OUTCOME: &str = "rate_limited";

pub(super) fn read(text: &str) -> Result<Metric, BadMetric> {
    let (name, scope) = match text.find('{') {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let (quantity, statistic) = named(name)?;
    let scope = if scope.is_empty() {
        Scope::ALL
    } else {
        Scan { rest: scope }.scope()?
    };
    Ok(Metric {
        quantity,
        statistic,
        scope,
    })
}

fn named(name: &str) -> Result<(Quantity, Statistic), BadMetric> {
    // A share of something that is not an outcome is a quantity of its own, with the dot in its name.
    if let Some(whole) = Quantity::named(name).filter(|quantity| quantity.row().takes == Takes::Nothing) {
        return Ok((whole, Statistic::Whole));
    }
    let (of, after) = match name.split_once('.') {
        Some((of, after)) => (of, Some(after)),
        None => (name, None),
    };
    let unknown = |allowed| BadMetric::Unknown {
        found: name.to_owned(),
        allowed,
    };
    let Some(quantity) = Quantity::named(of) else {
        let offered = |q: Quantity| match q.row().takes {
            Takes::Nothing => q.row().name.to_owned(),
            takes => {
                let same = after.filter(|text| Statistic::read(text, takes).is_some());
                let any = if takes == Takes::Outcome { AN_OUTCOME } else { "p95" };
                format!("{}.{}", q.row().name, same.unwrap_or(any))
            }
        };
        return Err(unknown(Quantity::ALL.map(offered).to_vec()));
    };
    let takes = quantity.row().takes;
    let read = match after {
        None if takes == Takes::Nothing => Some(Statistic::Whole),
        None => None,
        Some(text) => Statistic::read(text, takes),
    };
    let offered = || -> Vec<String> {
        let with = |after: &str| format!("{of}.{after}");
        match takes {
            Takes::Nothing => vec![of.to_owned()],
            Takes::Statistic => {
                // A percentile that lacks only its `p`.
                let meant = after.map(|text| format!("p{text}"));
                let meant =
                    meant.filter(|text| Statistic::read(text, takes).is_some() && !OFFERED.contains(&text.as_str()));
                meant.iter().map(String::as_str).chain(OFFERED).map(with).collect()
            }
            Takes::Outcome => {
                let whole = Quantity::ALL.into_iter().map(|quantity| quantity.row().name);
                let whole = whole.filter(|name| name.strip_prefix(of).is_some_and(|rest| rest.starts_with('.')));
                let outcomes = crate::words::Outcome::ALL.map(|o| with(o.name()));
                outcomes.into_iter().chain(whole.map(str::to_owned)).collect()
            }
        }
    };
    read.map(|statistic| (quantity, statistic))
        .ok_or_else(|| unknown(offered()))
}

/// What of a scope is still to be read.
struct Scan<'a> {
    rest: &'a str,
}

impl Scan<'_> {
    fn scope(mut self) -> Result<Scope, BadMetric> {
        let mut scope = Scope::ALL;
        self.take('{');
        loop {
            let key = self.key()?;
            if !self.take('=') {
                return Err(self.bad("a `=` is missing after the key"));
            }
            let value = self.word()?;
            if scope.get(&key).is_some() {
                return Err(BadMetric::Form(format!("`{key}` is given twice in one scope")));
            }
            scope = scope.with(key, value);
            if self.take('}') {
                break;
            }
            if !self.take(',') {
                return Err(self.bad("a `,` or `}` is missing"));
            }
        }
        if self.rest.is_empty() {
            Ok(scope)
        } else {
            Err(self.bad("a metric ends with the `}` of its scope"))
        }
    }

    fn key(&mut self) -> Result<Key, BadMetric> {
        self.rest = self.rest.trim_start();
        if let Some(name) = self.rest.strip_prefix("tag.") {
            self.rest = name;
            return Ok(Key::Tag(self.word()?));
        }
        let key = self.word()?;
        match key.as_str() {
            "class" => Ok(Key::Class),
            "provider" => Ok(Key::Provider),
            "window" => Ok(Key::Window),
            "cache" => Ok(Key::Cache),
            _ => Err(BadMetric::Unknown {
                found: key,
                allowed: ["class", "provider", "tag.NAME", "window", "cache"]
                    .map(str::to_owned)
                    .to_vec(),
            }),
        }
    }

    /// A word, in quotes or without.
    fn word(&mut self) -> Result<String, BadMetric> {
        self.rest = self.rest.trim_start();
        match self.rest.chars().next() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote),
            _ => {
                let end = self.rest.find(is_special).unwrap_or(self.rest.len());
                let (word, rest) = self.rest.split_at(end);
                if word.is_empty() {
                    return Err(self.bad("a name is missing"));
                }
                self.rest = rest;
                Ok(word.to_owned())
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, BadMetric> {
        let mut word = String::new();
        let mut chars = self.rest[1..].chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some(escaped) if escaped == quote || escaped == '\\' => word.push(escaped),
                    _ => return Err(self.bad("`\\` stands only before a quote or another `\\`")),
                },
                c if c == quote => {
                    self.rest = chars.as_str();
                    return Ok(word);
                }
                c => word.push(c),
            }
        }
        Err(self.bad("a quote is never closed"))
    }

    /// Whether `c` comes next, but for white space; then it is read.
    fn take(&mut self, c: char) -> bool {
        match self.rest.trim_start().strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn bad(&self, what: &str) -> BadMetric {
        let place = if self.rest.trim().is_empty() {
            "at the end".to_owned()
        } else {
            format!("at `{}`", self.rest.trim_start())
        };
        BadMetric::Form(format!(
            "{what}, {place}: a scope looks like {{class=chat,window=outage}} or {{tag.team='a, b'}}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(text: &str) -> (String, Vec<String>) {
        match read(text) {
            Err(BadMetric::Unknown { found, allowed }) => (found, allowed),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn an_unknown_statistic_is_offered_others() {
        let all = ["mean", "p50", "p90", "p95", "p99", "p99.9"].map(|s| format!("ttft.{s}"));
        assert_eq!(unknown("ttft.95"), ("ttft.95".into(), all.to_vec()));
        assert_eq!(unknown("ttft.97").1[0], "ttft.p97");
        assert_eq!(unknown("ttft").1, all);
        assert_eq!(unknown("ttft.p100{class=a}"), ("ttft.p100".into(), all.to_vec()));
        assert_eq!(unknown("error_rate.p95").1, ["error_rate"]);
        assert!(unknown("share.rate_limit").1.contains(&"share.rate_limited".to_owned()));
    }

    #[test]
    fn an_unknown_quantity_is_offered_the_others_with_the_same_statistic() {
        let allowed = unknown("tptot.p99.5").1;
        assert_eq!(allowed[3], "tpot.p99.5");
        assert_eq!(allowed.len(), Quantity::ALL.len());
        // All that is offered is a metric.
        for text in allowed.iter().chain(&unknown("share").1).chain(&unknown("e2e.").1) {
            assert!(read(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn an_unknown_key_is_offered_the_keys() {
        let (found, allowed) = unknown("e2e.mean{clas=a}");
        assert_eq!((found.as_str(), allowed.len()), ("clas", 5));
    }

    #[test]
    fn what_is_not_written_as_scopes_are_is_said() {
        for (text, said) in [
            ("e2e.mean{}", "a name is missing, at `}`"),
            ("e2e.mean{", "a name is missing, at the end"),
            ("e2e.mean{class}", "a `=` is missing after the key, at `}`"),
            ("e2e.mean{class=a", "a `,` or `}` is missing, at the end"),
            ("e2e.mean{class=a b}", "a `,` or `}` is missing, at `b}`"),
            ("e2e.mean{class=a}x", "a metric ends with the `}` of its scope, at `x`"),
            ("e2e.mean{class='a}", "a quote is never closed"),
            ("e2e.mean{class='\\a'}", "`\\` stands only before"),
            ("e2e.mean{class=a,class=b}", "`class` is given twice in one scope"),
            ("e2e.mean{tag.=b}", "a name is missing, at `=b}`"),
        ] {
            let found = read(text).unwrap_err().to_string();
            assert!(found.starts_with(said), "{text}: {found}");
        }
    }

    #[test]
    fn white_space_and_the_order_of_keys_do_not_count() {
        for (text, shown) in [
            ("error_rate{window=w,class=a}", "error_rate{class=a,window=w}"),
            (
                "e2e.p99.90{ tag.team = 'search' , class = \"a\" }",
                "e2e.p99.9{class=a,tag.team=search}",
            ),
            ("ttft.mean{class=\"it's\"}", "ttft.mean{class='it\\'s'}"),
            ("share.shed{tag.'a b'='',tag.a=1}", "share.shed{tag.a=1,tag.'a b'=''}"),
        ] {
            assert_eq!(read(text).unwrap().to_string(), shown);
        }
    }
}

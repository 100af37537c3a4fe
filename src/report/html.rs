//! The report as one HTML page that needs nothing else: no network, and to be whole, no script.
//!
//! The page is the template `report.html`; here every figure is put into words for it. All text from outside is escaped by
//! the template engine; only our own drawings go in as they are. The one script shows figures where the reader points. Left out: anything
//! to click but folding parts, and any figure that the report does not hold.

#[cfg(test)]
mod sample;
mod view;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::Report;
use super::chart;

/// The colours of pages and pictures, light and dark.
pub(super) const PALETTE: &str = include_str!("palette.css");

/// Why a page could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The template does not fit the page's data.
    #[error(transparent)]
    Template(#[from] minijinja::Error),
    /// A chart could not be drawn.
    #[error(transparent)]
    Chart(#[from] chart::Error),
}

/// What every page is made with: what is missing is an error, and text from outside is escaped.
pub(crate) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment
}

/// The page for a report.
pub fn render(report: &Report) -> Result<String, Error> {
    let mut environment = environment();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.add_filter("unbroken", view::unbroken);
    environment.add_global("palette", Value::from_safe_string(PALETTE.to_owned()));
    environment.add_template("report", include_str!("report.html"))?;
    let page = environment
        .get_template("report")?
        .render(Serde(view::Page::of(report)?))?;
    Ok(plain(&page))
}

/// The text without characters that turn the order of what stands around them, or that no page may have.
fn plain(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.replace(
        |c: char| turns(c) || (c.is_control() && c != '\n' && c != '\t'),
        "\u{fffd}",
    )
}

/// Every plot of the report as a picture of its own: the name of a file in SVG, and what is in it.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn pictures(report: &Report) -> Result<Vec<(String, String)>, Error> {
    Ok(view::files(report, PALETTE)?)
}

#[cfg(test)]
mod tests {
    use super::sample::sample;
    use super::*;
    use crate::report::{Curves, Metric, OF_SURVIVORS, OVER_ALL, Report, Scorecard, csv, markdown, terminal};
    use crate::stats::interval::Estimate;

    fn page() -> String {
        render(&sample()).unwrap()
    }

    #[test]
    fn every_policy_provider_and_class_is_named() {
        let page = page();
        for policy in sample().policies {
            assert!(page.contains(&policy.name.replace('/', "&#x2f;")), "{}", policy.name);
            for provider in policy.providers {
                assert!(page.contains(&provider.name.replace('/', "&#x2f;")));
            }
            for class in policy.classes {
                assert!(page.contains(&class.name));
            }
        }
    }

    #[test]
    fn every_plot_is_a_picture_of_its_own() {
        let files = pictures(&sample()).unwrap();
        assert_eq!(files.len(), page().matches("<svg").count());
        let names: std::collections::BTreeSet<_> = files.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), files.len(), "{names:?}");
        for (name, text) in &files {
            assert!(name.ends_with(".svg") && !name.contains(['/', '<', ' ']), "{name}");
            assert_eq!((text.matches("<svg").count(), text.matches("</svg>").count()), (2, 2));
            assert!(
                text.contains("prefers-color-scheme: dark") && !text.contains("<script"),
                "{name}"
            );
        }
    }

    #[test]
    fn each_model_says_whether_it_was_measured() {
        let page = page().replace('\u{a0}', " ");
        let models = section(&page, "Models and what they assume");
        assert_eq!(
            models
                .matches("p95 TTFT predicted within 3 % (1,200 held-out probes, 2026-11-21)")
                .count(),
            1
        );
        assert_eq!(
            models
                .matches("uncalibrated: not validated against measurements")
                .count(),
            1
        );
    }

    #[test]
    fn text_from_outside_is_escaped() {
        let page = page();
        assert!(page.contains("&lt;script&gt;alert(1)"));
        assert_eq!(page.matches("<script").count(), 1, "the page's own");
        assert!(!page.contains("<script>alert"));
    }

    #[test]
    fn what_does_not_exist_is_a_dash_with_a_reason() {
        let page = page();
        assert!(!page.contains("NaN") && !page.contains(">inf"));
        assert!(page.contains("no class of this traffic states a quality for this provider"));
        assert!(page.contains("too few requests for a 99th percentile"));
    }

    #[test]
    fn it_has_every_plot() {
        let page = page();
        // Two tails, two of percentiles, two of cost, three over time, and one a policy.
        assert_eq!(page.matches("<svg").count(), 9 + sample().policies.len());
        assert_eq!(page.matches("</svg>").count(), 9 + sample().policies.len());
    }

    #[test]
    fn it_needs_nothing_from_elsewhere() {
        let page = page().replace("http://www.w3.org/2000/svg", "");
        for outside in ["http:", "https:", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn judgements_and_warnings_are_in_words() {
        let page = page().replace('\u{a0}', " ");
        for words in [
            "14 of 20",
            "measurements leave open ±0.09 s and the run ±0.04 s",
            "pass",
            "fail",
            "undecided",
            "lower, better",
            "higher, worse",
            "not settled",
        ] {
            assert!(page.contains(words), "{words}");
        }
    }

    /// What stands between a heading and the next section.
    fn section<'a>(page: &'a str, heading: &str) -> &'a str {
        let begins = page.split_once(&format!("<h2>{heading}</h2>")).unwrap().1;
        begins.split_once("</section>").unwrap().0
    }

    #[test]
    fn a_percentile_is_over_all_requests_wherever_it_is_shown() {
        let mut report = crate::report::sample::sample();
        report.objectives.clear();
        report.scorecard = Scorecard::default();
        report.warnings = vec![format!("{OF_SURVIVORS}: one: E2E p95 never instead of 6.38 s")];
        for (policy, value) in report.policies.iter_mut().zip([77.0, f64::INFINITY]) {
            let measured = policy.metrics.iter_mut().find(|m| m.metric == Metric::E2E_P95).unwrap();
            measured.of_all = Some(Estimate {
                value,
                ..measured.estimate
            });
        }
        let style = terminal::Style {
            width: 200,
            colour: false,
        };
        let page = render(&report).unwrap().replace('\u{a0}', " ");
        let full = terminal::full(&report, &style);
        let first_table = full.split_once("Errors by outcome").unwrap().0;
        for (shown, is_whole) in [
            (section(&page, "Results"), false),
            (&terminal::screen(&report, &style), true),
            (first_table, false),
            (&markdown::render(&report), false),
        ] {
            assert!(shown.contains("77.0 s") && shown.contains("never"), "{shown}");
            assert!(
                is_whole || !shown.contains("8.50 s") && !shown.contains("6.38 s ±"),
                "{shown}"
            );
            assert!(shown.contains(OVER_ALL), "{shown}");
        }
        let told = "percentiles count requests that were never answered: one: E2E p95 \"never\", although the answered ones took 6.38 s";
        assert!(full.contains(told) && !full.contains("times are of"), "{full}");
        let csv = csv::tables(&report)[0].1.clone();
        assert!(
            csv.contains("e2e.p95,seconds,77,") && csv.contains("e2e.p95,seconds,8.5,"),
            "{csv}"
        );
    }

    #[test]
    fn each_mark_has_its_note_in_its_own_section() {
        let page = page();
        let linked: Vec<_> = page.match_indices("<sup><a href=\"#").collect();
        assert!(!linked.is_empty());
        for (at, opening) in linked {
            let link = &page[at + opening.len()..];
            let id = link.split('"').next().unwrap();
            let rest = link.split_once("</section>").unwrap().0;
            assert!(rest.contains(&format!("<li id=\"{id}\">")), "{id}");
            assert_eq!(page.matches(&format!("<li id=\"{id}\">")).count(), 1, "{id}");
        }
    }

    #[test]
    fn a_policy_that_does_not_settle_is_marked_in_the_main_table() {
        let page = page();
        let unsettled = sample().policies.iter().filter(|policy| !policy.steady.settled).count();
        assert_eq!(section(&page, "Results").matches(">not settled<").count(), unsettled);
    }

    #[test]
    fn what_an_outage_did_under_every_policy_is_in_one_table() {
        let page = page();
        let outages = section(&page, "Outages");
        assert_eq!(outages.matches("<tr><th><span").count(), sample().policies.len());
        assert!(outages.contains("never") && outages.contains("8,123"), "{outages}");
        // 1,800 to 2,700 s.
        assert!(outages.contains("from 30") && outages.contains("15"));
    }

    /// 30 and 20 attempts a second, 5 of them refused.
    #[test]
    fn the_plots_of_attempts_say_how_many_were_refused() {
        let mut report = sample();
        for bin in &mut report.policies[0].series {
            (bin.sent, bin.limited) = (vec![30.0, 20.0, 0.0], Some(5.0));
        }
        let page = render(&report).unwrap().replace('\u{a0}', " ");
        let attempts = section(&page, "Where attempts go over time");
        assert!(attempts.contains("answered or refused"), "{attempts}");
        let caption = format!(
            "<b>{}</b>10.0 % of them refused with 429.",
            report.policies[0].name.replace('/', "&#x2f;")
        );
        assert!(attempts.contains(&caption), "{attempts}");
        assert_eq!(attempts.matches("of them refused").count(), 1);
    }

    #[test]
    fn what_binds_most_under_a_policy_is_marked() {
        let page = page();
        let limits = section(&page, "Limits, as shares of time at them");
        assert_eq!(limits.matches("<td><b>").count(), 2);
        assert!(limits.contains("82") && limits.contains("quota (10,000)"));
    }

    #[test]
    fn how_much_of_a_quota_was_used_is_on_the_page_and_in_its_csv() {
        let page = page();
        let quotas = section(&page, "Quotas, as mean shares in use");
        assert!(
            quotas.contains("12,000&nbsp;input") || quotas.contains("12,000 input tokens a minute"),
            "{quotas}"
        );
        assert!(quotas.contains("34.0"), "{quotas}");
        assert!(page.contains("<a href=\"#quotas\">Quotas</a>"));
        let tables = csv::tables(&sample());
        let (_, quotas) = tables.iter().find(|(name, _)| *name == "quotas.csv").unwrap();
        assert_eq!(quotas.lines().count(), 1 + sample().policies.len());
        assert!(
            quotas.contains("openai/gpt-4.1,,\"12,000 input tokens a minute\",share used,0.34,"),
            "{quotas}"
        );
    }

    #[test]
    fn a_caption_says_what_this_run_shows() {
        let page = page().replace('\u{a0}', " ");
        let plots = section(&page, "Plots");
        for words in [
            "Lowest TTFT p95: 1.05 s under cheapest first, with fallback; highest: 3.14 s under everything to one provider.",
            "Grey ground: outage at self-hosted-llama-3.3-70b, 30 min to 45 min.",
        ] {
            assert!(plots.contains(words), "{words}: {plots}");
        }
    }

    #[test]
    fn an_objective_is_held_against_those_of_which_it_is_not_asked() {
        let mut report = sample();
        let asked = report.policies[0].name.clone();
        report.objectives.retain(|objective| objective.policy == asked);
        let page = render(&report).unwrap();
        let objectives = section(&page, "Objectives");
        assert_eq!(objectives.matches("<tr><th><span").count(), report.policies.len());
        let aside = (report.policies.len() - 1) * report.scorecard.goals.len();
        assert_eq!(objectives.matches("class=\"aside\"").count(), aside);
        assert!(objectives.contains("held against it all the same"));
    }

    #[test]
    fn what_follows_from_the_run_comes_first_and_every_part_is_linked() {
        let page = page();
        let body = page.split_once("<body>").unwrap().1;
        let at = |words: &str| body.find(words).unwrap_or_else(|| panic!("{words}"));
        assert!(at("class=\"headline\"") < at("class=\"facts\""));
        let parts = body.split_once("</nav>").unwrap().0.split_once("<nav").unwrap().1;
        for link in parts.split("href=\"#").skip(1) {
            let id = link.split('"').next().unwrap();
            assert!(body.contains(&format!("<section id=\"{id}\"")), "{id}");
        }
    }

    #[test]
    fn a_provider_without_attempts_is_only_counted() {
        let mut report = sample();
        for policy in &mut report.policies {
            policy.providers[2].failed.n = 0;
            policy.providers[2].in_flight.value = 0.0;
            policy.providers[2].cost.value = 0.0;
            policy.series.iter_mut().for_each(|bin| bin.sent[2] = 0.0);
        }
        let name = format!("<span>{}</span>", report.policies[0].providers[2].name);
        let page = render(&report).unwrap();
        assert!(!section(&page, "Policy by policy").contains(&name));
        assert!(!section(&page, "Where attempts go over time").contains(&name));
        let counted = |words: &str| section(&page, "Policy by policy").matches(words).count();
        // One policy of the sample uses a single provider anyway.
        let (one, two) = (
            counted(";more provider got no attempt."),
            counted("2&nbsp;more providers got no attempt."),
        );
        assert_eq!((one, two), (3, 1));
    }

    #[test]
    fn a_report_of_nothing_is_still_a_page() {
        let mut bare: Report = sample();
        bare.objectives.clear();
        bare.comparisons.clear();
        bare.models.clear();
        bare.warnings.clear();
        bare.policies.truncate(1);
        bare.policies[0].series.clear();
        bare.policies[0].curves = Curves::default();
        bare.policies[0].metrics.clear();
        assert!(!render(&bare).unwrap().contains("NaN"));
        bare.policies.clear();
        render(&bare).unwrap();
    }
}

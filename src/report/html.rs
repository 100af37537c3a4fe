//! The report as one HTML page that needs nothing else: no network, no script.
//!
//! The page is the template `report.html`; here every figure is put into words for it. All text from outside is escaped by
//! the template engine; only our own drawings go in as they are. Left out: anything to click but folding parts, and any
//! figure that the report does not hold.

#[cfg(test)]
mod sample;
mod view;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::Report;
use super::chart;

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

/// The page for a report.
pub fn render(report: &Report) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.add_template("report", include_str!("report.html"))?;
    Ok(environment
        .get_template("report")?
        .render(Serde(view::Page::of(report)?))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use super::sample::sample;
    use crate::report::{Curves, Report};

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
    fn text_from_outside_is_escaped() {
        let page = page();
        assert!(page.contains("&lt;script&gt;alert(1)"));
        assert!(!page.contains("<script"));
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
        // Two distributions, two of percentiles, one trade-off, three over time, and one a policy.
        assert_eq!(page.matches("<svg").count(), 8 + sample().policies.len());
        assert_eq!(page.matches("</svg>").count(), 8 + sample().policies.len());
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
        let page = page();
        for words in [
            "14 of 20",
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

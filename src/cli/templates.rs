//! The experiments that `simcap init` can begin with: each a question that a team has, with everything it assumes said in its `about`.
//!
//! The first line of each is its question, which `--list` prints. That each checks without a warning and runs is a test.

use clap::ValueEnum;

/// An experiment to start from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Template {
    /// A cheap and a dear provider, and every part of an experiment explained
    #[default]
    Starter,
    /// Chat with two providers, an outage, failover and a breaker
    Chat,
    /// Long prompts, returning users and prompt caches
    Rag,
    /// Azure's provisioned throughput with overflow to pay-as-you-go
    AzurePtu,
    /// LiteLLM's router: two deployments, cooldowns and a fallback
    LitellmPair,
}

impl Template {
    /// The text of the experiment.
    pub(super) fn text(self) -> &'static str {
        match self {
            Template::Starter => include_str!("starter.json"),
            Template::Chat => include_str!("templates/chat.json"),
            Template::Rag => include_str!("templates/rag.json"),
            Template::AzurePtu => include_str!("templates/azure-ptu.json"),
            Template::LitellmPair => include_str!("templates/litellm-pair.json"),
        }
    }

    /// The name that `--template` takes.
    pub(super) fn name(self) -> String {
        self.to_possible_value()
            .map_or(String::new(), |value| value.get_name().to_owned())
    }

    /// What the experiment is about, in a line.
    pub(super) fn about(self) -> String {
        let help = self
            .to_possible_value()
            .and_then(|value| value.get_help().map(ToString::to_string));
        help.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::run::{Control, run};
    use crate::experiment::assemble::assemble;
    use crate::experiment::estimate::estimate;
    use crate::experiment::load::from_text;
    use crate::experiment::reach;

    #[test]
    fn each_asks_checks_without_a_warning_and_runs() {
        for template in Template::value_variants() {
            let (name, text) = (template.name(), template.text());
            let loaded = from_text(&name, text).unwrap_or_else(|e| panic!("{e}"));
            assert!(text.contains(&format!("\"name\": \"{name}\"")), "{name}");
            let plan = assemble(&loaded).unwrap_or_else(|e| panic!("{e}"));
            let estimate = estimate(&loaded, &plan, 1);
            estimate.check(&loaded).unwrap_or_else(|e| panic!("{e}"));
            let warnings = [
                plan.cautions.clone(),
                estimate.warnings(),
                reach::notes(&plan, &estimate),
            ]
            .concat();
            assert!(warnings.is_empty(), "{name}: {warnings:?}");
            assert!(estimate.seconds < 10.0, "{name} takes {} s", estimate.seconds);
            if *template != Template::Starter {
                let question = text.lines().next().unwrap_or_default();
                assert!(
                    question.starts_with("// ") && question.ends_with('?'),
                    "{name}: {question}"
                );
                assert!(
                    loaded.experiment.about.contains("Assumed: "),
                    "{name} does not say what it assumes"
                );
            }
            for scenario in &plan.scenarios {
                let tally = run(scenario, 1, 0, &Control::default()).unwrap_or_else(|_| panic!("{name} was stopped"));
                assert!(tally.served > 500, "{name}");
            }
        }
    }
}

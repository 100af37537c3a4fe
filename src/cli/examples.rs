//! The examples that stand at the end of every `--help`, and the exit codes.
//!
//! It is a test that each subcommand has two to four of them, and that the command line takes every one. Commands that say more at the
//! end of theirs, `calibrate` and `mock`, have their examples there.

/// The exit codes, as a literal.
macro_rules! exit_codes {
    () => {
        "\n\nExit codes:
  0  fine
  1  an objective failed, a published figure does not hold, or a configuration has warnings of the level of --fail-on
  2  bad input or usage
  3  runtime failure (a script's too), a bound outgrown, or interrupted"
    };
}

/// Examples, each a command without the program's name, and what else stands at the end.
macro_rules! help {
    ($($command:literal)+ $(; $end:expr)?) => {
        concat!("Examples:", $("\n  simcap ", $command),+ $(, $end)?)
    };
}

pub(super) const SIMCAP: &str = help! {
    "init mine.json --template chat"
    "check mine.json"
    "run mine.json"
    "kinds --find breaker"
    ; exit_codes!()
};

pub(super) const RUN: &str = help! {
    "run mine.json"
    "run mine.json --replications 5 --seed 7 --set traffic.rate=40/s --out /tmp/quick"
    "run experiments/azure-replay.json --trace traces/"
    "run mine.json --resume"
    ; exit_codes!()
};

pub(super) const COMPARE: &str = help! {
    "compare mine.json --replications 50"
    "compare reports/mine/result.json"
    "compare reports/old/result.json reports/new/result.json"
    "compare mine.json --baseline main"
    ; exit_codes!()
};

pub(super) const SWEEP: &str = help! {
    "sweep mine.json --set traffic.rate=10..200/s:20"
    "sweep mine.json --set providers[a].connections=10,20,50 --set traffic.rate=10/s,50/s --format csv"
    "sweep mine.json --set plan.seed=1,2,3 --metric ttft.p99 --out sweeps"
    ; exit_codes!()
};

pub(super) const DRILL: &str = help! {
    "drill experiments/outage.json"
    "drill mine.json --fails hangs,429 --for 5m --format markdown"
    "drill mine.json --errors-at-most 5%"
    ; exit_codes!()
};

pub(super) const CAPACITY: &str = help! {
    "capacity mine.json"
    "capacity mine.json --policy tiered --stream chat --grows 5%/month --out capacity"
    "capacity mine.json --carry 40/s --smallest providers[a].connections=10..200"
    ; exit_codes!()
};

pub(super) const OPTIMIZE: &str = help! {
    "optimize mine.json"
    "optimize mine.json --set providers[a].connections=10..50:5 --out best"
    "optimize mine.json --policy tiered --set policies[tiered].client.timeouts.total=5s,10s,30s --minimise e2e.p99"
    ; exit_codes!()
};

pub(super) const RISK: &str = help! {
    "risk experiments/risk.json"
    "risk mine.json --between traffic.rate=25/s..45/s --one-of providers[a].model=gpt-4.1,gemini-2.5-flash --budget '$5,000'"
    "risk mine.json --between traffic.scale=0.7..1.3 --points 100 --metric ttft.p99 --out risk"
    ; exit_codes!()
};

pub(super) const AUDIT: &str = help! {
    "audit claims.json"
    "audit experiments/claims/*.json --full"
    "audit claims.json --check --format markdown"
    ; exit_codes!()
};

pub(super) const REPORT: &str = help! {
    "report reports/mine"
    "report reports/old reports/new --out both.html --open"
    "report reports/mine --svg plots"
    ; exit_codes!()
};

pub(super) const REQUESTS: &str = help! {
    "requests mine.json --worst 10"
    "requests mine.json --id 42"
    "requests mine.json --outcome timeout_total --perfetto trace.json"
    "requests mine.json --export requests.csv --attempts attempts.csv --sample 1%"
    ; exit_codes!()
};

pub(super) const VALIDATE: &str = help! {
    "validate gpt-4.1.json runs/gpt-4.1/probes.jsonl"
    "validate gpt-4.1.json log.csv --map at=when:ms,ttft=first:ms,e2e=total:ms,output=tokens --margin 5%"
    "validate mine.json spend.json --fit-on 60% --invoice '$1,234'"
    ; exit_codes!()
};

pub(super) const CHECK: &str = help! {
    "check mine.json"
    "check mine.json --effective"
    ; exit_codes!()
};

pub(super) const FIT: &str = help! {
    "fit runs/gpt-4.1/probes.jsonl --out models/gpt-4.1.json"
    "fit vllm.json --price-input '$0.10/Mtok' --price-output '$0.40/Mtok'"
    "fit log.csv --map at=when:ms,ttft=first:ms,e2e=total:ms,output=tokens --experiment mine.json"
    ; exit_codes!()
};

pub(super) const TRAFFIC: &str = help! {
    "traffic AzureLLMInferenceTrace_conv.csv"
    "traffic trace.jsonl.gz --out mine"
    "traffic log.csv --columns time=created_at,input=prompt,output=answer --only model=large --fit traffic.json"
    ; exit_codes!()
};

pub(super) const PAGE: &str = help! {
    "page mine.json"
    "page mine.json --out what-if.html --engine simcap-engine.wasm"
    ; exit_codes!()
};

pub(super) const EXPLAIN: &str = help! {
    "explain litellm_config.yaml"
    "explain portkey.json --format markdown"
    "explain litellm_config.yaml --format sarif --fail-on warning"
    ; exit_codes!()
};

pub(super) const IMPORT: &str = help! {
    "import litellm_config.yaml --out mine"
    "import litellm_config.yaml --usage spend_logs.json --out mine"
    "import values.yaml --product litellm"
    ; exit_codes!()
};

pub(super) const DIFF: &str = help! {
    "diff old.yaml litellm_config.yaml"
    "diff old.yaml litellm_config.yaml --with mine/assumptions.json"
    "diff old.yaml litellm_config.yaml --with mine/assumptions.json --format markdown --fail-on warning"
    ; exit_codes!()
};

pub(super) const EXPORT: &str = help! {
    "export mine/experiment.json --into litellm_config.yaml"
    "export mine/experiment.json --policy litellm --into litellm_config.yaml --write"
    "export mine/experiment.json --into litellm_config.yaml --accept --out better.yaml"
    ; exit_codes!()
};

pub(super) const SCHEMA: &str = help! {
    "schema"
    "schema model"
};

pub(super) const INIT: &str = help! {
    "init mine.json"
    "init --list"
    "init mine.json --template azure-ptu"
    "init plan.json --plan"
};

pub(super) const KINDS: &str = help! {
    "kinds litellm_cooldown"
    "kinds client.timeouts"
    "kinds duration"
    "kinds --find azure"
};

pub(super) const POLICIES: &str = help! {
    "policies litellm"
    "policies peak_ewma"
};

pub(super) const MODELS: &str = help! {
    "models"
    "models gpt-4.1"
};

pub(super) const LIMITS: &str = help! {
    "limits"
    "limits azure-openai/ptu/gpt-4.1"
};

#[cfg(feature = "completions")]
pub(super) const COMPLETIONS: &str = help! {
    "completions bash > ~/.local/share/bash-completion/completions/simcap"
    "completions zsh > ~/.zfunc/_simcap"
    "completions fish > ~/.config/fish/completions/simcap.fish"
};

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use crate::cli::Cli;

    /// The words of a command line, up to where a shell would send it elsewhere.
    fn words(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        for (i, part) in line.split('\'').enumerate() {
            // Every second part stands between quotes.
            match i % 2 {
                1 => words.push(part.to_owned()),
                _ => words.extend(part.split_whitespace().map(str::to_owned)),
            }
        }
        let end = words.iter().position(|word| ["|", ">"].contains(&word.as_str()));
        words.truncate(end.unwrap_or(words.len()));
        words
    }

    #[test]
    fn every_command_has_examples_that_it_takes() {
        let command = Cli::command();
        for command in command.get_subcommands().chain([&command]) {
            let name = command.get_name();
            let help = command
                .get_after_long_help()
                .or(command.get_after_help())
                .map(ToString::to_string);
            let help = help.unwrap_or_else(|| panic!("{name} has no examples"));
            let examples: Vec<&str> = help.lines().filter_map(|line| line.strip_prefix("  simcap ")).collect();
            assert!(
                (2..=4).contains(&examples.len()),
                "{name} has {} examples",
                examples.len()
            );
            for example in examples {
                assert!(name == "simcap" || example.starts_with(name), "{name}: {example}");
                let parsed = Cli::try_parse_from(words(&format!("simcap {example}")));
                assert!(parsed.is_ok(), "{}", parsed.unwrap_err());
            }
        }
    }
}

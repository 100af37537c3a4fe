//! `simcap calibrate`: probes of real endpoints, within a bound on cost.

mod arguments;
mod progress;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use clap::Args;

use super::measured::measured;
use super::{Done, Exit, Failure, print, signals, style};
use crate::calibrate::fit;
use crate::calibrate::probe::{FORMAT, Line, Probe, Run, Sending};
use crate::form::diagnose::{self, Seg};
use crate::form::units::Money;
use crate::import::source::{self, MOST_OF_JSON};
use crate::live::journal::{self, Journal, JournalError, Kept};
use crate::live::key::Key;
use crate::live::money::Dollars;
use crate::live::plan::{Finding, Mode, Plan};
use crate::live::run::{self, Control, Keep, Start};
use crate::live::spec::PlanSpec;
use crate::live::summary::{self, Summary};
use crate::report::{Unit, format};

/// Arguments of `simcap calibrate`.
#[derive(Debug, Args)]
#[command(after_help = AFTER, after_long_help = AFTER)]
pub(super) struct Calibrate {
    /// A plan (JSON; several targets side by side); in place of the arguments that say the same
    #[arg(conflicts_with = "base_url", required_unless_present = "base_url")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    target: arguments::Target,
    #[command(flatten)]
    load: arguments::Load,
    #[command(flatten)]
    ask: arguments::Ask,
    /// The most that the run may cost, like '$1'; nothing is sent that could pass it [default: as the plan says]
    #[arg(long, allow_hyphen_values = true, value_name = "MONEY")]
    max_cost: Option<Money>,
    /// Say what would be sent and what it would cost, and stop there
    #[arg(long)]
    dry_run: bool,
    /// Go on with the run in the folder: probes that it holds are not sent again
    #[arg(long)]
    resume: bool,
    /// Where results go, line by line [default: reports/calibrate-NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

const AFTER: &str = "Examples:
  simcap calibrate plan.json
  simcap calibrate --base-url http://localhost:8080/v1 --model gpt-4.1 --concurrency 4 --requests 200 --max-cost '$1'
  simcap calibrate --base-url https://api.openai.com/v1 --model gpt-4.1 --api-key-env OPENAI_API_KEY --rate 1/s --duration 5m \
--max-cost '$1'

Exit codes:
  0  fine
  1  the plan was not carried out: --max-cost kept probes back, or the probe itself lagged (its p95 delay is above
     --dispatch-bound, so that the figures are the probe's, not the endpoint's)
  2  bad input or usage
  3  runtime failure, no probe succeeded, or interrupted (--resume goes on)

The key comes from the environment variable that --api-key-env names, and is written and shown nowhere.
An answer's tokens are those of its usage; --input is words, about a token each.";

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Failure {
        match error {
            JournalError::Line { .. } | JournalError::Busy { .. } => Failure::Input(error.to_string()),
            JournalError::Io { .. } => anyhow::Error::from(error).into(),
        }
    }
}

impl Calibrate {
    pub(super) fn run(self) -> Done {
        let watched = Watched::begin();
        let plan = self.planned()?;
        print(&stated(&plan))?;
        if self.dry_run {
            return Ok(Exit::Fine);
        }
        let keys = keys(&plan)?;
        refuse_socks()?;
        let folder = self
            .out
            .unwrap_or_else(|| PathBuf::from("reports").join(format!("calibrate-{}", plan.spec.name)));
        let path = folder.join(journal::NAME);
        let kept = kept(&path, &plan, self.resume)?;
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot write to {}", folder.display()))?;
        let mut journal = Journal::open(&path, kept.as_ref())?;
        let start = Start::soon();
        journal.write(&Line::Run(Run {
            format: FORMAT.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            unix_us: start.unix_us,
            seed: plan.spec.seed,
            plan: plan.hash.clone(),
            targets: plan.spec.targets.names(),
            prices: plan.prices(),
            endpoints: plan.endpoints(),
        }))?;
        let mut kept = kept.unwrap_or_default();
        let (fates, interrupted) = send(&plan, &keys, start, journal, &mut kept, &watched)?;
        let summary = summary::summarise(&plan, &kept, &fates);
        print(&told(&summary, kept.probes.len()))?;
        if matches!(plan.mode, Mode::Find(_)) && summary.any_success {
            print(&found(&path)?)?;
        }
        let next = if interrupted {
            "\nInterrupted. Go on with: the same command and --resume\n".to_owned()
        } else if !summary.any_success {
            "\nNo probe succeeded: there is nothing to fit.\n".to_owned()
        } else {
            let models = match plan.targets.as_slice() {
                [_] => "a model of it, and an experiment with it",
                _ => "a model of each, and the experiment that compares them",
            };
            format!(
                "\nNext, for {models}: simcap fit {} --experiment {}.json\n",
                path.display(),
                experiment(&plan.spec.name)
            )
        };
        print(&next)?;
        if interrupted || !summary.any_success {
            return Ok(Exit::Runtime);
        }
        let mut exit = Exit::Fine;
        if summary.unaffordable > 0 {
            let all = (plan.slots.len() * plan.targets.len()) as u64;
            print(&format!(
                "\nThe bound of {} kept back {} of {} probes: go on with a higher --max-cost and --resume, or ask for fewer.\n",
                Dollars(plan.max_cost),
                format::count(summary.unaffordable),
                format::count(all),
            ))?;
            exit = Exit::ObjectiveFailed;
        }
        if lagged(&plan, &summary) {
            print(&format!(
                "\nThis run measured the probe, not the endpoint: its own delay before sending is {} at p95, above {}. Give it a \
                 calmer machine or a lower rate.\n",
                format::value(Unit::Seconds, summary.dispatch_p95.unwrap_or(0.0)),
                plan.spec.dispatch_bound,
            ))?;
            exit = Exit::ObjectiveFailed;
        }
        Ok(exit)
    }

    fn planned(&self) -> Result<Plan, Failure> {
        let Some(file) = &self.plan else {
            let spec = arguments::spec(&self.target, &self.load, &self.ask, self.max_cost)?;
            return spec.plan().map_err(|refusal| {
                let field = refusal.path.iter().rev().find_map(|seg| match seg {
                    Seg::Key(key) => arguments::flag(key),
                    Seg::Index(_) => None,
                });
                let field = field.map(|flag| format!("--{flag}: "));
                Failure::Input(field.unwrap_or_default() + &refusal.message)
            });
        };
        let name = file.display().to_string();
        let bytes = source::read(file, MOST_OF_JSON).map_err(|error| Failure::Input(format!("{name}: {error}")))?;
        let mut spec: PlanSpec = diagnose::parse_bytes(&name, &bytes)?;
        spec.max_cost = self.max_cost.unwrap_or(spec.max_cost);
        beside(file, &mut spec)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(spec.plan().map_err(|refusal| refusal.error(&name, &text))?)
    }
}

/// Files that a plan names lie beside it; classes of an experiment take their place in the plan.
fn beside(plan: &Path, spec: &mut PlanSpec) -> Result<(), Failure> {
    let folder = plan.parent().unwrap_or(Path::new(""));
    if let Some(experiment) = spec.experiment.take() {
        if !spec.classes.is_empty() {
            return Err(Failure::Input(format!(
                "{}: it has both `classes` and `experiment`, whose classes would take their place: leave one out",
                plan.display()
            )));
        }
        spec.classes = arguments::classes_of(&folder.join(experiment))?;
    }
    for name in spec.targets.names() {
        if let Some(file) = spec.targets.get_mut(&name).and_then(|target| target.ca_file.as_mut()) {
            *file = folder.join(&file).display().to_string();
        }
    }
    Ok(())
}

/// What the run will do and cost, before it does.
fn stated(plan: &Plan) -> String {
    let mut text = String::new();
    let (input, output) = plan.tokens();
    let count = plan.slots.len() as u64;
    let mut sum = 0u64;
    for target in &plan.targets {
        let expected = plan.expected(target);
        sum = sum.saturating_add(expected);
        text += &format!(
            "{}: {} probes to {} at {}; about {} input tokens, at most {} output tokens: {} at most at its prices\n",
            target.name,
            format::count(count),
            target.spec.model,
            target.spec.base_url,
            format::count(input),
            format::count(output),
            Dollars(expected),
        );
    }
    let bound = Dollars(plan.max_cost);
    if let Mode::Find(finding) = &plan.mode {
        text += &sought(finding);
    }
    text += &if sum > plan.max_cost {
        format!(
            "{} in all; it stops at {bound}, so not all will be sent\n",
            Dollars(sum)
        )
    } else {
        format!(
            "{} in all, if prompts have as many tokens as words; it stops at {bound}\n",
            Dollars(sum)
        )
    };
    plan.notes.iter().for_each(|note| text += &format!("note: {note}\n"));
    text
}

/// What a search for capacity does.
fn sought(finding: &Finding) -> String {
    let levels: Vec<String> = finding.levels.iter().map(u64::to_string).collect();
    let mut text = format!(
        "It looks for slots: {} at once, one after the other, until more at once bring no more answers a second\n",
        levels.join(", ")
    );
    if let Some(beyond) = &finding.beyond {
        text += &format!(
            "It looks for a quota: then a tenth above that rate for {}, without pausing on a 429: at most {} refusals, one every \
             {} at most. It takes what capacity is left: others that use the endpoint will notice\n",
            format::span(beyond.lasts.as_secs_f64()),
            format::count(beyond.refusals),
            format::span(beyond.gap().as_secs_f64())
        );
    }
    text + "It stops when it knows, so these are the most probes that it can take\n"
}

/// What the log of a search shows of each target's capacity.
fn found(path: &Path) -> Result<String, Failure> {
    let log = measured(&[path.to_path_buf()], None)?;
    let each = log.targets.iter().map(|target| {
        let found = fit::capacity(&log, target);
        let lines: Vec<String> = found.iter().map(|line| format!("{target}: {line}\n")).collect();
        lines.concat()
    });
    Ok(format!("\nFound\n{}", each.collect::<String>()))
}

/// A name for the experiment, which must not be that of the plan or of a model.
fn experiment(name: &str) -> String {
    format!("try-{name}")
}

fn keys(plan: &Plan) -> Result<Vec<Option<Key>>, Failure> {
    let key = |name: &Option<String>| name.as_deref().map(Key::from_env).transpose().map_err(Failure::Input);
    plan.targets
        .iter()
        .map(|target| key(&target.spec.api_key_env))
        .collect()
}

/// Proxies of the environment are used, except for those that the client does not speak to.
fn refuse_socks() -> Result<(), Failure> {
    use ureq::ProxyProtocol;
    match ureq::Proxy::try_from_env().map(|proxy| proxy.protocol()) {
        None | Some(ProxyProtocol::Http | ProxyProtocol::Https) => Ok(()),
        Some(_) => Err(Failure::Input(
            "the environment asks for a SOCKS proxy (ALL_PROXY, HTTPS_PROXY or HTTP_PROXY), which this cannot use: unset it, or give an HTTP proxy"
                .into(),
        )),
    }
}

/// What an earlier run left, if this one goes on with it.
fn kept(path: &Path, plan: &Plan, resume: bool) -> Result<Option<Kept>, Failure> {
    let there = path.exists();
    match (there, resume) {
        (false, _) => Ok(None),
        (true, false) => Err(Failure::Input(format!(
            "{} is there already: --resume goes on with it, --out writes elsewhere",
            path.display()
        ))),
        (true, true) => {
            let kept = journal::read(path)?;
            if let Some(run) = kept.runs.iter().find(|run| run.plan != plan.hash) {
                return Err(Failure::Input(format!(
                    "{}: it is of another plan (seed {}, targets {}): only the same goes on, --out writes elsewhere",
                    path.display(),
                    run.seed,
                    run.targets.join(", ")
                )));
            }
            Ok(Some(kept))
        }
    }
}

/// Sends what is left of the plan. Returns what became of the targets, and whether it was interrupted.
fn send(
    plan: &Plan,
    keys: &[Option<Key>],
    start: Start,
    journal: Journal,
    kept: &mut Kept,
    watched: &Watched,
) -> Result<(Vec<run::Fate>, bool), Failure> {
    let control = &watched.control;
    watched.sending.store(true, Ordering::SeqCst);
    let left = (plan.slots.len() * plan.targets.len()).saturating_sub(kept.probes.len());
    let view = progress::View::new(left as u64, plan, std::io::stderr().is_terminal());
    let keeping = Keeping {
        view: &view,
        written: Mutex::new((journal, Vec::new())),
    };
    let (fates, result) = progress::beside(&view, control, || run::run(plan, keys, start, kept, control, &keeping));
    let (_, fresh) = keeping.written.into_inner().unwrap_or_else(PoisonError::into_inner);
    kept.probes.extend(fresh);
    result?;
    // An interrupt that came when all was sent has interrupted nothing.
    let interrupted = control.stop.load(Ordering::Relaxed);
    Ok((fates, interrupted))
}

/// A run that a signal ends: at once before probes are sent, then as soon as those in flight have ended.
#[derive(Debug, Default)]
struct Watched {
    control: Control,
    sending: AtomicBool,
}

impl Watched {
    fn begin() -> Arc<Watched> {
        let watched = Arc::new(Watched::default());
        let asked = Arc::clone(&watched);
        signals::watch(move || {
            if !asked.sending.load(Ordering::SeqCst) {
                tell!("error: interrupted before any probe was sent");
                std::process::exit(Exit::Runtime as i32);
            }
            // Whatever follows, what has ended is written.
            asked.control.stop.store(true, Ordering::Relaxed);
            if asked.control.in_flight.load(Ordering::Relaxed) > 0 {
                tell!("\nstopping: probes in flight may end, as they are paid for; Ctrl-C again drops them");
            }
        });
        watched
    }
}

/// Writes a run down, for people and for files.
struct Keeping<'a> {
    view: &'a progress::View,
    /// The file, and the probes that have ended.
    written: Mutex<(Journal, Vec<Probe>)>,
}

impl Keep for Keeping<'_> {
    type Error = JournalError;

    fn sending(&self, probe: Sending) -> Result<(), JournalError> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.0.write(&Line::Sending(probe))
    }

    fn ended(&self, probe: Probe) -> Result<(), JournalError> {
        self.view.ended(&probe);
        let line = Line::Probe(Box::new(probe));
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let result = written.0.write(&line);
        if let Line::Probe(probe) = line {
            written.1.push(*probe);
        }
        result
    }
}

fn lagged(plan: &Plan, summary: &Summary) -> bool {
    let bound = plan.spec.dispatch_bound.span().seconds();
    summary.dispatch_p95.is_some_and(|p95| p95 > bound)
}

fn told(summary: &Summary, probes: usize) -> String {
    let style = style();
    let mut text = match probes {
        0 => "\nno probe was sent\n".to_owned(),
        _ => format!("\n{}", summary.targets.render(style.width, style.colour)),
    };
    for (name, steps) in &summary.ladders {
        text += &format!("\nThe steps of {name}\n{}", steps.render(style.width, style.colour));
    }
    if !summary.notes.is_empty() {
        text.push('\n');
    }
    summary.notes.iter().for_each(|note| text += &format!("- {note}\n"));
    text
}

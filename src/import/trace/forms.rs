//! The forms of traces that are known, by the names of their columns, and what they say that is not heeded.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::kept::Keeping;
use super::records::Records;
use super::{TraceError, metrics};
use crate::form::diagnose::{nearest, quoted};
use crate::import::spans;
use crate::traffic::arrivals::{Reading, TimeUnit};
use crate::traffic::kept::Keep;

/// A form of trace.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// What it is called.
    pub name: &'static str,
    /// The columns of the time of arrival, the input tokens and the output tokens.
    pub columns: [&'static str; 3],
    /// What a time without a date counts.
    pub unit: TimeUnit,
    /// Whether an output of nothing says that the request failed.
    pub zero_is_failure: bool,
    /// The column that says what a row is, and what it says of calls of a language model, if there are other rows.
    pub calls: Option<(&'static str, &'static [&'static str])>,
    /// Columns of tokens that those of the input and of the output do not count, and that are added to them.
    pub more: [&'static [&'static str]; 2],
    /// The column of how many requests a row stands for, if it is not one.
    pub requests: Option<&'static str>,
}

const fn form(name: &'static str, columns: [&'static str; 3], unit: TimeUnit, zero_is_failure: bool) -> Form {
    Form {
        name,
        columns,
        unit,
        zero_is_failure,
        calls: None,
        more: [&[], &[]],
        requests: None,
    }
}

/// Every form that is known. Azure: github.com/Azure/AzurePublicDataset (Patel et al., Splitwise, ISCA 2024), all three years. BurstGPT:
/// github.com/HPMLL/BurstGPT, both forms. Mooncake: github.com/kvcache-ai/Mooncake. OpenTelemetry: the semantic
/// conventions for generative AI. Langfuse: the observations of its public interface (`type`, `usageDetails`, whose parts of the input and of the
/// output are not within them: langfuse.com/docs, Token & Cost Tracking). Helicone: its requests' schema. Anthropic: docs.anthropic.com, Prompt caching
/// (`input_tokens` are those behind the last cache breakpoint). The others are what gateways and their users write.
pub const FORMS: &[Form] = &[
    form(
        "Azure",
        ["TIMESTAMP", "ContextTokens", "GeneratedTokens"],
        TimeUnit::Seconds,
        false,
    ),
    form(
        "BurstGPT",
        ["Timestamp", "Request tokens", "Response tokens"],
        TimeUnit::Seconds,
        true,
    ),
    form(
        "Mooncake",
        ["timestamp", "input_length", "output_length"],
        TimeUnit::Milliseconds,
        false,
    ),
    form(
        "LiteLLM's spend log",
        ["startTime", "prompt_tokens", "completion_tokens"],
        TimeUnit::Seconds,
        true,
    ),
    Form {
        calls: Some((spans::OPERATION, spans::CALLS)),
        ..form(
            "OpenTelemetry's spans",
            [spans::STARTS, spans::INPUT[0], spans::OUTPUT[0]],
            TimeUnit::Nanoseconds,
            true,
        )
    },
    Form {
        calls: Some(("type", &["GENERATION"])),
        more: [
            &[
                "usageDetails.input_cached_tokens",
                "usageDetails.input_cache_read",
                "usageDetails.input_cache_creation",
                "usageDetails.input_audio_tokens",
                "usageDetails.cache_read_input_tokens",
                "usageDetails.cache_creation_input_tokens",
            ],
            &[
                "usageDetails.output_reasoning_tokens",
                "usageDetails.output_audio_tokens",
            ],
        ],
        ..form(
            "Langfuse's observations",
            ["startTime", "usageDetails.input", "usageDetails.output"],
            TimeUnit::Seconds,
            true,
        )
    },
    form(
        "Helicone's requests",
        ["request_created_at", "prompt_tokens", "completion_tokens"],
        TimeUnit::Seconds,
        true,
    ),
    form(
        "OpenAI's usage",
        ["timestamp", "prompt_tokens", "completion_tokens"],
        TimeUnit::Seconds,
        false,
    ),
    Form {
        more: [&["cache_read_input_tokens", "cache_creation_input_tokens"], &[]],
        ..form(
            "Anthropic's usage",
            ["timestamp", "input_tokens", "output_tokens"],
            TimeUnit::Seconds,
            false,
        )
    },
    Form {
        requests: Some(metrics::COLUMNS[1]),
        ..form(
            "Azure Monitor's metrics",
            [metrics::COLUMNS[0], metrics::COLUMNS[2], metrics::COLUMNS[3]],
            TimeUnit::Seconds,
            false,
        )
    },
];

/// The known forms, in a line.
pub(super) fn known() -> String {
    let one = |form: &Form| format!("{} ({})", form.name, form.columns.join(", "));
    FORMS.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// When a column that is not heeded is worth a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// Where it is.
    There,
    /// Where its values differ.
    Differs,
    /// Where it is more than nothing in some row.
    Positive,
}

/// Columns that change what a trace means and are not heeded.
const UNHEEDED: &[(&str, When, &str)] = &[
    (
        "NumImages",
        When::Positive,
        "images of its requests (`NumImages`) are not modelled: their tokens and their time are missing",
    ),
    (
        "Session ID",
        When::There,
        "which requests are of one conversation (`Session ID`) is not heeded",
    ),
    (
        "end_user",
        When::Differs,
        "whose requests these are (`end_user`) is not heeded: `\"keep\": { \"user\": \"end_user\" }` in `replay` keeps it",
    ),
    (
        "team_id",
        When::Differs,
        "which team's requests these are (`team_id`) is not heeded: `\"keep\": { \"tags\": { \"team\": \"team_id\" } }` in `replay` keeps it",
    ),
    (
        "userId",
        When::Differs,
        "whose requests these are (`userId`) is not heeded: `\"keep\": { \"user\": \"userId\" }` in `replay` keeps it",
    ),
    (
        "request_user_id",
        When::Differs,
        "whose requests these are (`request_user_id`) is not heeded: `\"keep\": { \"user\": \"request_user_id\" }` in `replay` keeps it",
    ),
    (
        "user.id",
        When::Differs,
        "whose requests these are (`user.id`) is not heeded: `\"keep\": { \"user\": \"user.id\" }` in `replay` keeps it",
    ),
    (
        "sessionId",
        When::Differs,
        "which requests are of one conversation (`sessionId`) is not heeded",
    ),
    (
        "gen_ai.conversation.id",
        When::Differs,
        "which requests are of one conversation (`gen_ai.conversation.id`) is not heeded",
    ),
    (
        "request_tags",
        When::Differs,
        "tags of requests (`request_tags`) are not heeded: `only` in `replay` takes those of one value",
    ),
    (
        "prompt_cache_read_tokens",
        When::Positive,
        "tokens from a prompt cache (`prompt_cache_read_tokens`) are not added to `prompt_tokens`: whether that has them is the provider's way",
    ),
    (
        "level",
        When::Differs,
        "requests that failed (`level`) are replayed like the others; `only` in `replay` takes those of one level",
    ),
    (
        "response_status",
        When::Differs,
        "requests that failed (`response_status`) are replayed like the others; `only` in `replay` takes those of one status",
    ),
    (
        "Model",
        When::Differs,
        "requests to several models (`Model`) are replayed together; `only` in `replay` takes those of one",
    ),
    (
        "model",
        When::Differs,
        "requests to several models (`model`) are replayed together; `only` in `replay` takes those of one",
    ),
    (
        "gen_ai.request.model",
        When::Differs,
        "requests to several models (`gen_ai.request.model`) are replayed together; `only` in `replay` takes those of one",
    ),
    (
        "status",
        When::Differs,
        "requests that failed (`status`) are replayed like the others; `only` in `replay` takes those of one status",
    ),
    (
        "cache_hit",
        When::Differs,
        "requests that a cache answered (`cache_hit`) are replayed like the others",
    ),
    (
        "call_type",
        When::Differs,
        "calls of several types (`call_type`) are replayed together; `only` in `replay` takes those of one",
    ),
];

/// Columns that say how a request ended, in a trace of any form.
const ENDED: &[&str] = &["status", "status_code", "http_status", "response_status", "level"];

/// What such a column says of one that failed, beside the status of an answer.
const FAILED: &[&str] = &["failure", "failed", "fail", "error", "timeout", "timed_out"];

/// A column of the trace.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// Where it is in the header.
    pub(super) place: usize,
    /// What the header calls it.
    pub(super) name: String,
}

/// Where a trace says what.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) time: Column,
    pub(super) input: Column,
    pub(super) output: Column,
    pub(super) unit: TimeUnit,
    /// How many requests a row stands for, if it is not one.
    pub(super) requests: Option<Column>,
    /// The form, if it is a known one.
    pub(super) form: Option<&'static Form>,
    /// The columns that must have these values.
    pub(super) only: Vec<(Column, String)>,
    /// The column that says which rows are calls, and what it says of these.
    calls: Option<(Column, &'static [&'static str])>,
    /// Columns that are added to the input and to the output, and whether any has said more than nothing.
    pub(super) more: [Vec<(Column, bool)>; 2],
    /// The columns that are kept, if any are.
    pub(super) keeping: Option<Keeping>,
    /// The columns that say how a request ended.
    ended: Vec<Column>,
    unheeded: Vec<Unheeded>,
}

/// A column that is not heeded.
#[derive(Debug)]
struct Unheeded {
    column: Column,
    when: When,
    note: &'static str,
    values: BTreeSet<String>,
    is_told: bool,
}

/// Where `header` has columns of this name.
fn places(header: &[String], name: &str) -> Vec<usize> {
    let is_it = |(_, found): &(usize, &String)| found.eq_ignore_ascii_case(name);
    let found = header.iter().enumerate().filter(is_it);
    found.map(|(place, _)| place).collect()
}

/// The names of `header`, in a line.
fn listed(header: &[String]) -> String {
    quoted(&header.join(", "))
}

/// Finds the column called `name` in `header`; where there is none, the nearest name is told if this one was given, as `gave` says.
pub(super) fn column(header: &[String], name: &str, gave: bool) -> Result<Column, TraceError> {
    match places(header, name)[..] {
        [place] => Ok(Column {
            place,
            name: header[place].clone(),
        }),
        [] => {
            let near = nearest(name, header.iter().map(String::as_str)).filter(|_| gave);
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{}`?", quoted(near)));
            Err(TraceError::Column(quoted(name), listed(header) + &near))
        }
        ref all => Err(TraceError::Twice(quoted(name), all.len())),
    }
}

/// Finds the columns in `header`.
pub(super) fn columns(header: &[String], reading: &Reading) -> Result<Columns, TraceError> {
    let gave = reading.columns.is_some() || reading.keep.is_some();
    let column = |name: &str| column(header, name, gave);
    let has = |form: &&Form| {
        let has = form.columns.iter().filter(|name| !places(header, name).is_empty());
        has.count()
    };
    // Of the forms with the most columns here the first.
    let best = FORMS.iter().rev().max_by_key(has).filter(|form| has(form) > 1);
    let (names, unit, form): ([&str; 3], _, _) = match (&reading.columns, best) {
        (Some(given), _) => ([&given.time, &given.input, &given.output], given.unit, None),
        (None, Some(form)) => (form.columns, form.unit, Some(form)),
        (None, None) => return Err(TraceError::Unknown(listed(header))),
    };
    let requests = match (&reading.columns, form) {
        (Some(given), _) => given.requests.as_deref(),
        (None, form) => form.and_then(|form| form.requests),
    };
    let requests = requests.map(column).transpose()?;
    let only = reading
        .only
        .iter()
        .map(|(name, value)| Ok((column(name)?, value.clone())));
    let only: Vec<(Column, String)> = only.collect::<Result<_, TraceError>>()?;
    let calls = form.and_then(|form| form.calls);
    let calls = calls.and_then(|(name, calls)| Some((column(name).ok()?, calls)));
    let more = form.map_or([&[][..], &[]], |form| form.more);
    let more = more.map(|names| {
        let columns = names.iter().filter_map(|name| column(name).ok());
        columns.map(|column| (column, false)).collect()
    });
    let keep = reading.keep.as_ref();
    let keeping = keep.map(|keep| Keeping::new(keep, &column)).transpose()?;
    let is_kept = |name: &str| {
        let columns = |keep: &Keep| {
            let tags = keep.tags.iter().map(|(_, column)| column.as_str());
            let all = keep
                .user
                .as_deref()
                .into_iter()
                .chain(keep.class.as_deref())
                .chain(tags);
            all.into_iter().any(|column| column.eq_ignore_ascii_case(name))
        };
        keep.is_some_and(columns)
    };
    let is_chosen = |name: &str| only.iter().any(|(column, _)| column.name == name) || is_kept(name);
    let unheeded = UNHEEDED.iter().filter(|(name, ..)| !is_chosen(name));
    let unheeded = unheeded.filter_map(|(name, when, note)| {
        let place = header.iter().position(|found| found == name)?;
        let name = (*name).to_owned();
        Some(Unheeded {
            column: Column { place, name },
            when: *when,
            note,
            values: BTreeSet::new(),
            is_told: *when == When::There,
        })
    });
    let unheeded = unheeded.collect();
    let ended = ENDED.iter().filter_map(|name| column(name).ok()).collect();
    Ok(Columns {
        time: column(names[0])?,
        input: column(names[1])?,
        output: column(names[2])?,
        unit,
        requests,
        form,
        only,
        calls,
        more,
        keeping,
        ended,
        unheeded,
    })
}

impl Columns {
    /// Looks at what a row says in columns that are not heeded; once it is known what is to be said of one, no more.
    pub(super) fn look(&mut self, records: &dyn Records) {
        for of in self.unheeded.iter_mut().filter(|of| !of.is_told) {
            let text: Cow<'_, str> = records.text(&of.column);
            of.is_told = match of.when {
                When::There => true,
                When::Positive => !text.is_empty() && text.parse() != Ok(0.0),
                When::Differs => {
                    if !of.values.contains(&*text) {
                        of.values.insert(text.into_owned());
                    }
                    of.values.len() > 1
                }
            };
        }
    }

    /// The tokens of a row that its input, or its output, does not count.
    pub(super) fn more(&mut self, of: usize, records: &dyn Records) -> u32 {
        let mut sum = 0_u32;
        for (column, is_said) in &mut self.more[of] {
            let tokens: u32 = records.text(column).parse().unwrap_or(0);
            *is_said |= tokens > 0;
            sum = sum.saturating_add(tokens);
        }
        sum
    }

    /// Whether a row is something else than a call of a language model.
    pub(super) fn is_aside(&self, records: &dyn Records) -> bool {
        let calls = self.calls.as_ref();
        calls.is_some_and(|(column, calls)| !calls.contains(&&*records.text(column)))
    }

    /// Whether a row without an output says so because its request failed: by its form, or by what it says of its end.
    pub(super) fn has_failed(&self, records: &dyn Records) -> bool {
        let says_it = |column: &Column| {
            let text = records.text(column);
            match text.trim().parse::<f64>() {
                Ok(status) => (400.0..600.0).contains(&status),
                Err(_) => FAILED.iter().any(|word| text.trim().eq_ignore_ascii_case(word)),
            }
        };
        // A row that counts requests is not a single one.
        self.form.is_some_and(|form| form.zero_is_failure)
            || (self.requests.is_none() && self.ended.iter().any(says_it))
    }

    /// What is to be said of columns that are not heeded.
    pub(super) fn notes(&self) -> Vec<String> {
        let told = self.unheeded.iter().filter(|of| of.is_told);
        let added = self
            .more
            .iter()
            .zip([&self.input, &self.output])
            .filter_map(|(more, to)| {
                let said = more.iter().filter(|(_, is_said)| *is_said);
                let names: Vec<String> = said.map(|(column, _)| format!("`{}`", quoted(&column.name))).collect();
                let names = (!names.is_empty()).then(|| names.join(", "))?;
                Some(format!(
                    "{names} are added to `{}`, which does not count them",
                    quoted(&to.name)
                ))
            });
        told.map(|of| of.note.to_owned()).chain(added).collect()
    }
}

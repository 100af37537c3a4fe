//! Any table of text, read by a mapping: `ttft=first_token_ms:ms,e2e=total:s,input=prompt_tokens,…`, each a field, the column
//! that holds it, and its unit.
//!
//! [`HELP`] is the whole of what a user is told: fields, units, zones, missing cells. What an answer is, where no status
//! says so, is a first token or output tokens; a row that has neither of those nor a status is left out and counted, since
//! whether it failed is not known. In a file whose cells are not separated by commas, a comma in a figure is a decimal one.

use super::gather::{ENDPOINT, Gather, censor, clock, observed, outcome, seconds, seen, tokens, tpot};
use super::table::{column, table};
use super::zone::{Zone, is_newest_first, step_back};
use super::{Mistake, ReadError, quoted, sourced};
use crate::calibrate::log::{Log, Observation, Timing};
use crate::form::diagnose::nearest;
use crate::words::Outcome;

/// A field that a column can hold.
struct Field {
    name: &'static str,
    /// What its cells are.
    kind: Kind,
}

/// What the cells of a field are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A date with a time of day, or a number since some origin: has a unit or a zone.
    Moment,
    /// A number with a unit.
    Duration,
    /// A whole number.
    Tokens,
    /// Text of any kind.
    Words,
}

/// The fields that a column can hold.
const FIELDS: [Field; 14] = [
    field("at", Kind::Moment),
    field("first", Kind::Moment),
    field("end", Kind::Moment),
    field("ttft", Kind::Duration),
    field("tpot", Kind::Duration),
    field("e2e", Kind::Duration),
    field("dispatch", Kind::Duration),
    field("input", Kind::Tokens),
    field("output", Kind::Tokens),
    field("cached", Kind::Tokens),
    field("reasoning", Kind::Tokens),
    field("target", Kind::Words),
    field("status", Kind::Words),
    field("error", Kind::Words),
];

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind }
}

/// What `--map` takes, for a command's help.
pub const HELP: &str = "\
Which columns of a table (CSV; separated by commas, semicolons, tabs or bars) hold what: FIELD=COLUMN or FIELD=COLUMN:UNIT, \
separated by commas. One of ttft, e2e, first and end is needed.

  at         when the request was due: 2026-01-31T12:00:00.250Z, 2026-01-31 12:00:00+02:00, 31.01.2026 12:00:00, or a
             number in a unit since 1970 (or since any other moment)
  first      when its first token came, as `at`; TTFT is first - at
  end        when it was over, as `at`; the whole takes end - at
  ttft       time to first token, a duration
  tpot       time per output token after the first, a duration [default: (e2e - ttft) / (output - 1)]
  e2e        time of the whole request, a duration
  dispatch   the client's own delay, from when it was due until it was sent, a duration
  input      input tokens
  output     output tokens
  cached     input tokens from the prompt cache
  reasoning  output tokens of reasoning
  target     the model or endpoint [default: one, `endpoint`]
  status     an HTTP status, or ok, success, successful, completed, true; anything else is a failure in words
  error      what an error said; empty for none

Units of durations and of moments that are numbers: s (default), ms, us, ns. Moments without an offset of their own are UTC, \
or of the zone in place of a unit: at=COLUMN:Europe/Berlin or at=COLUMN:+02:00 (it counts for first and end too).
Missing: an empty cell, NA, N/A, NaN, null, None, - or \\N. A decimal comma is read where cells are not separated by commas.

Examples:
  --map at=when:ms,ttft=first_token:ms,e2e=total:s,output=completion_tokens,status=code
  --map at=Zeitpunkt:Europe/Berlin,ttft=erstes_token_ms:ms,e2e=gesamt_s,output=tok_out,status=HTTP,target=Modell";

/// A column for a field, and the factor that makes seconds of its cells.
#[derive(Clone, Debug, PartialEq)]
struct Mapped {
    field: &'static str,
    column: String,
    scale: f64,
}

/// A mapping from columns to fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    columns: Vec<Mapped>,
    /// The zone of moments without an offset; `None` for UTC.
    zone: Option<Zone>,
}

/// What stands behind a column's name.
enum Unit {
    Scale(f64),
    Zone(Zone),
}

impl Unit {
    fn parse(text: &str, kind: Kind) -> Option<Unit> {
        match text {
            "s" => Some(Unit::Scale(1.0)),
            "ms" => Some(Unit::Scale(1e-3)),
            "us" => Some(Unit::Scale(1e-6)),
            "ns" => Some(Unit::Scale(1e-9)),
            zone if kind == Kind::Moment => Zone::parse(zone).map(Unit::Zone),
            _ => None,
        }
    }
}

impl Mapping {
    /// Reads `FIELD=COLUMN[:UNIT],…`. A column whose name has a colon needs a unit after it.
    ///
    /// # Errors
    /// If a field or a unit is unknown, a field comes twice, or no time is among the fields; in words.
    pub fn parse(text: &str) -> Result<Mapping, String> {
        let (mut columns, mut zone): (Vec<Mapped>, Option<Zone>) = (Vec::new(), None);
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let Some((name, column)) = part.split_once('=') else {
                return Err(format!("\"{}\" is not FIELD=COLUMN or FIELD=COLUMN:UNIT", quoted(part)));
            };
            let Some(field) = FIELDS.iter().find(|f| f.name == name.trim()) else {
                let names = FIELDS.iter().map(|f| f.name);
                let meant =
                    nearest(name.trim(), names.clone()).map_or(String::new(), |n| format!(" (did you mean `{n}`?)"));
                let all: Vec<&str> = names.collect();
                return Err(format!(
                    "no field `{}`; there are {}{meant}",
                    quoted(name.trim()),
                    all.join(", ")
                ));
            };
            let (column, unit) = column_and_unit(column, field)?;
            if columns.iter().any(|c| c.field == field.name) {
                return Err(format!("`{}` comes twice", field.name));
            }
            let scale = match unit {
                Unit::Scale(scale) => scale,
                Unit::Zone(new) => {
                    if zone.get_or_insert_with(|| new.clone()) != &new {
                        return Err("two zones: a log has one, which one of `at`, `first` and `end` says".to_owned());
                    }
                    1.0
                }
            };
            columns.push(Mapped {
                field: field.name,
                column: column.trim().to_owned(),
                scale,
            });
        }
        let has = |names: &[&str]| columns.iter().any(|c| names.contains(&c.field));
        if !has(&["first", "end", "ttft", "e2e"]) {
            return Err("no column for `ttft`, `e2e`, `first` or `end`: there would be nothing to learn".to_owned());
        }
        if has(&["first", "end"]) && !has(&["at"]) {
            return Err("`first` and `end` are counted from `at`, which has no column".to_owned());
        }
        Ok(Mapping { columns, zone })
    }

    /// Whether a column is mapped to any of these fields.
    fn has(&self, fields: &[&str]) -> bool {
        self.columns.iter().any(|c| fields.contains(&c.field))
    }
}

/// A column's name and what stands behind it: the longest unit or zone there is, since a zone may have a colon.
fn column_and_unit<'a>(text: &'a str, field: &Field) -> Result<(&'a str, Unit), String> {
    let Some((_, last)) = text.rsplit_once(':') else {
        return Ok((text, Unit::Scale(1.0)));
    };
    if matches!(field.kind, Kind::Tokens | Kind::Words) {
        return Err(format!(
            "`{}` has no unit, and `{}` stands there",
            field.name,
            quoted(last)
        ));
    }
    let mut colons = text.match_indices(':').map(|(at, _)| text.split_at(at));
    let found = colons.find_map(|(column, unit)| Some((column, Unit::parse(&unit[1..], field.kind)?)));
    let zone = if field.kind == Kind::Moment {
        ", and zones such as Europe/Berlin or +02:00"
    } else {
        ""
    };
    found.ok_or_else(|| {
        format!(
            "`{}`: no unit `{}`; there are s, ms, us, ns{zone}",
            field.name,
            quoted(last)
        )
    })
}

/// Reads a table by a mapping; `file` is its name in errors.
///
/// # Errors
/// If a column is missing or a cell is not of its type.
pub fn read_mapped(file: &str, bytes: &[u8], mapping: &Mapping) -> Result<Log, ReadError> {
    let log = rows(bytes, mapping).map_err(|m| m.in_file(file))?;
    Ok(sourced(file, bytes, "CSV by a mapping".to_owned(), log))
}

/// A moment in seconds, and whether it is the time of a clock that does not say its offset.
#[derive(Clone, Copy)]
struct Moment {
    seconds: f64,
    is_local: bool,
}

/// The moments of a row.
struct Moments {
    line: usize,
    at: Option<Moment>,
    first: Option<Moment>,
    end: Option<Moment>,
}

fn rows(bytes: &[u8], mapping: &Mapping) -> Result<Log, Mistake> {
    let wanted: Vec<&str> = mapping.columns.iter().map(|c| c.column.as_str()).collect();
    let table = table(bytes, &wanted)?;
    let place = |c: &Mapped| Ok((c.field, column(&table.header, &c.column, c.field)?, c.scale));
    let columns: Vec<(&'static str, usize, f64)> = mapping.columns.iter().map(place).collect::<Result<_, Mistake>>()?;
    let mut gather = Gather::default();
    let rows = table.rows.iter().map(|(line, record)| Cells {
        line: *line,
        record,
        columns: &columns,
        by_comma: table.by_comma,
    });
    let all: Vec<Cells<'_>> = rows.collect();
    let mut moments: Vec<Moments> = all.iter().map(Cells::moments).collect::<Result<_, _>>()?;
    let starts: Vec<f64> = moments.iter().filter_map(|m| Some(m.at?.seconds)).collect();
    let newest_first = is_newest_first(&starts);
    if newest_first {
        moments.reverse();
    }
    match &mapping.zone {
        Some(zone) => in_zone(zone, &mut moments),
        None => say_step_back(&moments, &mut gather),
    }
    if newest_first {
        moments.reverse();
    }
    for (cells, moments) in all.iter().zip(&moments) {
        row(cells, moments, mapping, &mut gather)?;
    }
    if !mapping.has(&["status", "error"]) {
        gather.note(
            "no column says how requests ended (status=COLUMN or error=COLUMN): those with an answer count as successes, and \
             a rate of failures cannot be told",
        );
    }
    gather.note_gaps();
    Ok(gather.finish())
}

/// Makes instants of the local times of a zone; rows are in order of time.
fn in_zone(zone: &Zone, moments: &mut [Moments]) {
    let is_local = |m: &&mut Moments| m.at.is_some_and(|at| at.is_local);
    let locals: Vec<f64> = moments
        .iter_mut()
        .filter(is_local)
        .filter_map(|m| Some(m.at?.seconds))
        .collect();
    let instants = zone.instants(&locals);
    for (row, instant) in moments.iter_mut().filter(is_local).zip(instants) {
        row.at = Some(Moment {
            seconds: instant,
            is_local: false,
        });
    }
    for row in moments {
        let Some(at) = row.at else { continue };
        for moment in [&mut row.first, &mut row.end].into_iter().flatten() {
            if moment.is_local {
                moment.seconds = zone.after(at.seconds, moment.seconds);
            }
        }
    }
}

/// Notes that clocks step back in times without an offset, which then are none of UTC.
fn say_step_back(moments: &[Moments], gather: &mut Gather) {
    let local: Vec<(usize, f64)> = moments
        .iter()
        .filter_map(|m| Some((m.line, m.at.filter(|at| at.is_local)?.seconds)))
        .collect();
    let times: Vec<f64> = local.iter().map(|(_, at)| *at).collect();
    if let Some((place, back)) = step_back(&times) {
        gather.note(format!(
            "the clock steps back by {back:.0} s at line {}, as where summer time ends: what lies before and after is taken to \
             overlap. Say the zone (at=COLUMN:Europe/Berlin, say) or write times with their offset",
            local[place].0
        ));
    } else if !local.is_empty() {
        gather.note("times do not say their offset and count as UTC; at=COLUMN:Europe/Berlin, say, gives a zone");
    }
}

/// The cells of a row.
struct Cells<'a> {
    line: usize,
    record: &'a csv::StringRecord,
    /// Fields with the places and the factors of their columns.
    columns: &'a [(&'static str, usize, f64)],
    by_comma: bool,
}

/// What stands in a cell that holds nothing, in lower case.
const MISSING: [&str; 9] = ["", "na", "n/a", "#n/a", "nan", "null", "none", "-", "\\n"];

impl Cells<'_> {
    /// The text of a field, and the factor of its unit; `None` if it is missing.
    fn cell(&self, field: &str) -> Option<(&str, f64)> {
        let (_, place, scale) = self.columns.iter().find(|(f, ..)| *f == field)?;
        let text = self.record.get(*place).unwrap_or("");
        (!MISSING.contains(&text.to_lowercase().as_str())).then_some((text, *scale))
    }

    fn wrong(&self, field: &str, text: &str, what: &str) -> Mistake {
        Mistake::new(
            format!("line {}, {field}", self.line),
            format!("\"{}\" is not {what}", quoted(text)),
        )
    }

    /// A number, with a decimal comma if commas do not separate cells.
    fn number(&self, text: &str) -> Option<f64> {
        let with_point = match text.split_once(',') {
            Some((whole, rest)) if !self.by_comma && !text.contains('.') => format!("{whole}.{rest}"),
            Some(_) | None => text.to_owned(),
        };
        with_point.parse().ok().filter(|x: &f64| x.is_finite())
    }

    /// A figure of 0 or more in its unit.
    fn figure(&self, field: &str) -> Result<Option<f64>, Mistake> {
        let Some((text, scale)) = self.cell(field) else {
            return Ok(None);
        };
        let what = if text.contains(',') && self.by_comma {
            "a number of 0 or more: a decimal comma is read where semicolons or tabs separate the cells, and one of thousands \
             nowhere"
        } else if text.contains(',') || text.matches('.').count() > 1 {
            "a number of 0 or more: it may have one decimal comma or point, and no separator of thousands"
        } else {
            "a number of 0 or more"
        };
        let read = self.number(text).filter(|x| *x >= 0.0);
        read.map(|x| Some(x * scale))
            .ok_or_else(|| self.wrong(field, text, what))
    }

    /// A number of tokens.
    fn tokens(&self, field: &str) -> Result<Option<u32>, Mistake> {
        match (self.figure(field)?, self.cell(field)) {
            (Some(x), Some((text, _))) if x.fract() != 0.0 => Err(self.wrong(
                field,
                text,
                "a whole number of tokens (one without a separator of thousands)",
            )),
            (x, _) => Ok(tokens(x)),
        }
    }

    fn moment(&self, field: &str) -> Result<Option<Moment>, Mistake> {
        let Some((text, scale)) = self.cell(field) else {
            return Ok(None);
        };
        let number = self.number(text).map(|x| Moment {
            seconds: x * scale,
            is_local: false,
        });
        let date = || {
            let text = day_first(text).unwrap_or_else(|| text.to_owned());
            Some(Moment {
                seconds: clock(&text)?,
                is_local: !says_offset(&text),
            })
        };
        let what = if text.contains('/') {
            "a time like 2026-01-31T12:00:00.250Z: with slashes it is not told whether the day or the month comes first"
        } else {
            "a number or a time like 2026-01-31T12:00:00.250Z or 31.01.2026 12:00:00"
        };
        number
            .or_else(date)
            .map(Some)
            .ok_or_else(|| self.wrong(field, text, what))
    }

    fn moments(&self) -> Result<Moments, Mistake> {
        Ok(Moments {
            line: self.line,
            at: self.moment("at")?,
            first: self.moment("first")?,
            end: self.moment("end")?,
        })
    }
}

/// "31.01.2026 12:00:00,5", as much of Europe writes it, with the year first.
fn day_first(text: &str) -> Option<String> {
    let (date, time) = text.split_once([' ', 'T'])?;
    let mut parts = date.split('.');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let fits = parts.next().is_none() && year.len() == 4;
    fits.then(|| format!("{year}-{month}-{day} {}", time.trim().replace(',', ".")))
}

/// Whether a time says its offset from UTC.
fn says_offset(text: &str) -> bool {
    let time = text.split_once([' ', 'T']).map_or("", |(_, time)| time);
    time.ends_with('Z') || time.ends_with(" UTC") || time.contains(['+', '-'])
}

fn row(cells: &Cells<'_>, moments: &Moments, mapping: &Mapping, gather: &mut Gather) -> Result<(), Mistake> {
    let at = moments.at.map(|m| m.seconds);
    let whole = |x: &f64| x.fract() == 0.0 && (0.0..=999.0).contains(x);
    let status = cells
        .cell("status")
        .and_then(|(text, _)| cells.number(text))
        .filter(whole)
        .map(|x| x as u16);
    let mut words = cells.cell("error").map_or(String::new(), |(text, _)| text.to_owned());
    if let (Some((text, _)), None) = (cells.cell("status"), status)
        && !["ok", "success", "successful", "completed", "true"].contains(&text.to_lowercase().as_str())
    {
        words = format!("{text} {words}");
    }
    let ended = outcome(status, &words);
    let since = |moment: Option<Moment>| moment.zip(at).map(|(moment, at)| moment.seconds - at);
    let dispatch = cells.figure("dispatch")?;
    let (ttft, e2e) = (
        seen(cells.figure("ttft")?.or(since(moments.first))),
        seen(cells.figure("e2e")?.or(since(moments.end))),
    );
    if ttft.seen().zip(e2e.seen()).is_some_and(|(ttft, e2e)| ttft > e2e) {
        gather
            .count("rows whose time to first token is longer than their whole time: is the unit of each column right?");
    }
    let output = cells.tokens("output")?;
    let shows_answers = mapping.has(&["ttft", "first", "output"]);
    let answered =
        ttft != Timing::Unknown || output.is_some_and(|n| n > 0) || (!shows_answers && e2e != Timing::Unknown);
    if cells.cell("status").is_none() && cells.cell("error").is_none() && !answered {
        gather.count(
            "rows left out: neither a status, an error nor an answer (a first token, output) stands in them, so how they ended \
             is not known",
        );
        return Ok(());
    }
    let own = seconds(cells.figure("tpot")?);
    let mut observation = Observation {
        at,
        // A number of this size is seconds since 1970 in some year after 2001.
        unix: at.filter(|at| *at > 1e9),
        dispatch,
        input: cells.tokens("input")?,
        cached: cells.tokens("cached")?,
        output,
        reasoning: cells.tokens("reasoning")?,
        ttft,
        tpot: own.or(tpot(ttft, e2e, output)).filter(|_| ended == Outcome::Success),
        e2e,
        ..observed(
            gather.target(cells.cell("target").map_or(ENDPOINT, |(text, _)| text))?,
            ended,
        )
    };
    censor(&mut observation);
    gather.push(observation);
    Ok(())
}

#[cfg(test)]
mod tests;

//! What each scheduled outage did under each policy: one table an outage, one row a policy.

use serde::Serialize;

use super::keys::Keys;
use super::notes::{Note, Notes};
use super::{Cell, Named};
use crate::report::{IncidentReport, Report, Scheduled, Unit, format};

#[derive(Serialize)]
pub(super) struct Outage {
    title: String,
    rows: Vec<Named<Vec<Cell>>>,
    notes: Vec<Note>,
}

pub(super) fn outages(report: &Report, keys: &Keys<'_>) -> Vec<Outage> {
    let all = report.policies.first().map_or(&[][..], |policy| &policy.incidents);
    let outage = |(at, incident): (usize, &IncidentReport)| {
        let mut notes = Notes::of(format!("outage-{at}"));
        let of_policy = |place: usize| {
            Some(Named {
                key: keys.at(place),
                it: cells(report, report.policies[place].incidents.get(at)?, &mut notes),
            })
        };
        let rows = report.order().into_iter().filter_map(of_policy).collect();
        let (from, lasts) = (
            format::span(incident.from),
            format::span(incident.until - incident.from),
        );
        let stretches = report.stretches();
        let same = |of: &&Scheduled| {
            of.provider == incident.provider && (of.from, of.until) == (incident.from, incident.until)
        };
        let what = stretches.iter().find(same).map_or("outage", |of| of.what.as_str());
        Outage {
            title: format!("{}: {what} from {from} on for {lasts}", incident.provider),
            rows,
            notes: notes.list(),
        }
    };
    all.iter().enumerate().map(outage).collect()
}

fn cells(report: &Report, incident: &IncidentReport, notes: &mut Notes) -> Vec<Cell> {
    let unseen = || Cell {
        value: format::NONE.to_owned(),
        spread: None,
        note: None,
    };
    let mut cells = vec![
        notes.cell(Unit::Share, &incident.ejected),
        notes.moment(&incident.time_to_eject),
        notes.cell(Unit::Number, &incident.leaked),
        notes.cell(Unit::Share, &incident.error_rate),
    ];
    cells.extend(match incident.is_over(report.counted) {
        true => [
            notes.cell(Unit::Share, &incident.recovered),
            notes.moment(&incident.time_to_recover),
        ],
        false => [unseen(), unseen()],
    });
    let back = incident.taken_back(report.counted);
    cells.push(back.map_or_else(unseen, |time| notes.moment(time)));
    cells
}

//! The finished points of a sweep, in a file of its folder: one that was stopped or killed goes on behind them.
//!
//! The first line is JSON and says what the points are [`Of`]. Behind it each point is a line, in the order of the sweep, handed to the system in
//! one write when its run is over. Killing the program loses the point that is under way and none before it; a line that it left in part is cut
//! off. The file is removed once everything is written. Left out: the replications of the point that was under way, which are run again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::cli::Failure;
use crate::experiment::axis::Axis;
use crate::report::sweep::Point;
use crate::report::write::claim;
use crate::report::{Goal, format};
use crate::words::{Code, Input, Metric};

/// The name of the file in the folder of a sweep.
const NAME: &str = "points.part";

/// What the first line says that the file is.
const FORMAT: &str = "simcap.points/1";

/// Everything that points depend on: those of equal ones are equal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Of {
    format: String,
    version: String,
    seed: Option<u64>,
    replications: Option<u64>,
    /// The path of each axis and its values.
    axes: Vec<(String, Vec<String>)>,
    /// The metrics that are asked for besides those of the objectives.
    metrics: Vec<Metric>,
    /// Every file that any of the points reads, the experiment as it is at the first of them first.
    inputs: Vec<Input>,
    /// The names of the parts that the program registers itself.
    own: Vec<String>,
}

/// A point whose run is over.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ran {
    pub(super) point: Point,
    /// What its run warned of.
    pub(super) told: Vec<String>,
    /// What is shown of all points, of the first that has figures.
    pub(super) shown: Option<(Vec<Metric>, Vec<Goal>, Option<Code>)>,
}

impl Of {
    pub(super) fn new(seed: Option<u64>, replications: Option<u64>, axes: &[Axis], metrics: &[Metric]) -> Of {
        Of {
            format: FORMAT.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            seed,
            replications,
            axes: axes
                .iter()
                .map(|axis| (axis.path.clone(), axis.values.clone()))
                .collect(),
            metrics: metrics.to_vec(),
            ..Of::default()
        }
    }

    /// Adds what a point reads. Of the experiment itself the first point has the bytes, and the axes say how it is changed at the others.
    pub(super) fn reads(&mut self, inputs: Vec<Input>) {
        let from = usize::from(!self.inputs.is_empty());
        for input in inputs.into_iter().skip(from) {
            if !self.inputs.contains(&input) {
                self.inputs.push(input);
            }
        }
    }

    /// The names of the program's own parts.
    pub(super) fn with(self, own: Vec<String>) -> Of {
        Of { own, ..self }
    }

    /// In what `self`, which is now, differs from `then`.
    fn difference(&self, then: &Of) -> Option<&'static str> {
        let all = [
            (
                (&self.format, &self.version) != (&then.format, &then.version),
                "they are of another version of simcap",
            ),
            (self.axes != then.axes, "--set said something else"),
            (self.seed != then.seed, "--seed said something else"),
            (
                self.replications != then.replications,
                "--replications said something else",
            ),
            (self.metrics != then.metrics, "--metric said something else"),
            (
                self.inputs != then.inputs,
                "the experiment or a file that it reads has changed",
            ),
            (self.own != then.own, "other parts of the program's own are registered"),
        ];
        all.iter().find(|(differs, _)| *differs).map(|(_, what)| *what)
    }
}

/// The file of finished points.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
    /// Nothing once it could not be written to.
    file: Option<File>,
}

impl Kept {
    /// The file in `folder`, after saying what was there, and the points to go on behind: none unless `resume`.
    ///
    /// # Errors
    /// If it cannot be opened, is in use, or is to be gone on with and holds points of something else.
    pub(super) fn open(folder: &Path, of: &Of, resume: bool) -> Result<(Kept, Vec<Ran>), Failure> {
        let path = folder.join(NAME);
        let of_path = || format!("cannot write to {}", path.display());
        fs::create_dir_all(folder).with_context(of_path)?;
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).with_context(of_path)?;
        let refused = |why: &str| Failure::Input(format!("{}: {why}", path.display()));
        if !claim(&file) {
            return Err(refused(
                "another sweep is writing to this folder: let that one end, or give another folder with --out",
            ));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).with_context(of_path)?;
        let (then, found, mut end) = read(&bytes).ok_or_else(|| {
            refused("this is not a file of points, which a sweep would write there: move it, or give another folder with --out")
        })?;
        let points = match found.len() {
            1 => "1 finished point".to_owned(),
            n => format!("{} finished points", format::count(n as u64)),
        };
        match (resume, found.len()) {
            (true, 0) => tell!("note: {} holds no unfinished sweep: it begins anew", folder.display()),
            (true, _) => {
                if let Some(why) = of.difference(&then) {
                    return Err(refused(&format!(
                        "the points there cannot be gone on with, because {why}. Leave out --resume to begin anew, or give another folder with --out"
                    )));
                }
                tell!("note: going on with {points}");
            }
            (false, 0) => {}
            (false, _) => tell!(
                "note: {} held an unfinished sweep with {points}: begun anew, as --resume was not given",
                folder.display()
            ),
        }
        let found = if resume { found } else { Vec::new() };
        if found.is_empty() {
            let mut line = serde_json::to_vec(of).context("cannot write what the points are of")?;
            line.push(b'\n');
            end = line.len() as u64;
            file.set_len(0).with_context(of_path)?;
            file.seek(SeekFrom::Start(0)).with_context(of_path)?;
            file.write_all(&line).with_context(of_path)?;
        }
        file.set_len(end).with_context(of_path)?;
        file.seek(SeekFrom::Start(end)).with_context(of_path)?;
        Ok((Kept { path, file: Some(file) }, found))
    }

    /// Puts a point behind the others. Where that fails (the disk is full), it is said once, and the sweep goes on without its file.
    pub(super) fn put(&mut self, ran: &Ran) {
        let Some(file) = &mut self.file else { return };
        let line = serde_json::to_vec(ran).map_err(io::Error::from);
        let written = line.and_then(|mut line| {
            line.push(b'\n');
            file.write_all(&line)
        });
        if let Err(error) = written {
            tell!(
                "note: {}: from here on points cannot be gone on with: {error}",
                self.path.display()
            );
            self.file = None;
        }
    }

    /// Removes the file: all that it held is written elsewhere.
    pub(super) fn remove(self) -> Result<(), Failure> {
        Ok(fs::remove_file(&self.path).with_context(|| format!("cannot remove {}", self.path.display()))?)
    }
}

/// What the points of a file are of, the points, and where the last whole one ends; nothing if it is another file.
fn read(bytes: &[u8]) -> Option<(Of, Vec<Ran>, u64)> {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let Some(line) = first.strip_suffix(b"\n") else {
        // Nothing, or a first line that was not written to its end: so nothing came after it.
        let begin = b"{\"format\":\"simcap.points/";
        let is_torn = first.starts_with(begin) || begin.starts_with(first);
        return is_torn.then(|| (Of::default(), Vec::new(), 0));
    };
    let of: Of = serde_json::from_slice(line).ok()?;
    if !of.format.starts_with("simcap.points/") {
        return None;
    }
    let (mut found, mut end) = (Vec::new(), first.len() as u64);
    for line in lines {
        let whole = line
            .strip_suffix(b"\n")
            .and_then(|line| serde_json::from_slice(line).ok());
        let Some(ran) = whole else { break };
        found.push(ran);
        end += line.len() as u64;
    }
    Some((of, found, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Judged;
    use crate::report::sweep::AtPoint;
    use crate::stats::interval::Estimate;

    fn of() -> Of {
        let mut of = Of::new(Some(7), None, &["a=1,2,3".parse().unwrap()], &[Metric::ERROR_RATE]);
        of.reads(vec![Input {
            name: "x.json".into(),
            sha256: "aa".into(),
        }]);
        of
    }

    /// Points as they are: a figure of many digits, one larger than any number, and one that has none.
    fn all() -> Vec<Ran> {
        let figure = |value: f64| Estimate {
            value,
            lo: Some(0.1 + 0.2),
            n: 5,
            ..Estimate::NONE
        };
        let ran = |value: &str, figure| Ran {
            point: Point {
                values: vec![value.into()],
                policies: vec![AtPoint {
                    name: "p".into(),
                    meets: Some(Judged::Undecided),
                    fails: vec!["errors".into()],
                    figures: vec![figure],
                }],
                outgrown: None,
            },
            told: vec!["one replication".into()],
            shown: (value == "1").then(|| (vec![Metric::ERROR_RATE], Vec::new(), None)),
        };
        let mut all = vec![ran("1", figure(1.0 / 3.0)), ran("2", figure(f64::INFINITY))];
        let mut last = ran("3", Estimate::NONE);
        last.point.policies.clear();
        last.point.outgrown = Some("more requests than are held".into());
        all.push(last);
        all
    }

    fn as_text(all: &[Ran]) -> Vec<String> {
        all.iter().map(|ran| format!("{ran:?}")).collect()
    }

    fn filled(folder: &Path) -> Vec<u8> {
        let (mut kept, found) = Kept::open(folder, &of(), false).unwrap();
        assert!(found.is_empty());
        all().iter().for_each(|ran| kept.put(ran));
        drop(kept);
        fs::read(folder.join(NAME)).unwrap()
    }

    #[test]
    fn wherever_the_writing_was_cut_short_whole_points_before_it_stay() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = filled(folder.path());
        let ends: Vec<usize> = (bytes.iter().enumerate())
            .filter(|(_, byte)| **byte == b'\n')
            .map(|(i, _)| i + 1)
            .collect();
        assert_eq!(ends.len(), 4);
        for cut in [0, 5, ends[0] - 1, ends[0], ends[0] + 9, ends[1], ends[2] - 1, ends[3]] {
            fs::write(folder.path().join(NAME), &bytes[..cut]).unwrap();
            let whole = ends[1..].iter().filter(|end| **end <= cut).count();
            let (mut kept, found) = Kept::open(folder.path(), &of(), true).unwrap();
            assert_eq!(as_text(&found), as_text(&all()[..whole]), "cut at {cut}");
            all()[whole..].iter().for_each(|ran| kept.put(ran));
            drop(kept);
            assert!(fs::read(folder.path().join(NAME)).unwrap() == bytes, "cut at {cut}");
        }
        let (kept, found) = Kept::open(folder.path(), &of(), false).unwrap();
        assert!(found.is_empty(), "begun anew");
        kept.remove().unwrap();
        assert!(!folder.path().join(NAME).exists());
    }

    #[test]
    fn what_is_of_something_else_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = filled(folder.path());
        let why = |now: &Of| match Kept::open(folder.path(), now, true) {
            Err(Failure::Input(why)) => why,
            other => panic!("{other:?}"),
        };
        let other = |change: &dyn Fn(&mut Of)| {
            let mut of = of();
            change(&mut of);
            why(&of)
        };
        assert!(other(&|of| of.seed = None).contains("because --seed said something else."));
        assert!(other(&|of| of.replications = Some(2)).contains("because --replications said"));
        assert!(other(&|of| of.axes[0].1[2] = "4".into()).contains("because --set said"));
        assert!(other(&|of| of.metrics.clear()).contains("because --metric said"));
        assert!(other(&|of| of.inputs[0].sha256 = "ab".into()).contains("that it reads has changed"));
        assert!(other(&|of| of.version = "9.0.0".into()).contains("another version"));
        assert!(fs::read(folder.path().join(NAME)).unwrap() == bytes);
        let (first, _) = Kept::open(folder.path(), &of(), true).unwrap();
        assert!(why(&of()).contains("another sweep is writing"));
        drop(first);
        for text in ["a,b\n1,2\n", "no line", "{\"format\": \"simcap.result/2\"}\n"] {
            fs::write(folder.path().join(NAME), text).unwrap();
            assert!(why(&of()).contains("not a file of points"), "{text}");
            assert_eq!(fs::read_to_string(folder.path().join(NAME)).unwrap(), text);
        }
    }
}

//! Files that are whole, torn, damaged, of something else, or of nothing.

use super::*;
use crate::engine::replicate::replicate;
use crate::engine::run::Control;
use crate::experiment::assemble::assemble;
use crate::experiment::load::from_text;
use crate::kernel::time::Span;
use crate::words::Input;

/// Three replications of a small experiment.
fn tallies() -> Vec<Tally> {
    let text = r#"{
        "name": "small",
        "traffic": { "arrivals": { "poisson": { "rate": "5/s" } },
            "classes": { "all": { "input": { "constant": 100 }, "output": { "constant": 50 } } } },
        "providers": { "a": { "response": { "constant": "20ms" }, "prices": { "per_request": { "price": "$0.001" } } } },
        "policies": [ { "name": "only", "policy": { "single": { "provider": "a" } } } ],
        "plan": { "duration": "20s", "warmup": "5s" }
    }"#;
    let plan = assemble(&from_text("small.json", text).unwrap()).unwrap();
    let mut runs = replicate(&plan.scenarios, 1, 3, &Control::default());
    runs.remove(0).into_iter().map(Result::unwrap).collect()
}

fn input(name: &str, sha256: &str) -> Input {
    Input {
        name: name.into(),
        sha256: sha256.into(),
    }
}

fn of() -> Of {
    Of::new(
        7,
        Span::from_secs(5),
        vec![input("x.json", "aa"), input("m.json", "bb")],
        Vec::new(),
    )
}

/// A file with all three, and its bytes.
fn filled(folder: &Path) -> Vec<u8> {
    let (spill, left) = Spill::open(folder, &of(), 3, false).unwrap();
    assert_eq!(left, Left::default());
    for (r, tally) in tallies().into_iter().enumerate() {
        spill.put(r as u64, 0, tally, false);
    }
    drop(spill);
    fs::read(folder.join(NAME)).unwrap()
}

/// The replications that a run that is taken up finds.
fn found(folder: &Path) -> (Vec<Option<Tally>>, Left) {
    let (spill, left) = Spill::open(folder, &of(), 3, true).unwrap();
    let tally = |r| spill.tally(r, 0).unwrap().map(Cow::into_owned);
    ((0..3).map(tally).collect(), left)
}

#[test]
fn what_is_taken_up_again_is_what_was_put_there() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let (tallies_found, left) = found(folder.path());
    let expected: Vec<Option<Tally>> = tallies().into_iter().map(Some).collect();
    assert_eq!((tallies_found, left.replications, left.cut), (expected, 3, 0));
    // Begun anew, it is empty, and says what there was.
    let (spill, left) = Spill::open(folder.path(), &of(), 3, false).unwrap();
    assert_eq!((left.replications, spill.len(), spill.has(0, 0)), (3, 0, false));
}

/// Wherever the writing was cut short, whole replications before it stay, and the file goes on behind them.
#[test]
fn a_torn_or_damaged_end_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = filled(folder.path());
    let path = folder.path().join(NAME);
    let line = bytes.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let record = {
        let head = Head::read(&bytes[line..]).unwrap();
        HEAD + head.length as usize
    };
    let second = line + record;
    for (kept, whole) in [
        (0, 0),
        (0, line - 1),
        (0, line),
        (0, line + 5),
        (0, second - 1),
        (1, second),
        (1, second + HEAD),
        (2, bytes.len() - 1),
    ] {
        fs::write(&path, &bytes[..whole]).unwrap();
        let (tallies_found, left) = found(folder.path());
        assert_eq!(left.replications, kept, "cut at {whole}");
        assert_eq!(tallies_found.iter().flatten().count(), kept);
        let (spill, _) = Spill::open(folder.path(), &of(), 3, true).unwrap();
        tallies()
            .into_iter()
            .enumerate()
            .skip(kept)
            .for_each(|(r, tally)| spill.put(r as u64, 0, tally, false));
        drop(spill);
        assert_eq!(
            found(folder.path()).1,
            Left {
                replications: 3,
                cut: 0
            },
            "cut at {whole}"
        );
    }
    let mut damaged = bytes.clone();
    damaged[second + HEAD + 10] ^= 1;
    fs::write(&path, &damaged).unwrap();
    let (_, left) = found(folder.path());
    assert_eq!((left.replications, left.cut), (1, (bytes.len() - second) as u64));
}

#[test]
fn a_replication_that_is_to_be_run_again_is_there_until_then() {
    let folder = tempfile::tempdir().unwrap();
    let (spill, _) = Spill::open(folder.path(), &of(), 3, false).unwrap();
    for (r, tally) in tallies().into_iter().enumerate() {
        spill.put(r as u64, 0, tally, r == 1);
    }
    assert!((0..3).all(|r| spill.has(r, 0) && spill.tally(r, 0).unwrap().is_some()));
    drop(spill);
    let (tallies_found, left) = found(folder.path());
    assert_eq!((tallies_found[1].is_none(), left.replications, left.cut), (true, 2, 0));
}

#[test]
fn fewer_replications_than_there_are_leave_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let (spill, _) = Spill::open(folder.path(), &of(), 2, true).unwrap();
    assert_eq!([0, 1, 2].map(|r| spill.has(r, 0)), [true, true, false]);
}

#[test]
fn two_runs_do_not_write_to_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (first, _) = Spill::open(folder.path(), &of(), 3, false).unwrap();
    for resume in [false, true] {
        let second = Spill::open(folder.path(), &of(), 3, resume);
        assert!(matches!(second, Err(SpillError::Busy { .. })));
    }
    drop(first);
    assert!(Spill::open(folder.path(), &of(), 3, true).is_ok());
}

#[test]
fn replications_of_something_else_are_refused_with_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let why = |now: &Of| match Spill::open(folder.path(), now, 3, true) {
        Err(SpillError::Other { differences, .. }) => differences.join("; "),
        other => panic!("{other:?}"),
    };
    assert_eq!(why(&Of { seed: 8, ..of() }), "their seed is 7 and this run's 8");
    let warmup = 7_000_000_000;
    assert_eq!(why(&Of { warmup, ..of() }), "they warm up for 5s and this run for 7s");
    let inputs = vec![input("x.json", "ab"), input("n.json", "bb")];
    assert_eq!(
        why(&Of { inputs, ..of() }),
        "x.json has changed; n.json was not read then; m.json is not read now"
    );
    let version = "9.0.0".to_owned();
    assert!(why(&Of { version, ..of() }).starts_with("they are of simcap "));
    let own = vec!["mine".to_owned()];
    assert_eq!(
        why(&Of { own, ..of() }),
        "other policies of the program's own are registered"
    );
    let inputs = of().inputs.into_iter().rev().collect();
    assert_eq!(why(&Of { inputs, ..of() }), "its inputs are read in another order");
}

#[test]
fn another_file_of_that_name_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["a,b\n1,2\n", "no line", "{\"format\": \"simcap.result/2\"}\n"] {
        fs::write(folder.path().join(NAME), text).unwrap();
        for resume in [false, true] {
            let opened = Spill::open(folder.path(), &of(), 3, resume);
            assert!(matches!(opened, Err(SpillError::NotOne { .. })), "{text:?}");
        }
        assert_eq!(fs::read_to_string(folder.path().join(NAME)).unwrap(), text);
    }
}

/// A file that cannot be written to stands for a full disk.
#[test]
fn what_the_file_cannot_take_is_kept_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spill, _) = Spill::open(folder.path(), &of(), 3, false).unwrap();
    let all = tallies();
    spill.put(0, 0, all[0].clone(), false);
    let inner = spill.inner.get_mut().unwrap();
    inner.file = Some(File::open(folder.path().join(NAME)).unwrap());
    spill.put(1, 0, all[1].clone(), false);
    spill.put(2, 0, all[2].clone(), false);
    assert!(spill.trouble().is_some());
    let tally = |r: u64| spill.tally(r, 0).unwrap().unwrap().into_owned();
    assert!((0..3).all(|r| tally(r) == all[r as usize]));
}

#[test]
fn a_scratch_file_has_no_name_and_works() {
    let spill = Spill::scratch(3);
    let all = tallies();
    spill.put(0, 0, all[0].clone(), false);
    assert_eq!(spill.tally(0, 0).unwrap().unwrap().into_owned(), all[0]);
    assert!(spill.tally(1, 0).unwrap().is_none() && spill.trouble().is_none());
    let path = spill.path.clone();
    drop(spill);
    assert!(!path.exists());
}

//! Tests of tables that are read by a mapping.

use super::*;

fn message(mapping: &str) -> String {
    Mapping::parse(mapping).unwrap_err()
}

#[test]
fn columns_are_taken_with_their_units() {
    let mapping =
        Mapping::parse("at=when:ms, ttft=first:ms, e2e=total, output=tokens, status=code, target=model").unwrap();
    let text = "model,when,first,total,tokens,code\na,1700000000000,250,1.25,11,200\na,1700000001000,,0.1,,503\n";
    let log = read_mapped("m.csv", text.as_bytes(), &mapping).unwrap();
    let [ok, refused] = &log.observations[..] else { panic!() };
    assert_eq!(
        (ok.ttft, ok.e2e, ok.tpot),
        (Timing::Seen(0.25), Timing::Seen(1.25), Some(0.1))
    );
    assert_eq!((ok.at, ok.unix), (Some(0.0), Some(1.7e9)));
    assert_eq!((refused.outcome, refused.ttft), (Outcome::Unavailable, Timing::Unknown));
    assert_eq!(log.targets, ["a"]);
}

/// What a failure answered is not what it was asked for, whether its cell says 0, a part or nothing.
#[test]
fn the_output_of_a_failure_is_not_known() {
    let mapping = Mapping::parse("at=t,ttft=f,e2e=e,input=i,output=o,status=s").unwrap();
    let text =
        "t,f,e,i,o,s\n0,0.5,2,500,139,200\n1,,0.1,500,0,500\n2,0.5,1,500,7,500\n3,,0.1,0,,500\n4,0.5,1,500,0,200\n";
    let log = read_mapped("m.csv", text.as_bytes(), &mapping).unwrap();
    let lengths: Vec<_> = log.observations.iter().map(|o| (o.input, o.output)).collect();
    assert_eq!(
        lengths,
        [
            (Some(500), Some(139)),
            (Some(500), None),
            (Some(500), None),
            (None, None),
            (Some(500), Some(0))
        ]
    );
}

#[test]
fn moments_give_lengths() {
    let mapping = Mapping::parse("at=s,first=f,end=e").unwrap();
    let text = "s,f,e\n2026-01-31T12:00:00Z,2026-01-31T12:00:00.5Z,2026-01-31T12:00:02Z\n";
    let log = read_mapped("m.csv", text.as_bytes(), &mapping).unwrap();
    assert_eq!(
        (log.observations[0].ttft, log.observations[0].e2e),
        (Timing::Seen(0.5), Timing::Seen(2.0))
    );
}

#[test]
fn mistakes_are_told_exactly() {
    assert_eq!(
        message("tfft=a"),
        "no field `tfft`; there are at, first, end, ttft, tpot, e2e, dispatch, input, output, cached, reasoning, target, \
         status, error (did you mean `ttft`?)"
    );
    assert_eq!(message("ttft"), "\"ttft\" is not FIELD=COLUMN or FIELD=COLUMN:UNIT");
    assert_eq!(message("ttft=a:min"), "`ttft`: no unit `min`; there are s, ms, us, ns");
    assert_eq!(
        message("ttft=a,input=b:ms"),
        "`input` has no unit, and `ms` stands there"
    );
    assert_eq!(message("ttft=a,ttft=b"), "`ttft` comes twice");
    assert_eq!(
        message("input=a"),
        "no column for `ttft`, `e2e`, `first` or `end`: there would be nothing to learn"
    );
    assert_eq!(
        message("end=a"),
        "`first` and `end` are counted from `at`, which has no column"
    );
    let mapping = Mapping::parse("ttft=first").unwrap();
    let refused = |text: &str| read_mapped("m.csv", text.as_bytes(), &mapping).unwrap_err().to_string();
    assert_eq!(
        refused("frist,b\n1,2\n"),
        "m.csv: line 1: no column `first` for `ttft`; the header has: frist, b (did you mean `frist`?)"
    );
    assert_eq!(
        refused("first,b,first\n1,2,3\n"),
        "m.csv: line 1: the header has 2 columns `first`: which is meant?"
    );
    assert_eq!(
        refused("first\n1\n-2\n"),
        "m.csv: line 3, ttft: \"-2\" is not a number of 0 or more"
    );
}

/// `at` of each row, and the notes.
fn read_at(mapping: &str, text: &str) -> (Vec<f64>, Vec<String>) {
    let log = read_mapped("m.csv", text.as_bytes(), &Mapping::parse(mapping).unwrap()).unwrap();
    (log.observations.iter().filter_map(|o| o.at).collect(), log.notes)
}

/// Summer time ended in Berlin on 2025-10-26 at 03:00, which was 02:00 again.
const STEPS_BACK: &str = "t;ttft;code\n26.10.2025 02:58:00;438,3;200\n26.10.2025 02:59:00;438,3;200\n\
                          26.10.2025 02:00:00;NA;500\n26.10.2025 02:01:00;1.2;200\n";

#[test]
fn a_clock_that_steps_back_is_said_or_mended_by_its_zone() {
    let (at, notes) = read_at("at=t,ttft=ttft:ms,status=code", STEPS_BACK);
    assert_eq!(at, [0.0, 60.0, 3480.0, 3540.0]);
    assert!(
        notes[0].starts_with("the clock steps back by 3540 s at line 4, as where summer time ends"),
        "{notes:?}"
    );
    for (mapping, text) in [
        ("at=t:Europe/Berlin,ttft=ttft:ms,status=code", STEPS_BACK.to_owned()),
        (
            "at=t,ttft=ttft:ms,status=code",
            STEPS_BACK
                .replace(" 02:5", "T00:5")
                .replace(":00;", ":00Z;")
                .replace(" 02:0", "T01:0"),
        ),
    ] {
        let (at, notes) = read_at(mapping, &text);
        assert_eq!(
            (&at[..], notes.len()),
            (&[0.0, 60.0, 120.0, 180.0][..], 0),
            "{mapping} {text} {notes:?}"
        );
    }
    // The newest first.
    let mut lines: Vec<&str> = STEPS_BACK.lines().collect();
    lines[1..].reverse();
    assert_eq!(
        read_at("at=t:Europe/Berlin,ttft=ttft:ms", &lines.join("\n")).0,
        [0.0, 60.0, 180.0]
    );
    assert_eq!(
        read_at("at=t:+01:00,ttft=ttft:ms,status=code", STEPS_BACK).0,
        [0.0, 60.0, 3480.0, 3540.0]
    );
}

#[test]
fn missing_values_and_decimal_commas_are_read_and_others_named() {
    let mapping = Mapping::parse("at=t,ttft=ttft:ms,output=n").unwrap();
    let of = |text: &str| read_mapped("m.csv", text.as_bytes(), &mapping);
    let log = of("t;ttft;n\r\n1,5;438,3;10\r\n2;NA;7\r\n3;N/A;-\r\n4;nan;None\r\n").unwrap();
    let told: Vec<_> = log.observations.iter().map(|o| (o.at, o.ttft, o.output)).collect();
    assert_eq!(
        told,
        [
            (Some(0.0), Timing::Seen(0.4383), Some(10)),
            (Some(0.5), Timing::Unknown, Some(7))
        ]
    );
    assert_eq!(log.notes.len(), 2);
    assert!(
        log.notes[0].starts_with("no column says how requests ended"),
        "{:?}",
        log.notes
    );
    assert!(
        log.notes[1].starts_with("2 rows left out: neither a status"),
        "{:?}",
        log.notes
    );
    for (text, what) in [
        (
            "t,ttft,n\r\n1,2,3\r\n\r\n1,\"2,5\",3\r\n",
            "line 4, ttft: \"2,5\" is not a number of 0 or more: a decimal comma is read",
        ),
        (
            "t;ttft;n\n1;1.234,5;3\n",
            "line 2, ttft: \"1.234,5\" is not a number of 0 or more: it may have one decimal comma",
        ),
        (
            "t;ttft;n\n1;1;1.805\n",
            "line 2, output: \"1.805\" is not a whole number of tokens",
        ),
        (
            "t;ttft;n\n10/26/2025 02:00:00;1;1\n",
            "line 2, at: \"10/26/2025 02:00:00\" is not a time like 2026-01-31T12:00:00.250Z: with slashes",
        ),
    ] {
        let told = of(text).unwrap_err().to_string();
        assert!(told.starts_with(&format!("m.csv: {what}")), "{told}");
    }
}

#[test]
fn a_unit_that_cannot_be_right_is_asked_for() {
    let read = |mapping: &str| {
        let mapping = Mapping::parse(mapping).unwrap();
        read_mapped("m.csv", b"first,total,code\n250,1.25,200\n300,2,200\n", &mapping)
            .unwrap()
            .notes
    };
    let asked = |notes: &[String]| {
        notes
            .iter()
            .any(|note| note.contains("is the unit of each column right?"))
    };
    assert!(!asked(&read("ttft=first:ms,e2e=total,status=code")));
    let notes = read("ttft=first,e2e=total,status=code");
    assert!(
        asked(&notes) && notes.iter().any(|note| note.starts_with("2 rows")),
        "{notes:?}"
    );
}

/// pandas writes a column of statuses as floats where one is missing.
#[test]
fn a_status_may_be_a_float() {
    let mapping = Mapping::parse("e2e=t,status=code").unwrap();
    let log = read_mapped("m.csv", b"t,code\n1,200.0\n1,503.0\n1,\n", &mapping).unwrap();
    let ended: Vec<_> = log.observations.iter().map(|o| o.outcome).collect();
    assert_eq!(ended, [Outcome::Success, Outcome::Unavailable, Outcome::Success]);
}

#[test]
fn the_help_has_every_field_and_its_examples_are_read() {
    for field in &FIELDS {
        assert!(HELP.contains(&format!("\n  {} ", field.name)), "{}", field.name);
    }
    let examples: Vec<&str> = HELP
        .lines()
        .filter_map(|line| line.trim().strip_prefix("--map "))
        .collect();
    assert_eq!(examples.len(), 2);
    examples
        .into_iter()
        .for_each(|example| drop(Mapping::parse(example).unwrap()));
    assert_eq!(
        message("at=a:Europe/Berlni,ttft=b"),
        "`at`: no unit `Europe/Berlni`; there are s, ms, us, ns, and zones such as Europe/Berlin or +02:00"
    );
    assert!(message("at=a:UTC,end=b:Europe/Berlin").starts_with("two zones"));
}

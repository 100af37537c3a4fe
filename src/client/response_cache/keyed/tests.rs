//! The store by the second, against a list that is searched, and with Poisson requests against closed forms.

use proptest::prelude::*;

use super::*;
use crate::form::build::Asked;
use crate::kernel::chance::{Chance, Key, Purpose, inner_unit};
use crate::traffic::prompts::PromptsSpec;

fn built(json: &str, prompts: &[Option<u32>]) -> Built<Box<dyn Store>> {
    let asked = |&prompts: &Option<u32>| Asked {
        prompts,
        ..Asked::default()
    };
    let asks: Vec<Asked> = prompts.iter().map(asked).collect();
    let names = Names {
        asks: &asks,
        ..Names::default()
    };
    serde_json::from_str::<Keyed>(json).unwrap().build(&names)
}

fn store(json: &str) -> Box<dyn Store> {
    built(json, &[Some(50), None, Some(50)]).unwrap()
}

fn lookup(class: usize, prompt: Option<u32>) -> Lookup {
    Lookup {
        class,
        prompt,
        key: Key::NONE,
    }
}

fn at(seconds: f64) -> Time {
    Time::ZERO + Span::from_seconds_f64(seconds)
}

fn kept(given: Time, cost: u64) -> Kept {
    Kept {
        given,
        cost,
        quality: 1,
    }
}

/// A request for prompt `prompt` of class 0; what is not found is answered at once. Returns whether it was found.
fn ask(store: &mut dyn Store, seconds: f64, prompt: u32) -> bool {
    let of = lookup(0, Some(prompt));
    let found = store.find(at(seconds), &of).is_some();
    if !found {
        store.keep(&of, kept(at(seconds), 1));
    }
    found
}

#[test]
fn a_life_counts_from_the_last_write_the_first_or_the_last_use() {
    // Written at 0 and again at 6, used at 9; asked at 11 and at 18.
    for (from, at_11, at_18) in [
        ("last_write", true, false),
        ("first_write", false, false),
        ("last_use", true, true),
    ] {
        let mut store = store(&format!(r#"{{ "ttl": "10s", "lives_from": "{from}" }}"#));
        let of = lookup(0, Some(7));
        store.keep(&of, kept(at(0.0), 1));
        store.keep(&of, kept(at(6.0), 2));
        assert_eq!(
            store.find(at(9.0), &of),
            Some(kept(at(6.0), 2)),
            "{from}: the newest answer"
        );
        let found = [11.0, 18.0].map(|seconds| store.find(at(seconds), &of).is_some());
        assert_eq!(found, [at_11, at_18], "{from}");
    }
    let mut store = store(r#"{ "ttl": "10s" }"#);
    assert_eq!(
        [0.0, 10.0, 10.1].map(|seconds| ask(&mut *store, seconds, 1)),
        [false, true, false]
    );
}

/// The in-memory cache of LiteLLM: what is written first goes first, whatever was used since.
#[test]
fn the_oldest_goes_or_the_one_that_was_used_least_recently() {
    for (evicts, first, second) in [("oldest", false, true), ("least_recent", true, false)] {
        let mut store = store(&format!(r#"{{ "entries": 2, "evicts": "{evicts}" }}"#));
        assert_eq!(
            [1, 2, 1, 3].map(|prompt| ask(&mut *store, 1.0, prompt)),
            [false, false, true, false]
        );
        let is_there = |store: &mut Box<dyn Store>, prompt| store.find(at(1.0), &lookup(0, Some(prompt))).is_some();
        assert_eq!(
            (is_there(&mut store, 1), is_there(&mut store, 2)),
            (first, second),
            "{evicts}"
        );
    }
}

#[test]
fn what_is_over_takes_no_room_and_what_comes_once_does() {
    let mut store = store(r#"{ "entries": 2, "ttl": "10s" }"#);
    ask(&mut *store, 0.0, 1);
    ask(&mut *store, 5.0, 2);
    // 1 was used last, but its time is over: 2 stays.
    assert!(ask(&mut *store, 6.0, 1));
    assert!(!ask(&mut *store, 12.0, 3));
    assert!(ask(&mut *store, 12.0, 2));
    // A prompt of its own pushes out the one that was used least recently, which is 3.
    store.keep(&lookup(1, None), kept(at(12.0), 1));
    assert_eq!(store.find(at(12.0), &lookup(1, None)), None);
    assert!(ask(&mut *store, 12.0, 2) && !ask(&mut *store, 12.0, 3));
}

#[test]
fn classes_have_no_prompt_in_common() {
    let mut store = store("{}");
    store.keep(&lookup(0, Some(3)), kept(at(0.0), 1));
    assert_eq!(store.find(at(1.0), &lookup(2, Some(3))), None);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = |json, prompts: &[_]| built(json, prompts).unwrap_err().message;
    assert_eq!(
        refused(r#"{ "ttl": "0s" }"#, &[Some(1)]),
        "0s: must be longer than nothing"
    );
    assert!(refused("{}", &[None]).starts_with("no class says which prompts come back"));
    let many = [Some(1_000_000); 5];
    assert_eq!(
        refused("{}", &many),
        "5000000 prompts of all classes: at most 4000000 can be kept apart"
    );
}

/// An entry of the list that is searched: prompt, when its life began, when it was used.
type Listed = (u32, u64, u64);

proptest! {
    #[test]
    fn it_is_the_list_that_is_searched(
        steps in proptest::collection::vec((0_u64..4, 0_u32..8), 1..200),
        entries in 1_usize..6, ttl in 1_u64..20, from in 0_usize..3, oldest: bool,
    ) {
        let lives_from = ["last_write", "first_write", "last_use"][from];
        let evicts = if oldest { "oldest" } else { "least_recent" };
        let mut store = store(&format!(
            r#"{{ "ttl": "{ttl}s", "entries": {entries}, "lives_from": "{lives_from}", "evicts": "{evicts}" }}"#
        ));
        let (mut list, mut now, mut clock): (Vec<Listed>, u64, u64) = (Vec::new(), 0, 0);
        for (step, prompt) in steps {
            now += step;
            clock += 1;
            list.retain(|&(_, since, _)| now <= since + ttl);
            let place = list.iter().position(|&(p, ..)| p == prompt);
            prop_assert_eq!(ask(&mut *store, now as f64, prompt), place.is_some());
            match place {
                Some(place) => {
                    list[place].2 = clock;
                    if lives_from == "last_use" {
                        let (prompt, _, used) = list.remove(place);
                        list.push((prompt, now, used));
                    }
                }
                None => {
                    if list.len() == entries {
                        // The list is in the order in which lives began.
                        let by_use = (0..list.len()).min_by_key(|&i| list[i].2).unwrap();
                        list.remove(if oldest { 0 } else { by_use });
                    }
                    list.push((prompt, now, clock));
                }
            }
        }
    }
}

/// The share of hits of `n` Poisson requests, `rate` a second, of 1,000 prompts by Zipf's law, after as many that fill the store.
fn hit_share(json: &str, rate: f64, n: u64) -> f64 {
    let spec: PromptsSpec = serde_json::from_str(r#"{ "count": 1000, "skew": 0.8 }"#).unwrap();
    let (prompts, mut store) = (spec.build().unwrap(), built(json, &[Some(1000)]).unwrap());
    let (mut seconds, mut hits) = (0.0, 0);
    for id in 0..2 * n {
        let key = Chance::new(5, 0).request(id);
        seconds -= libm::log(inner_unit(key.draw(Purpose::Gap))) / rate;
        let found = ask(&mut *store, seconds, prompts.pick(key));
        hits += u64::from(found && id >= n);
    }
    hits as f64 / n as f64
}

/// The shares of the prompts of [`hit_share`].
fn popularity() -> Vec<f64> {
    let weights: Vec<f64> = (1..=1000).map(|k| libm::pow(f64::from(k), -0.8)).collect();
    let all: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / all).collect()
}

/// The share of hits where a prompt that comes `x` times in a life is found with probability `h(x)`.
fn expected(h: impl Fn(f64) -> f64, calls_in_a_life: f64) -> f64 {
    popularity().iter().map(|p| p * h(p * calls_in_a_life)).sum()
}

fn renewed(x: f64) -> f64 {
    1.0 - libm::exp(-x)
}

fn written(x: f64) -> f64 {
    x / (1.0 + x)
}

/// Without eviction both forms are exact. The standard deviation of a share of 60,000 requests is at most 0.002, more where hits hang
/// together: half a percent is wide.
#[test]
fn lives_that_end_give_the_share_of_the_closed_forms() {
    for life in [30.0, 300.0] {
        let spec = |from: &str| format!(r#"{{ "ttl": "{life}s", "lives_from": "{from}" }}"#);
        let calls = 10.0 * life;
        for (from, h) in [
            ("last_write", written as fn(f64) -> f64),
            ("first_write", written),
            ("last_use", renewed),
        ] {
            let (seen, form) = (hit_share(&spec(from), 10.0, 60_000), expected(h, calls));
            assert!((seen - form).abs() < 0.006, "{from} {life}: {seen} for {form}");
        }
    }
}

/// Che, Tung and Wang (2002): a store of so many entries is one whose entries live as long as it takes to fill it. For the least
/// recently used and, with the other form, for the oldest (Martina, Garetto and Leonardi, 2014), it is known to be right within 1 %.
#[test]
fn a_store_that_evicts_gives_the_share_of_ches_approximation() {
    for entries in [50_u32, 200] {
        for (evicts, h) in [("least_recent", renewed as fn(f64) -> f64), ("oldest", written)] {
            // The calls in which the store fills, by bisection.
            let (mut low, mut high) = (0.0, 1e9);
            for _ in 0..200 {
                let middle = (low + high) / 2.0;
                let held: f64 = popularity().iter().map(|p| h(p * middle)).sum();
                if held < f64::from(entries) {
                    low = middle
                } else {
                    high = middle
                }
            }
            let form = expected(h, low);
            let seen = hit_share(
                &format!(r#"{{ "entries": {entries}, "evicts": "{evicts}" }}"#),
                10.0,
                60_000,
            );
            assert!((seen - form).abs() < 0.01, "{evicts} {entries}: {seen} for {form}");
        }
    }
}

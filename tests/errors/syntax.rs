//! Files that are not JSON, or give a name twice.

use insta::assert_snapshot;

use super::said;

#[test]
fn a_missing_comma() {
    assert_snapshot!(said(r#""name": "shop","#, r#""name": "shop""#), @r#"
    shop.json:3:3: expected `,` or `}`
        3 |   "traffic": {
          |   ^
       help: is a comma missing?
    "#);
}

#[test]
fn a_trailing_comma_in_an_object() {
    assert_snapshot!(said(r#""confidence": 0.95 }"#, r#""confidence": 0.95, }"#), @r#"
    shop.json:62:98: plan: trailing comma
       62 |   "plan": { "duration": "1h", "warmup": "5m", "replications": 20, "seed": 1, "confidence": 0.95, }
          |                                                                                                  ^
       help: remove the comma before the closing bracket
    "#);
}

#[test]
fn a_trailing_comma_in_a_list() {
    assert_snapshot!(said(r#""policies": ["tiered"] }
  ],"#, r#""policies": ["tiered"] },
  ],"#), @r#"
    shop.json:61:3: objectives: trailing comma
       61 |   ],
          |   ^
       help: remove the comma before the closing bracket
    "#);
}

#[test]
fn single_quotes() {
    assert_snapshot!(said(r#""name": "shop""#, r#""name": 'shop'"#), @r#"
    shop.json:2:11: name: expected a value or a key
        2 |   "name": 'shop',
          |           ^
       help: strings stand in double quotes
    "#);
}

#[test]
fn a_key_without_quotes() {
    assert_snapshot!(said(r#""priority": 2"#, "priority: 2"), @r#"
    shop.json:9:9: traffic.classes.hard: key must be a string
        9 |         priority: 2,
          |         ^
       help: keys stand in double quotes
    "#);
}

#[test]
fn an_unclosed_bracket() {
    assert_snapshot!(said(r#""confidence": 0.95 }
}"#, r#""confidence": 0.95 }
"#), @r#"
    shop.json:62:98: the file ends inside an object
       62 |   "plan": { "duration": "1h", "warmup": "5m", "replications": 20, "seed": 1, "confidence": 0.95 }
          |                                                                                                  ^
       help: the bracket at 1:1 is never closed
    "#);
}

#[test]
fn an_unclosed_string() {
    assert_snapshot!(said(r#""name": "shop","#, r#""name": "shop,"#), @r#"
    shop.json:2:17: name: a string does not end on its line
        2 |   "name": "shop,
          |                 ^
       help: close it with a double quote
    "#);
}

#[test]
fn an_unclosed_comment() {
    assert_snapshot!(said(r#""name": "shop","#, r#"/* "name": "shop","#), @r#"
    shop.json:2:3: a comment that never ends
        2 |   /* "name": "shop",
          |   ^
       help: close it with */
    "#);
}

#[test]
fn a_number_with_a_plus() {
    assert_snapshot!(said(r#""seed": 1"#, r#""seed": +1"#), @r#"
    shop.json:62:75: plan.seed: expected a value
       62 |   "plan": { "duration": "1h", "warmup": "5m", "replications": 20, "seed": +1, "confidence": 0.95 }
          |                                                                           ^
       help: a number begins with a digit or `-`
    "#);
}

#[test]
fn a_number_with_an_underscore() {
    assert_snapshot!(said(r#""priority": 2"#, r#""priority": 2_0"#), @r#"
    shop.json:9:22: traffic.classes.hard: expected `,` or `}`
        9 |         "priority": 2_0,
          |                      ^
       help: a number stands without `_`
    "#);
}

#[test]
fn a_number_beyond_floats() {
    assert_snapshot!(said(r#""share": 70"#, r#""share": 1e999"#), @r#"
    shop.json:6:30: traffic.classes.easy.share: number out of range
        6 |       "easy": { "share": 1e999, "input": { "constant": 300 }, "output": { "uniform": { "min": 50, "m…
          |                              ^
    "#);
}

#[test]
fn text_after_the_end() {
    assert_snapshot!(said(r#""confidence": 0.95 }
}"#, r#""confidence": 0.95 }
} }"#), @r#"
    shop.json:63:3: the file goes on after the end of its JSON value
       63 | } }
          |   ^
    "#);
}

#[test]
fn a_key_given_twice() {
    assert_snapshot!(said(r#""seed": 1"#, r#""seed": 1, "seed": 2"#), @r#"
    shop.json:62:78: plan.seed: duplicate key `seed`
       62 | …: { "duration": "1h", "warmup": "5m", "replications": 20, "seed": 1, "seed": 2, "confidence": 0.95 }
          |                                                                       ^
       help: it was first given at 62:67
    "#);
}

#[test]
fn a_provider_given_twice() {
    assert_snapshot!(said(r#""dear": { "model": "claude-sonnet-4.5", "connections": 50 }"#, r#""cheap": { "model": "claude-sonnet-4.5" }"#), @r#"
    shop.json:18:5: providers.cheap: duplicate key `cheap`
       18 |     "cheap": { "model": "claude-sonnet-4.5" },
          |     ^
       help: it was first given at 17:5
    "#);
}

#[test]
fn a_plugin_given_twice() {
    assert_snapshot!(said(r#""poisson": { "rate": "5/s" }"#, r#""poisson": { "rate": "5/s" }, "poisson": { "rate": "6/s" }"#), @r#"
    shop.json:4:49: traffic.arrivals.poisson: duplicate key `poisson`
        4 |     "arrivals": { "poisson": { "rate": "5/s" }, "poisson": { "rate": "6/s" } },
          |                                                 ^
       help: it was first given at 4:19
    "#);
}

#[test]
fn nan_is_no_json() {
    assert_snapshot!(said(r#""share": 70"#, r#""share": NaN"#), @r#"
    shop.json:6:26: traffic.classes.easy.share: expected a value
        6 |       "easy": { "share": NaN, "input": { "constant": 300 }, "output": { "uniform": { "min": 50, "max…
          |                          ^
       help: words other than true, false and null stand in double quotes
    "#);
}

#[test]
fn python_constants() {
    assert_snapshot!(said(r#""otherwise": "up""#, r#""otherwise": None"#), @r#"
    shop.json:53:24: policies[2].policy.tiered.otherwise: expected a value
       53 |           "otherwise": None
          |                        ^
       help: words other than true, false and null stand in double quotes
    "#);
}

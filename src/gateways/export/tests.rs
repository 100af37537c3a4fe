//! Whole files, changed and written back.

mod members;

use serde_json::json;

use super::*;
use crate::gateways::import::built_in_prices;

/// The configuration in a folder of its own, with what `change` does to its settings.
fn exported(text: &str, accept: bool, change: impl FnOnce(&mut Settings)) -> Result<String, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, text).unwrap();
    let prices = built_in_prices();
    let gateway = crate::gateways::read(&source::open(&file).unwrap(), None).unwrap();
    let mut settings = settled::of_gateway(&gateway, &prices).unwrap();
    change(&mut settings);
    match export(&file, None, &prices, settings.clone().into(), accept) {
        Ok(made) => {
            let after = made
                .files
                .into_iter()
                .next()
                .map_or_else(|| text.to_owned(), |(_, _, after)| after);
            let config = source::from_text("x", &after).unwrap();
            let again = settled::of_gateway(&crate::gateways::read(&config, None).unwrap(), &prices).unwrap();
            assert_eq!(again, settings, "{after}");
            Ok(after)
        }
        Err(NotWritten::Settings(lines)) => Err(lines),
        Err(NotWritten::Read(refused)) => panic!("{refused}"),
    }
}

/// Puts `value` at a path of settings that is written with slashes, where there is one that ends so.
fn put(settings: &mut Settings, path: &str, value: Value) {
    settings.insert(path.split('/').map(str::to_owned).collect(), value);
}

const LITELLM: &str = "# house\nmodel_list:\n  - model_name: chat   # main\n    litellm_params: {model: openai/gpt-4.1, api_key: os.environ/A, weight: 3}\n  - model_name: chat\n    litellm_params:\n      model: azure/x\n      api_key: os.environ/B\n      weight: \"1\"  # a tenth\n  - {model_name: spare, litellm_params: {model: anthropic/claude-haiku-4-5}}\nrouter_settings:\n  num_retries: 2   # tries\n  timeout: '30'\n  fallbacks: [{\"chat\": [\"spare\"]}]\n\ngeneral_settings: {master_key: x}";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn nothing_changed_is_nothing_written() {
    assert_eq!(exported(LITELLM, false, |_| ()).unwrap(), LITELLM);
}

#[test]
fn values_change_in_their_quotes_and_comments_stay() {
    let after = exported(LITELLM, false, |of| {
        for group in ["chat", "spare"] {
            put(of, &format!("group/{group}/retry/num_retries"), json("1"));
            put(of, &format!("group/{group}/timeouts/attempt"), json("\"12.5s\""));
            put(of, &format!("group/{group}/breaker/cooldown_time"), json("\"20s\""));
        }
        put(of, "group/chat/policy/weights/chat-2", json("9"));
        of.retain(|path, _| !path.ends_with(&["fallbacks".to_owned()]));
    });
    let expected = LITELLM
        .replace("num_retries: 2 ", "num_retries: 1 ")
        .replace("'30'", "'12.5'")
        .replace("\"1\"", "\"9\"")
        .replace("[\"spare\"]", "[]")
        .replace("[]}]\n", "[]}]\n  cooldown_time: 20\n");
    assert_eq!(after.unwrap(), expected);
}

#[test]
fn what_was_approximated_is_written_only_if_that_is_accepted() {
    let text = LITELLM.replace("weight: 3}", "weight: 3, max_parallel_requests: 5}");
    let change = |of: &mut Settings| put(of, "provider/chat-1/connections", json("9"));
    let refused = exported(&text, false, change).unwrap_err();
    assert!(
        refused.len() == 1
            && refused[0].contains("max_parallel_requests` says it")
            && refused[0].ends_with("write it with --accept"),
        "{refused:?}"
    );
    let after = exported(&text, true, change).unwrap();
    assert_eq!(
        after,
        text.replace("max_parallel_requests: 5", "max_parallel_requests: 9")
    );
}

#[test]
fn what_the_product_cannot_say_is_refused_by_name() {
    let refused = exported(LITELLM, true, |of| {
        put(of, "group/chat/timeouts/ttft", json("\"2s\""));
        put(of, "group/spare/breaker/cooldown_time", json("\"9s\""));
        put(of, "group/chat/policy/kind", json("\"peak_ewma\""));
    });
    assert_eq!(
        refused.unwrap_err(),
        [
            "group chat: strategy simple_shuffle → peak_ewma: LiteLLM cannot say it there, or not this value",
            "group chat: timeout to the first token none → 2 s: nothing that is written of LiteLLM says it",
            "group spare: cooldown 5 s → 9 s: it would change group chat: cooldown too, which the experiment has as before; change both, or none",
        ]
    );
}

const SHARED: &str = "x: &p\r\n  timeout: 20\r\n  weight: 1\r\nmodel_list:\r\n- model_name: a\r\n  litellm_params: {<<: *p, model: openai/gpt-4.1, api_key: os.environ/A}\r\n- model_name: a\r\n  litellm_params:\r\n    <<: *p\r\n    model: azure/y\r\n- {model_name: b, litellm_params: &q {model: openai/gpt-4.1, rpm: 60}}\r\n- {model_name: c, litellm_params: *q}\r\n";

#[test]
fn what_is_shared_is_given_a_key_of_its_own() {
    let after = exported(SHARED, true, |of| put(of, "group/a/policy/weights/a-2", json("4"))).unwrap();
    assert_eq!(after, SHARED.replace("azure/y\r\n", "azure/y\r\n    weight: 4\r\n"));
    let after = exported(SHARED, true, |of| put(of, "provider/c/connections", json("5"))).unwrap();
    assert_eq!(
        after,
        SHARED.replace(
            "litellm_params: *q",
            "litellm_params: {<<: *q, max_parallel_requests: 5}"
        )
    );
    // The anchor's own value: what repeats it keeps what it had.
    let after = exported(SHARED, true, |of| put(of, "provider/b/connections", json("5"))).unwrap();
    let own = SHARED.replace("rpm: 60}}", "rpm: 60, max_parallel_requests: 5}}");
    assert_eq!(
        after,
        own.replace(
            "litellm_params: *q",
            "litellm_params: {<<: *q, max_parallel_requests: 60}"
        )
    );
}

#[test]
fn a_chain_grows_keeps_names_that_no_group_has_and_may_be_new() {
    let text = LITELLM.replace("[\"spare\"]", "[\"ghost\", \"spare\"]");
    let after = exported(&text, false, |of| put(of, "group/spare/fallbacks", json("[\"chat\"]"))).unwrap();
    assert_eq!(
        after,
        text.replace("\"spare\"]}]", "\"spare\"]}, {\"spare\": [\"chat\"]}]")
    );
    let block = "model_list:\n- {model_name: a, litellm_params: {model: openai/x}}\n- {model_name: b, litellm_params: {model: openai/y}}\nlitellm_settings:\n  fallbacks:\n    - a: [b]   # first\n  drop_params: true\n";
    let after = exported(block, false, |of| put(of, "group/b/fallbacks", json("[\"a\"]"))).unwrap();
    assert_eq!(after, block.replace("# first\n", "# first\n    - b: [a]\n"));
    let none = "model_list:\n- {model_name: a, litellm_params: {model: openai/x}}\n- {model_name: b, litellm_params: {model: openai/y}}\n";
    let after = exported(none, false, |of| put(of, "group/b/fallbacks", json("[\"a\"]"))).unwrap();
    assert_eq!(after, format!("{none}router_settings:\n  fallbacks: [{{b: [a]}}]\n"));
}

#[test]
fn a_key_is_added_to_json_in_its_manner() {
    let text = "{ \"model_list\": [\n    { \"model_name\": \"a\", \"litellm_params\": { \"model\": \"openai/x\" } } ],\n  \"litellm_settings\": { \"request_timeout\": 30, \"fallbacks\": [ { \"a\": [\"b\"] } ] } }\n";
    let after = exported(text, false, |of| put(of, "group//retry/num_retries", json("1")));
    assert_eq!(
        after.unwrap(),
        text.replace("] } ] } }", "] } ], \"num_retries\": 1 } }")
    );
}

#[test]
fn json_stays_json() {
    let portkey = "{\n  \"retry\": { \"attempts\": 3, \"on_status_codes\": [429, 503] },\n  \"strategy\": { \"mode\": \"loadbalance\" },\n  \"targets\": [\n    { \"provider\": \"openai\", \"virtual_key\": \"a\", \"weight\": 0.9, \"override_params\": { \"model\": \"gpt-4.1\" } },\n    { \"provider\": \"openai\", \"virtual_key\": \"b\", \"weight\": 0.1, \"override_params\": { \"model\": \"gpt-4.1\" } }\n  ]\n}\n";
    let after = exported(portkey, false, |of| {
        put(of, "group//retry/attempts", json("2"));
        put(of, "group//policy/targets/0/weight", json("0.5"));
    });
    assert_eq!(
        after.unwrap(),
        portkey
            .replace("\"attempts\": 3", "\"attempts\": 2")
            .replace("0.9", "0.5")
    );
}

#[test]
fn what_is_assumed_of_a_response_cache_is_no_change() {
    let text = "model_list:\n- {model_name: chat, litellm_params: {model: openai/gpt-4.1}}\n\
        litellm_settings: {cache: true, cache_params: {type: redis}, num_retries: 3}\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, text).unwrap();
    let prices = built_in_prices();
    let gateway = crate::gateways::read(&source::open(&file).unwrap(), None).unwrap();
    let known = |change: &dyn Fn(&mut Settings)| {
        let mut settings = settled::of_gateway(&gateway, &prices).unwrap();
        settings.retain(|path, _| !settled::ends(path, "hits.stated.share"));
        let found = ["group", "", "response_cache", "hits", "stated", "share", "chat"];
        settings.insert(found.map(str::to_owned).to_vec(), json!(0.2));
        change(&mut settings);
        export(&file, None, &prices, settings.into(), false)
    };
    assert_eq!(known(&|_| ()).unwrap().files, []);
    let more = known(&|settings| {
        let of = |path: &Path| settled::ends(path, "retry.num_retries");
        settings
            .iter_mut()
            .filter(|(path, _)| of(path))
            .for_each(|(_, value)| *value = json!(1));
    });
    assert!(more.unwrap().files[0].2.contains("num_retries: 1"));
    // A cache that only the experiment has, or no longer, is a change.
    let gone = known(&|settings| settings.retain(|path, _| !path.iter().any(|step| step == "response_cache")));
    assert!(matches!(gone, Err(NotWritten::Settings(_))));
}

//! Providers that come and go.

use super::*;
use crate::gateways::export::names::renamed;
use crate::gateways::import::Assumptions;

/// What is made of a configuration by an experiment that was imported from it and changed, with what the file then comes to.
fn made(text: &str, change: impl FnOnce(&mut Target)) -> Result<Exported, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, text).unwrap();
    let prices = built_in_prices();
    let gateway = crate::gateways::read(&source::open(&file).unwrap(), None).unwrap();
    let assumed = Assumptions::of(&gateway, &prices);
    let members = gateway.groups.iter().flat_map(|group| &group.members);
    let mut target = Target {
        settings: settled::of_gateway(&gateway, &prices).unwrap(),
        providers: members
            .map(|member| (member.name.clone(), assumed.providers[&member.name].clone()))
            .collect(),
    };
    change(&mut target);
    match export(&file, None, &prices, target.clone(), false) {
        Ok(made) => {
            let after = made.files.first().map_or(text, |(_, _, after)| after);
            let config = source::from_text("x", after).unwrap();
            let again = settled::of_gateway(&crate::gateways::read(&config, None).unwrap(), &prices).unwrap();
            let names = made.renamed.iter().cloned().collect();
            assert_eq!(again, renamed(&target.settings, &names), "{after}");
            Ok(made)
        }
        Err(NotWritten::Settings(lines)) => Err(lines),
        Err(NotWritten::Read(refused)) => panic!("{refused}"),
    }
}

fn after(made: &Exported) -> &str {
    &made.files[0].2
}

fn set(target: &mut Target, path: &str, value: &str) {
    put(&mut target.settings, path, json(value));
}

/// A provider like another.
fn like(target: &mut Target, name: &str, like: &str) {
    let of = target
        .providers
        .iter()
        .find(|(known, _)| known == like)
        .unwrap()
        .1
        .clone();
    target.providers.push((name.to_owned(), of));
}

const HOUSE: &str = "# house
model_list:
  # the two regions
  - model_name: chat   # main
    litellm_params:
      model: azure/chat-weu          # a deployment
      api_base: https://weu.example.com
      api_key: os.environ/WEU
      rpm: 60
    model_info: {base_model: azure/gpt-4.1}
  # the second one,
  # which is newer
  - model_name: chat
    litellm_params:
      model: azure/chat-sdc
      api_key: os.environ/SDC
      rpm: 30
      # no more than that
    model_info: {base_model: azure/gpt-4.1}

  - {model_name: spare, litellm_params: {model: anthropic/claude-haiku-4-5, api_key: sk-ant-0123456789}}
router_settings:
  num_retries: 2
  fallbacks: [{chat: [spare]}]
  model_group_alias: {gpt-4: chat, cheap: spare}
";

#[test]
fn an_entry_that_goes_takes_its_lines_and_its_comments() {
    let made = made(HOUSE, |of| {
        set(of, "group/chat/providers", r#"["chat-1"]"#);
        of.settings.retain(|path, _| !path.iter().any(|step| step == "chat-2"));
        // A choice among one is none.
        of.settings
            .retain(|path, _| !(path[0] == "group" && path[1] == "chat" && path[2] == "policy"));
    })
    .unwrap();
    let (start, end) = (
        HOUSE.find("  # the second one").unwrap(),
        HOUSE.find("\n  - {model_name: spare").unwrap(),
    );
    assert_eq!(after(&made), format!("{}{}", &HOUSE[..start], &HOUSE[end..]));
    assert_eq!(made.written, ["group chat: member chat-2 taken out"]);
    // Alone it has the name of its group.
    assert_eq!(made.renamed, [("chat-1".to_owned(), "chat".to_owned())]);
}

#[test]
fn an_entry_that_comes_has_the_form_of_its_neighbours_and_no_secret() {
    let made = made(HOUSE, |of| {
        like(of, "chat-3", "chat-1");
        set(of, "group/chat/providers", r#"["chat-1", "chat-2", "chat-3"]"#);
        set(of, "group/chat/policy/providers", r#"["chat-1", "chat-2", "chat-3"]"#);
        set(of, "group/chat/policy/limits/rpm/chat-3", "45");
        set(of, "provider/chat-3/connections", "45");
        set(of, "provider/chat-3/line", "0");
    })
    .unwrap();
    let new = "  - model_name: chat
    litellm_params:
      model: azure/chat-sdc
      api_key: os.environ/SDC
      rpm: 45
    model_info: {base_model: azure/gpt-4.1}
";
    let at = HOUSE.find("\n  - {model_name: spare").unwrap();
    assert_eq!(after(&made), format!("{}{new}{}", &HOUSE[..at], &HOUSE[at..]));
    assert!(made.renamed.is_empty());
    assert!(
        made.open[0].ends_with("has all that the experiment and the file say of it"),
        "{:?}",
        made.open
    );
}

/// A second member of the group `spare`.
fn beside_spare(of: &mut Target) {
    like(of, "other", "spare");
    set(of, "group/spare/providers", r#"["spare", "other"]"#);
    set(of, "group/spare/policy/kind", "\"simple_shuffle\"");
    set(of, "group/spare/policy/providers", r#"["spare", "other"]"#);
    set(of, "group/spare/policy/version", "\"1.109\"");
    set(of, "group/spare/policy/limits/from_quotas", "false");
}

/// What no key of an entry shows cannot be cut out of its copy key by key.
#[test]
fn a_secret_under_an_alias_or_in_a_list_is_not_copied() {
    let secret = "api_key: sk-ant-0123456789";
    for (hidden, before) in [
        ("*k : sk-ant-0123456789", "x: &k api_key\n"),
        ("extra_headers: [{token: sk-ant-0123456789}]", ""),
        ("\"a.b\": sk-ant-0123456789", ""),
    ] {
        let text = format!("{before}{}", HOUSE.replace(secret, hidden));
        let refused = made(&text, beside_spare).unwrap_err();
        assert!(refused[0].contains("may be a secret"), "{hidden}: {refused:?}");
        assert!(!refused.concat().contains("sk-ant"), "{refused:?}");
    }
}

#[test]
fn what_cannot_be_known_is_left_out_and_told_with_its_line() {
    let made = made(HOUSE, beside_spare).unwrap();
    let line =
        "  - {model_name: spare, litellm_params: {model: anthropic/claude-haiku-4-5, api_key: sk-ant-0123456789}}\n";
    let new = "  - {model_name: spare, litellm_params: {model: anthropic/claude-haiku-4-5}, model_info: {id: other}}\n";
    assert_eq!(after(&made), HOUSE.replace(line, &format!("{line}{new}")));
    assert_eq!(made.renamed, [("spare".to_owned(), "spare-1".to_owned())]);
    let said = &made.open[0];
    assert!(
        said.contains("line 22: other, after the entry of spare")
            && said.contains("does not say `litellm_params.api_key`"),
        "{said}"
    );
}

#[test]
fn a_group_that_goes_is_taken_out_of_fallbacks_and_aliases() {
    let gone = |of: &mut Target| {
        of.settings
            .retain(|path, _| !(path[0] == "group" && path[1] == "spare"));
        of.settings
            .retain(|path, _| path.last().is_none_or(|last| last != "fallbacks"));
        of.settings
            .retain(|path, _| !(path[0] == "provider" && path[1] == "spare"));
    };
    let text = HOUSE.replace("[{chat: [spare]}]", "[{chat: [spare]}, {spare: [chat]}]");
    // Of two groups one is left, which then has no name in an experiment.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, &text).unwrap();
    let prices = built_in_prices();
    let gateway = crate::gateways::read(&source::open(&file).unwrap(), None).unwrap();
    let mut target = Target::from(settled::of_gateway(&gateway, &prices).unwrap());
    gone(&mut target);
    let made = export(&file, None, &prices, target, false).unwrap();
    let line =
        "  - {model_name: spare, litellm_params: {model: anthropic/claude-haiku-4-5, api_key: sk-ant-0123456789}}\n";
    let expected = text
        .replace(line, "")
        .replace("[{chat: [spare]}, {spare: [chat]}]", "[]")
        .replace("{gpt-4: chat, cheap: spare}", "{gpt-4: chat}");
    assert_eq!(after(&made), expected);
    // What else names it is not guessed.
    let text = text.replace(
        "num_retries: 2",
        "model_group_retry_policy: {spare: {TimeoutErrorRetries: 1}}",
    );
    std::fs::write(&file, &text).unwrap();
    let gateway = crate::gateways::read(&source::open(&file).unwrap(), None).unwrap();
    let mut target = Target::from(settled::of_gateway(&gateway, &prices).unwrap());
    gone(&mut target);
    let Err(NotWritten::Settings(lines)) = export(&file, None, &prices, target, false) else {
        panic!("it was written")
    };
    assert!(
        lines[0].contains("line 23: it names the group; change it by hand first"),
        "{lines:?}"
    );
}

#[test]
fn chains_in_blocks_gain_and_lose_lines() {
    let text = "model_list:\n- {model_name: a, litellm_params: {model: openai/x}}\n- {model_name: b, litellm_params: {model: openai/y}}\n\
        - {model_name: c, litellm_params: {model: openai/z}}\nlitellm_settings:\n  fallbacks:\n    - a:\n        # first\n        - b   # why\n\
        \x20       - \"c\"\n    - b:\n        - c\n";
    let chain = |names: &'static str, group: &'static str| {
        let made = made(text, |of| match names {
            "" => drop(
                of.settings
                    .remove(["group", group, "fallbacks"].map(str::to_owned).as_slice()),
            ),
            names => set(of, &format!("group/{group}/fallbacks"), names),
        });
        after(&made.unwrap()).to_owned()
    };
    assert_eq!(chain(r#"["b"]"#, "a"), text.replace("        - \"c\"\n", ""));
    assert_eq!(
        chain(r#"["c"]"#, "a"),
        text.replace("        # first\n        - b   # why\n", "")
    );
    assert_eq!(chain(r#"["c", "a"]"#, "b"), format!("{text}        - a\n"));
    assert_eq!(chain("", "b"), text.replace("- b:\n        - c\n", "- b: []\n"));
}

#[test]
fn targets_of_json_come_and_go() {
    let text = "{\n  \"strategy\": { \"mode\": \"fallback\", \"on_status_codes\": [429] },\n  \"targets\": [\n    { \"name\": \"a\", \"provider\": \"@openai-a\", \"override_params\": { \"model\": \"gpt-4.1\" } },\n    { \"name\": \"b\", \"provider\": \"@groq\", \"override_params\": { \"model\": \"llama-3.3-70b-versatile\" }, \"retry\": { \"attempts\": 2 } },\n    { \"name\": \"c\", \"provider\": \"@openai-c\", \"override_params\": { \"model\": \"gpt-4.1-mini\" } }\n  ]\n}\n";
    let fewer = made(text, |of| {
        of.settings.retain(|path, _| !path.iter().any(|step| step == "b"));
        set(of, "group//policy/targets", r#"["a", "c"]"#);
    });
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    assert_eq!(after(&fewer.unwrap()), [&lines[..4], &lines[5..]].concat().concat());
    let more = made(text, |of| {
        like(of, "d", "a");
        set(of, "group//policy/targets", r#"["a", "d", "b", "c"]"#);
    });
    let new = lines[3].replace("\"a\"", "\"d\"");
    assert_eq!(
        after(&more.unwrap()),
        [&lines[..4], &[new.as_str()], &lines[4..]].concat().concat()
    );
}

#[test]
fn what_cannot_be_written_is_refused_with_its_reason() {
    let refused = made(HOUSE, |of| {
        of.providers.push((
            "odd".to_owned(),
            json(r#"{"ttft": {"constant": "1s"}, "tps": {"constant": 50}}"#),
        ));
        set(of, "group/chat/providers", r#"["chat-1", "chat-2", "odd"]"#);
    });
    let lines = refused.unwrap_err();
    assert!(
        lines[0]
            .starts_with("group chat: member odd added: the experiment does not say which provider serves its model"),
        "{lines:?}"
    );
    let anchored = "model_list:\n- &x {model_name: a, litellm_params: {model: openai/gpt-4.1}}\n- {<<: *x, litellm_params: {model: openai/gpt-4.1-mini}}\n";
    let lines = made(anchored, |of| {
        of.settings.retain(|path, _| !path.iter().any(|step| step == "a-1"));
        set(of, "group//policy/providers", r#"["a-2"]"#);
    });
    let lines = lines.unwrap_err();
    assert!(lines[0].contains("anchor"), "{lines:?}");
}

//! Where each product's file lists its providers, and what a new entry there must say.
//!
//! A list is a path of [`super::keys`]. What makes an entry a provider is kept in the copy of another; what refers to the environment or to a
//! vault is taken over where both are called by the same kind of provider. Everything else goes unless a setting of the experiment needs it.

/// What is known of a product's lists of providers.
pub(super) struct Lists {
    /// The paths of the items.
    pub(super) lists: &'static [&'static str],
    /// The key that says which group an entry is of, if entries of several stand in one list.
    pub(super) group: &'static str,
    /// The key that names the provider; empty if its name follows from its model.
    pub(super) name: &'static str,
    /// The key of the model; empty if an entry serves what is asked for.
    pub(super) model: &'static str,
    /// Keys that make an entry what it is.
    pub(super) keep: &'static [&'static str],
    /// How a text begins that refers to what is elsewhere.
    pub(super) marks: &'static [&'static str],
}

/// The lists of each product that can be written; of the others nothing is.
#[rustfmt::skip]
const LISTS: &[(&str, Lists)] = &[
    ("litellm", Lists {
        lists: &["model_list[]"],
        group: "model_name",
        name: "model_info.id",
        model: "litellm_params.model",
        keep: &["model_name", "model_info.id", "litellm_params.model", "model_info.mode"],
        marks: &["os.environ/"],
    }),
    ("portkey", Lists {
        lists: &["targets[]", "targets[].targets[]", "targets[].targets[].targets[]"],
        group: "",
        name: "name",
        model: "override_params.model",
        keep: &["name", "provider", "virtual_key", "override_params.model"],
        marks: &["@", "$", "{"],
    }),
    ("envoy-ai-gateway", Lists {
        lists: &["AIGatewayRoute:spec.rules[].backendRefs[]"],
        group: "",
        name: "name",
        model: "modelNameOverride",
        keep: &["name", "group", "kind", "modelNameOverride"],
        marks: &[],
    }),
    ("kong", Lists {
        lists: &["plugins[].config.targets[]", "services[].plugins[].config.targets[]", "services[].routes[].plugins[].config.targets[]"],
        group: "",
        name: "",
        model: "model.name",
        keep: &["route_type", "model.provider", "model.name", "auth.header_name", "auth.param_name", "auth.param_location"],
        marks: &["{vault", "${{"],
    }),
    ("bifrost", Lists {
        lists: &["providers.*.keys[]"],
        group: "",
        name: "name",
        model: "",
        keep: &["name", "models", "aliases"],
        marks: &["env."],
    }),
];

/// The lists of a product, or why its providers are not written.
pub(super) fn of(product: &str) -> Result<&'static Lists, &'static str> {
    let found = LISTS.iter().find(|(name, _)| *name == product);
    found.map(|(_, lists)| lists).ok_or(match product {
        "envoy" => "no provider comes to a bootstrap or leaves it: a cluster, its endpoints, and the routes and listeners that name it stand apart",
        _ => "its file is not written",
    })
}

impl Lists {
    /// The name of a provider as its key says it; nothing if it follows from where the entry stands.
    pub(super) fn own_name<'a>(&self, product: &str, name: &'a str) -> Option<&'a str> {
        if self.name.is_empty() {
            return None;
        }
        Some(match product {
            // The name of a target is behind those that it stands in; a number is its place.
            "portkey" => {
                let last = name.rsplit('.').next().unwrap_or(name);
                return last.parse::<u64>().is_err().then_some(last);
            }
            "bifrost" => name.split_once('/').map_or(name, |(_, own)| own),
            "envoy-ai-gateway" => name.split('/').next().unwrap_or(name),
            _ => name,
        })
    }

    /// The model `name` of price tables as an entry beside one of `like` says it; nothing if it is not known which provider serves it.
    pub(super) fn spelled(&self, product: &str, name: &str, like: &str) -> Option<String> {
        let maker = maker(name)?;
        let (prefix, rest) = like.split_once('/').unwrap_or(("openai", like));
        match product {
            "litellm" if name.contains('/') => Some(name.to_owned()),
            // A provider that has its own models under a prefix has this one too.
            "litellm" if maker == self::maker(rest).unwrap_or("") => {
                Some(match like.contains('/') && prefix != "azure" {
                    true => format!("{prefix}/{name}"),
                    false => format!("{maker}/{name}"),
                })
            }
            "litellm" => Some(format!("{maker}/{name}")),
            // The provider stays as it is: it must be the one that makes the model.
            _ => (maker == self::maker(rest).unwrap_or(prefix)).then(|| name.to_owned()),
        }
    }
}

/// The maker of the models whose names begin so, as LiteLLM calls it.
fn maker(model: &str) -> Option<&'static str> {
    const MAKERS: &[(&str, &str)] = &[
        ("gpt-", "openai"),
        ("o1", "openai"),
        ("o3", "openai"),
        ("o4", "openai"),
        ("claude-", "anthropic"),
        ("gemini-", "gemini"),
        ("deepseek-", "deepseek"),
        ("mistral-", "mistral"),
        ("grok-", "xai"),
    ];
    let last = model.rsplit('/').next().unwrap_or(model);
    MAKERS
        .iter()
        .find(|(start, _)| last.starts_with(start))
        .map(|(_, maker)| *maker)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateways::products;

    #[test]
    fn every_product_has_lists_or_a_reason() {
        for product in products() {
            match of(product) {
                Ok(lists) => {
                    assert!(!lists.lists.is_empty() && lists.keep.contains(&lists.name) != lists.name.is_empty())
                }
                Err(why) => assert!(["envoy", "tensorzero"].contains(&product) && !why.is_empty()),
            }
        }
    }

    #[test]
    fn a_model_is_spelled_as_its_neighbours_are() {
        let litellm = of("litellm").unwrap();
        let spelled = |name: &str, like: &str| litellm.spelled("litellm", name, like);
        for (name, like, is) in [
            ("gpt-4.1-mini", "openai/gpt-4.1", Some("openai/gpt-4.1-mini")),
            ("gpt-4.1-mini", "azure/weu", Some("openai/gpt-4.1-mini")),
            ("claude-haiku-4-5", "openai/gpt-4.1", Some("anthropic/claude-haiku-4-5")),
            ("azure/gpt-4.1", "openai/gpt-4.1", Some("azure/gpt-4.1")),
            ("our-own", "openai/gpt-4.1", None),
        ] {
            assert_eq!(spelled(name, like).as_deref(), is, "{name} beside {like}");
        }
    }
}

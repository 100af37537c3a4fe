//! The providers that take part in a policy, as a file gives them: some by name, or all if it gives none.
//!
//! An empty list is refused: it would read as no provider, and no policy can choose among none.

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// Some providers by name, in an order that may count; or all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("minItems" = 1))]
pub struct Members(Option<Vec<String>>);

impl Members {
    /// The providers that are named; `None` if all take part.
    pub fn given(&self) -> Option<&[String]> {
        self.0.as_deref()
    }
}

impl From<Vec<String>> for Members {
    /// Members that are these providers and no others.
    fn from(names: Vec<String>) -> Members {
        Members(Some(names))
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members, D::Error> {
        match Option::<Vec<String>>::deserialize(deserializer)? {
            Some(names) if names.is_empty() => Err(D::Error::custom(
                "an empty list: name at least one provider, or leave it out for every provider",
            )),
            names => Ok(Members(names)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_refused_and_nothing_said_is_everybody() {
        let read = |text| serde_json::from_str::<Members>(text).map_err(|e| e.to_string());
        assert_eq!(read("null").unwrap().given(), None);
        assert_eq!(read(r#"["a"]"#).unwrap().given(), Some(&["a".to_owned()][..]));
        let refused = read("[]").unwrap_err();
        assert_eq!(
            refused,
            "an empty list: name at least one provider, or leave it out for every provider"
        );
    }
}

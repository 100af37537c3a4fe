//! Reading a file of claims: its forms of a number, and what must hold before anything is computed.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ClaimSpec, ClaimsFile, FORMAT, Found, OfLaw, Simulated};
use crate::experiment::load::{self, LoadError};
use crate::form::build::Refusal;
use crate::form::diagnose::{self, Error, Seg};
use crate::form::formula;

/// The most numbers of a file: each may name all that stand before it.
const MOST_NUMBERS: usize = 1_000;

/// A file of claims and its text, for mistakes that show when it is held against something.
#[derive(Clone, Debug)]
pub struct Claims {
    /// What errors call the file.
    pub file: String,
    /// The text of the file.
    pub text: String,
    /// What the text says.
    pub said: ClaimsFile,
    /// The folder that experiments are looked for in.
    pub folder: PathBuf,
}

/// A quantity or a formula, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure(pub String);

impl Claims {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// If it cannot be read or is not a file of claims.
    pub fn read(path: &Path) -> Result<Claims, LoadError> {
        let bytes = load::read_json(path)?;
        let file = path.display().to_string();
        let mut claims = Claims::from_bytes(&file, &bytes)?;
        claims.folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(claims)
    }

    /// Reads a file of claims that is in memory.
    ///
    /// # Errors
    /// If it is not a file of claims.
    pub fn from_bytes(file: &str, bytes: &[u8]) -> Result<Claims, Error> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let said: ClaimsFile = diagnose::parse_bytes(file, bytes)?;
        let claims = Claims {
            file: file.to_owned(),
            text,
            said,
            folder: PathBuf::new(),
        };
        claims.checked().map_err(|refusal| claims.blame(refusal))?;
        Ok(claims)
    }

    /// A mistake in this file.
    pub(crate) fn blame(&self, refusal: Refusal) -> Error {
        refusal.error(&self.file, &self.text)
    }

    /// A mistake at a place of this file.
    pub fn wrong(&self, path: &[Seg], message: impl Into<String>) -> Error {
        Error::at(&self.file, &self.text, path, message)
    }

    fn checked(&self) -> Result<(), Refusal> {
        let ClaimsFile {
            format,
            numbers,
            experiments,
            claims,
            ..
        } = &self.said;
        if format != FORMAT {
            return Err(Refusal::unknown("format", format, &[FORMAT.to_owned()]).at("format"));
        }
        if numbers.len() > MOST_NUMBERS {
            return Err(Refusal::new(format!("{} numbers: at most {MOST_NUMBERS}", numbers.len())).at("numbers"));
        }
        for name in numbers.names() {
            formula::check_name(&name).map_err(|why| Refusal::new(why).at(name.as_str()).at("numbers"))?;
        }
        let names = experiments.names();
        let known = |found: &Found| match found {
            Found::Simulated(Simulated { experiment, .. }) if !names.contains(experiment) => {
                Err(Refusal::unknown("experiment", experiment, &names)
                    .at("experiment")
                    .at("simulated"))
            }
            Found::Simulated(_) | Found::Formula(_) | Found::Law(_) => Ok(()),
        };
        for (name, found) in numbers.iter() {
            known(found).map_err(|refusal| refusal.at(name).at("numbers"))?;
        }
        for (number, claim) in claims.iter().enumerate() {
            let at = |refusal: Refusal| refusal.at(number).at("claims");
            let figures = [&claim.published, &claim.at_most, &claim.at_least];
            if figures.into_iter().flatten().count() != 1 {
                let why = "must have one of `published`, `at_most` and `at_least`";
                return Err(at(Refusal::new(why)));
            }
            if let Some(found) = &claim.found {
                known(found).map_err(|refusal| at(refusal.at("found")))?;
            }
        }
        if claims.is_empty() {
            return Err(Refusal::new("no claims: at least one").at("claims"));
        }
        Ok(())
    }

    /// The claims with the table that each stands in.
    pub fn by_table(&self) -> impl Iterator<Item = (&str, &ClaimSpec)> {
        let mut table = "";
        self.said.claims.iter().map(move |claim| {
            table = claim.table.as_deref().unwrap_or(table);
            (table, claim)
        })
    }

    /// Every simulated figure and its place in the file.
    pub fn simulated(&self) -> Vec<(Vec<Seg>, &Simulated)> {
        let mut all = Vec::new();
        for (name, found) in self.said.numbers.iter() {
            if let Found::Simulated(simulated) = found {
                all.push((vec!["numbers".into(), name.into(), "simulated".into()], simulated));
            }
        }
        for (number, claim) in self.said.claims.iter().enumerate() {
            if let Some(Found::Simulated(simulated)) = &claim.found {
                let path = vec!["claims".into(), number.into(), "found".into(), "simulated".into()];
                all.push((path, simulated));
            }
        }
        all
    }
}

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Figure, D::Error> {
        deserializer.deserialize_any(Reader).and_then(|found| match found {
            Found::Formula(figure) => Ok(figure),
            Found::Simulated(_) | Found::Law(_) => Err(de::Error::custom(format_args!("an object, expected {FIGURE}"))),
        })
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl JsonSchema for Figure {
    fn schema_name() -> Cow<'static, str> {
        "Figure".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A quantity like \"$392000\", \"320ms\", \"1200/s\" or \"94%\", a number, or a formula like \"tokens * $2.80/Mtok\".",
            "type": ["number", "string"]
        })
    }
}

/// What [`Figure`] is, in messages.
const FIGURE: &str = "a number, a quantity or a formula, like \"tokens * $2.80/Mtok\"";

/// The forms of [`Found`] that are objects.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Object {
    /// A metric of an experiment.
    Simulated(Simulated),
    /// A statistic of a probability law.
    Law(OfLaw),
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FIGURE}, or an object with `simulated` or `law`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Found, E> {
        Ok(Found::Formula(Figure(text.to_owned())))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Found, E> {
        Ok(Found::Formula(Figure(number.to_string())))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Found, E> {
        Ok(Found::Formula(Figure(number.to_string())))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Found, E> {
        Ok(Found::Formula(Figure(number.to_string())))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Found, A::Error> {
        Ok(match Object::deserialize(MapAccessDeserializer::new(map))? {
            Object::Simulated(simulated) => Found::Simulated(simulated),
            Object::Law(law) => Found::Law(law),
        })
    }
}

impl<'de> Deserialize<'de> for Found {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

impl Serialize for Found {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Found::Formula(figure) => figure.serialize(serializer),
            Found::Simulated(simulated) => Object::Simulated(simulated.clone()).serialize(serializer),
            Found::Law(law) => Object::Law(law.clone()).serialize(serializer),
        }
    }
}

impl JsonSchema for Found {
    fn schema_name() -> Cow<'static, str> {
        "Found".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (figure, object) = (generator.subschema_for::<Figure>(), generator.subschema_for::<Object>());
        json_schema!({ "anyOf": [figure, object] })
    }
}

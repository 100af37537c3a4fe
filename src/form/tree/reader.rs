//! The deserialiser that takes types out of a tree: one for all of them, without type parameters.
//!
//! What a type asks for by name, it gets or is refused, so that its visitor is compiled for that alone; one that may be given anything is
//! compiled for eight kinds of values. A value left over in a list or an object is a mistake.

use std::slice;

use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::{Mistake, Tree};

#[derive(Clone, Copy)]
pub(super) struct Reader<'t>(pub(super) &'t Tree);

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Tree::Null => visitor.visit_unit(),
            Tree::Truth(truth) => visitor.visit_bool(*truth),
            Tree::Unsigned(number) => visitor.visit_u64(*number),
            Tree::Negative(number) => visitor.visit_i64(*number),
            Tree::Float(number) => visitor.visit_f64(*number),
            Tree::Text(text) => visitor.visit_str(text),
            Tree::List(items) => of_list(items, visitor),
            Tree::Object(members) => of_object(members, visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match self.0 {
            Tree::Object(members) => of_object(members, visitor),
            _ => Err(self.has_no_names(&visitor)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Tree::Object(members) => of_object(members, visitor),
            _ => Err(self.is_not(&visitor)),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Tree::List(items) => of_list(items, visitor),
            _ => Err(self.is_not(&visitor)),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Tree::Text(text) => visitor.visit_str(text),
            _ => Err(self.is_not(&visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Tree::Truth(truth) => visitor.visit_bool(*truth),
            _ => Err(self.is_not(&visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Tree::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let (chosen, beside) = self.chosen()?;
        let value = visitor.visit_enum(chosen)?;
        beside.map_or(Ok(()), Err).map(|()| value)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char bytes byte_buf unit unit_struct identifier
    }
}

/// What `visitor` makes of a list, all of it.
fn of_list<'de, V: Visitor<'de>>(items: &[Tree], visitor: V) -> Result<V::Value, Mistake> {
    let mut left = items.iter();
    let value = visitor.visit_seq(Items {
        left: &mut left,
        length: items.len(),
    })?;
    match left.len() {
        0 => Ok(value),
        more => Err(too_many(items.len() - more)),
    }
}

/// What `visitor` makes of an object, all of it.
fn of_object<'de, V: Visitor<'de>>(members: &[(String, Tree)], visitor: V) -> Result<V::Value, Mistake> {
    let mut left = members.iter();
    let value = visitor.visit_map(Members {
        left: &mut left,
        last: None,
    })?;
    match left.next() {
        None => Ok(value),
        Some((key, _)) => Err(<Mistake as de::Error>::custom("a member too many").of_key(key)),
    }
}

impl<'t> Reader<'t> {
    /// The refusal of a value that is of another kind.
    #[cold]
    fn is_not(self, expected: &dyn Expected) -> Mistake {
        let found = match self.0 {
            Tree::Null => Unexpected::Unit,
            Tree::Truth(truth) => Unexpected::Bool(*truth),
            Tree::Unsigned(number) => Unexpected::Unsigned(*number),
            Tree::Negative(number) => Unexpected::Signed(*number),
            Tree::Float(number) => Unexpected::Float(*number),
            Tree::Text(text) => Unexpected::Str(text),
            Tree::List(_) => Unexpected::Seq,
            Tree::Object(_) => Unexpected::Map,
        };
        de::Error::invalid_type(found, expected)
    }

    /// The refusal of what is not an object with fields.
    #[cold]
    fn has_no_names(self, expected: &dyn Expected) -> Mistake {
        match self.0 {
            Tree::List(_) => de::Error::custom("invalid type: a list, expected an object with the names of its fields"),
            _ => self.is_not(expected),
        }
    }

    /// The variant that is named, and the refusal of a second name beside it.
    fn chosen(self) -> Result<(Variant<'t>, Option<Mistake>), Mistake> {
        match self.0 {
            Tree::Text(name) => Ok((Variant { name, value: None }, None)),
            Tree::Object(members) => {
                let Some((name, value)) = members.first() else {
                    return Err(de::Error::custom("an object without a name"));
                };
                let beside = members.get(1).map(|(other, _)| {
                    let error = format!("`{other}` stands beside `{name}`: give one name only");
                    <Mistake as de::Error>::custom(error).of_key(other)
                });
                let value = Some(value);
                Ok((Variant { name, value }, beside))
            }
            _ => Err(de::Error::custom(
                "expected a name, or an object with one name and its parameters",
            )),
        }
    }
}

/// The refusal of the value at `index` of a list that has more than its type.
#[cold]
fn too_many(index: usize) -> Mistake {
    <Mistake as de::Error>::custom("the list has too many values").under_index(index)
}

/// The values of a list that are still to be read.
struct Items<'a, 't> {
    left: &'a mut slice::Iter<'t, Tree>,
    length: usize,
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Mistake;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Mistake> {
        let index = self.length - self.left.len();
        let Some(item) = self.left.next() else { return Ok(None) };
        match seed.deserialize(Reader(item)) {
            Ok(value) => Ok(Some(value)),
            Err(mistake) => Err(mistake.under_index(index)),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// The members of an object that are still to be read, and the one whose key was.
struct Members<'a, 't> {
    left: &'a mut slice::Iter<'t, (String, Tree)>,
    last: Option<&'t (String, Tree)>,
}

impl<'de> MapAccess<'de> for Members<'_, '_> {
    type Error = Mistake;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Mistake> {
        self.last = self.left.next();
        let Some((key, _)) = self.last else { return Ok(None) };
        match seed.deserialize(Key(key)) {
            Ok(value) => Ok(Some(value)),
            Err(mistake) => Err(mistake.of_key(key)),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Mistake> {
        let Some((key, value)) = self.last else {
            return Err(de::Error::custom("a value without a key"));
        };
        seed.deserialize(Reader(value))
            .map_err(|mistake| mistake.under_key(key))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// A key, or the name of a variant.
#[derive(Clone, Copy)]
struct Key<'t>(&'t str);

impl<'de> Deserializer<'de> for Key<'_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_enum(Variant {
            name: self.0,
            value: None,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        struct identifier ignored_any
    }
}

/// A variant: its name, and its value in the object form.
struct Variant<'t> {
    name: &'t str,
    value: Option<&'t Tree>,
}

impl Variant<'_> {
    fn value(&self, form: &str) -> Result<Reader<'_>, Mistake> {
        let bare = || <Mistake as de::Error>::invalid_type(Unexpected::UnitVariant, &form).under_key(self.name);
        self.value.map(Reader).ok_or_else(bare)
    }
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Mistake;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Mistake> {
        seed.deserialize(Key(self.name)).map(|value| (value, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Mistake;

    fn unit_variant(self) -> Result<(), Mistake> {
        let nothing = self.value.map_or(Ok(()), |tree| <()>::deserialize(Reader(tree)));
        nothing.map_err(|mistake| mistake.under_key(self.name))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Mistake> {
        seed.deserialize(self.value("newtype variant")?)
            .map_err(|mistake| mistake.under_key(self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mistake> {
        let value = self.value("tuple variant")?.deserialize_seq(visitor);
        value.map_err(|mistake| mistake.under_key(self.name))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Mistake> {
        let value = self.value("struct variant")?.deserialize_struct("", fields, visitor);
        value.map_err(|mistake| mistake.under_key(self.name))
    }
}

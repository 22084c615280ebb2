//! Shapes that take any JSON: what is not of the kind expected counts as absent, and never fails a record.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A text; the empty one counts as absent.
#[derive(Clone, Debug, Default)]
pub(super) struct Text<'a>(Option<Cow<'a, str>>);

/// A boolean, which CloudTrail writes as one or as a string.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Truth(pub(super) Option<bool>);

/// An object, or its default where there is none.
#[derive(Clone, Debug, Default)]
pub(super) struct Part<T>(pub(super) T);

/// A list of objects.
#[derive(Clone, Debug)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl Text<'_> {
    pub(super) fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// Says that any value will do.
fn expecting(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("any JSON value")
}

/// What a visitor makes of the kinds of values that it has no use for.
macro_rules! absent {
    (scalars) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        absent!(numbers);
        absent!(texts);
    };
    (texts) => {
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
    };
    (numbers) => {
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
    };
    (list) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
    (object) => {
        fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
            while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                expecting(f)
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text((!text.is_empty()).then_some(Cow::Borrowed(text))))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text((!text.is_empty()).then(|| Cow::Owned(text.to_owned()))))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Text<'de>, E> {
                Ok(Text(None))
            }
            absent!(numbers);
            absent!(list);
            absent!(object);
        }
        deserializer.deserialize_any(Texts)
    }
}

impl<'de> Deserialize<'de> for Truth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Truths;
        impl<'de> Visitor<'de> for Truths {
            type Value = Truth;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                expecting(f)
            }
            fn visit_bool<E>(self, truth: bool) -> Result<Truth, E> {
                Ok(Truth(Some(truth)))
            }
            fn visit_str<E>(self, word: &str) -> Result<Truth, E> {
                Ok(Truth(match word {
                    _ if word.eq_ignore_ascii_case("true") => Some(true),
                    _ if word.eq_ignore_ascii_case("false") => Some(false),
                    _ => None,
                }))
            }
            absent!(numbers);
            absent!(list);
            absent!(object);
        }
        deserializer.deserialize_any(Truths)
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Part<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Objects<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for Objects<T> {
            type Value = Part<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                expecting(f)
            }
            fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Part<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(object)).map(Part)
            }
            absent!(scalars);
            absent!(list);
        }
        deserializer.deserialize_any(Objects(PhantomData))
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lists<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for Lists<T> {
            type Value = List<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                expecting(f)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<List<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(Part(item)) = list.next_element::<Part<T>>()? {
                    items.push(item);
                }
                Ok(List(items))
            }
            absent!(scalars);
            absent!(object);
        }
        deserializer.deserialize_any(Lists(PhantomData))
    }
}

//! Fields that are one word or a map, such as `plugin: routed` or `plugin: { name: …, manifest: … }`.
//!
//! Untagged enums would do the same with errors that say only "did not match any variant".

/// Gives an enum of words and one map its serde and JSON Schema forms.
macro_rules! word_or_map {
    ($type:ident, $map:ident, $expected:literal, { $($schema:tt)* }, {
        read: $read:expr,
        custom: $custom:expr,
        write: $write:expr,
    }) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct WordOrMap;

                impl<'de> serde::de::Visitor<'de> for WordOrMap {
                    type Value = $type;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        formatter.write_str($expected)
                    }

                    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<$type, E> {
                        let read: fn(&str) -> Option<$type> = $read;
                        read(word).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(word), &self))
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<$type, A::Error> {
                        let map = serde::de::value::MapAccessDeserializer::new(map);
                        <$map as serde::Deserialize>::deserialize(map).map($custom)
                    }
                }

                deserializer.deserialize_any(WordOrMap)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let write: fn(&$type) -> Result<&$map, &str> = $write;
                match write(self) {
                    Ok(map) => serde::Serialize::serialize(map, serializer),
                    Err(word) => serializer.serialize_str(word),
                }
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let map = generator.subschema_for::<$map>();
                schemars::json_schema!({
                    "anyOf": [{ "type": "string", $($schema)* }, map],
                })
            }
        }
    };
}
pub(super) use word_or_map;

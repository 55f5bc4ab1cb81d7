//! JSON objects that are nothing but objects.

/// Lets a struct that derives `Deserialize` with `remote = "Self"` be read from a JSON object only. By itself it would take
/// an array of its fields as well, and no other reader of manifests does.
macro_rules! only_from_an_object {
    ($($name:ident),*) => {$(
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields;

                impl<'de> serde::de::Visitor<'de> for Fields {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, fields: A) -> Result<$name, A::Error> {
                        // The function of the struct that was derived, not this one of the trait.
                        $name::deserialize(serde::de::value::MapAccessDeserializer::new(fields))
                    }
                }

                deserializer.deserialize_map(Fields)
            }
        }
    )*};
}
pub(super) use only_from_an_object;

//! A pair of the encryption context as it is typed: `K=V`.

use std::str::FromStr;

use envelope::context::EncryptionContext;

/// One `--context K=V`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContextPair {
    key: String,
    value: String,
}

impl FromStr for ContextPair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((key, value)) = text.split_once('=') else {
            return Err("write it as K=V".to_owned());
        };
        // The rules of the context (lengths, reserved names) are its own.
        EncryptionContext::new()
            .insert(key, value)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            key: key.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// Puts the pairs together; a key that is given twice is refused, never silently chosen from.
pub(crate) fn gather(pairs: &[ContextPair]) -> Result<EncryptionContext, String> {
    let mut context = EncryptionContext::new();
    for pair in pairs {
        context
            .insert(&pair.key, &pair.value)
            .map_err(|error| error.to_string())?;
    }
    Ok(context)
}

//! A request as an approver reads it: every field that it sets, by the contract's own description,
//! so that none can be forgotten here.

use prost_reflect::{DescriptorPool, DynamicMessage, MapKey, Value};

use crate::error::Error;
use crate::reason::Reason;

/// The fields of an encoded request, a line each; texts of several lines are indented.
///
/// # Errors
/// When this version does not know the message, or a field of it: nobody approves half a request.
pub(super) fn lines(message: &str, request: &[u8]) -> Result<Vec<String>, Error> {
    let unknown = || {
        let message = "this version does not know the whole request: approve with a newer one";
        Error::new(Reason::VersionNewer, message)
    };
    let pool = DescriptorPool::decode(ward_proto::DESCRIPTORS).map_err(|_| unknown())?;
    let name = format!("ward.admin.v1.{message}");
    let kind = pool.get_message_by_name(&name).ok_or_else(unknown)?;
    let message = DynamicMessage::decode(kind, request).map_err(|_| unknown())?;
    let mut all = Vec::new();
    match put_message(&mut all, "", &message) {
        true => Ok(all),
        false => Err(unknown()),
    }
}

/// Whether every field is known.
fn put_message(all: &mut Vec<String>, path: &str, message: &DynamicMessage) -> bool {
    let mut known = message.unknown_fields().next().is_none();
    let mut fields: Vec<_> = message.fields().collect();
    fields.sort_by_key(|(field, _)| field.number());
    for (field, value) in fields {
        let path = match path {
            "" => field.name().to_owned(),
            path => format!("{path}.{}", field.name()),
        };
        known &= put_value(all, &path, value, field.kind().as_enum());
    }
    known
}

fn put_value(
    all: &mut Vec<String>,
    path: &str,
    value: &Value,
    named: Option<&prost_reflect::EnumDescriptor>,
) -> bool {
    match value {
        Value::Message(message) => put_message(all, path, message),
        Value::List(values) => values
            .iter()
            .enumerate()
            .fold(true, |known, (number, value)| {
                put_value(all, &format!("{path}[{number}]"), value, named) && known
            }),
        Value::Map(pairs) => {
            let mut pairs: Vec<_> = pairs.iter().collect();
            pairs.sort_by_key(|(key, _)| key_text(key));
            pairs.into_iter().fold(true, |known, (key, value)| {
                put_value(all, &format!("{path}[{}]", key_text(key)), value, named) && known
            })
        }
        Value::String(text) if text.contains('\n') => {
            all.push(format!("{path}:"));
            all.extend(text.lines().map(|line| format!("  | {}", visible(line))));
            true
        }
        Value::String(text) => put(all, path, &visible(text)),
        Value::Bytes(bytes) => put(all, path, &hex::encode(bytes)),
        Value::EnumNumber(number) => {
            let value = named.and_then(|kind| kind.get_value(*number));
            let name = value.as_ref().map(|value| value.name().to_owned());
            put(all, path, &name.unwrap_or_else(|| number.to_string())) && value.is_some()
        }
        Value::Bool(value) => put(all, path, &value.to_string()),
        Value::I32(value) => put(all, path, &value.to_string()),
        Value::I64(value) => put(all, path, &value.to_string()),
        Value::U32(value) => put(all, path, &value.to_string()),
        Value::U64(value) => put(all, path, &value.to_string()),
        Value::F32(value) => put(all, path, &value.to_string()),
        Value::F64(value) => put(all, path, &value.to_string()),
    }
}

fn put(all: &mut Vec<String>, path: &str, value: &str) -> bool {
    all.push(format!("{path}: {value}"));
    true
}

fn key_text(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => visible(key),
    }
}

/// What would move the cursor, hide or turn text on a terminal is shown as its number.
fn visible(text: &str) -> String {
    let turns = |it: char| {
        let kinds = [
            '\u{200b}'..='\u{200f}',
            '\u{202a}'..='\u{202e}',
            '\u{2060}'..='\u{2069}',
        ];
        kinds.iter().any(|kind| kind.contains(&it)) || it == '\u{feff}'
    };
    let hidden = |it: char| it.is_control() || turns(it);
    let shown = text.chars().map(|it| match hidden(it) {
        true => it.escape_unicode().to_string(),
        false => it.to_string(),
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use ward_proto::admin::v1::{PutPolicyRequest, PutQuotaRequest, QuotaClass, QuotaLimit};

    use super::*;
    use prost::Message;

    #[test]
    fn every_field_is_shown_and_nothing_is_hidden() {
        let request = PutPolicyRequest {
            policy_id: "lab\u{1b}[2K".to_owned(),
            text: "// harmless\rpermit\nforbid \u{202e}x".to_owned(),
            write: None,
            ttl_ms: 0,
        };
        let shown = lines("PutPolicyRequest", &request.encode_to_vec()).unwrap();
        assert_eq!(
            shown,
            [
                "policy_id: lab\\u{1b}[2K",
                "text:",
                "  | // harmless\\u{d}permit",
                "  | forbid \\u{202e}x",
            ]
        );
        let request = PutQuotaRequest {
            role: "app".to_owned(),
            id: String::new(),
            limits: vec![QuotaLimit {
                class: QuotaClass::Opens.into(),
                amount: 7,
                window_s: 60,
            }],
            write: None,
        };
        let shown = lines("PutQuotaRequest", &request.encode_to_vec()).unwrap();
        let limit = ["class: QUOTA_CLASS_OPENS", "amount: 7", "window_s: 60"];
        assert_eq!(shown[0], "role: app");
        assert_eq!(shown[1..], limit.map(|field| format!("limits[0].{field}")));
    }

    #[test]
    fn a_request_of_a_newer_version_is_not_shown_by_half() {
        assert!(lines("NeverHeardOfRequest", &[]).is_err());
        // Field 99, a varint, beside the known ones.
        let mut request = PutPolicyRequest::default().encode_to_vec();
        request.extend([0x98, 0x06, 0x01]);
        assert!(lines("PutPolicyRequest", &request).is_err());
        assert!(lines("PutPolicyRequest", &[0xff]).is_err());
    }
}

//! `ward policy grant`: a permission that ends by itself, as a policy like any other.

use kms_client::Client;
use kms_client::identity::Role;
use kms_client::model::Policy;

use crate::cli::GrantArguments;
use crate::error::{Failure, Reason};

/// Puts the policy, and answers it.
pub(super) async fn run(client: &Client, arguments: GrantArguments) -> Result<Policy, Failure> {
    let id = match &arguments.id {
        Some(id) => id.clone(),
        None => format!("grant-{}-{}", arguments.to.role, arguments.to.id),
    };
    let text = text(&id, &arguments)?;
    let put = client.put_ending_policy(&id, &text, arguments.life);
    Ok(put.await?)
}

/// The policy in Cedar.
fn text(id: &str, grant: &GrantArguments) -> Result<String, Failure> {
    let kind = match grant.to.role {
        Role::Node => "Node",
        Role::Gateway => "Gateway",
        Role::Device => "Device",
        Role::App => "App",
        Role::Operator => "Operator",
    };
    let named = grant.action.iter().map(|action| {
        let known = !action.is_empty() && action.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let unknown = || {
            let sentence = "an action is a word as `ward policy schema` has it, such as Decrypt";
            Failure::new(Reason::INVALID_ARGUMENT, sentence)
        };
        known
            .then(|| format!("Ward::Action::{}", quoted(action)))
            .ok_or_else(unknown)
    });
    let actions = named.collect::<Result<Vec<_>, _>>()?.join(", ");
    let resource = match &grant.key {
        Some(name) => format!("resource == Ward::Key::{}", quoted(name)),
        None => "resource".to_owned(),
    };
    let pairs = grant.context.iter().map(|(key, value)| {
        let (key, value) = (quoted(key), quoted(value));
        format!("context.encryption.hasTag({key}) && context.encryption.getTag({key}) == {value}")
    });
    let pairs: Vec<_> = pairs.collect();
    let condition = match pairs.is_empty() {
        true => String::new(),
        false => format!(" when {{\n  {}\n}}", pairs.join(" &&\n  ")),
    };
    Ok(format!(
        "@id({})\npermit (\n  principal == Ward::{kind}::{},\n  action in [{actions}],\n  \
         {resource}\n){condition};\n",
        quoted(id),
        quoted(&grant.to.id),
    ))
}

/// A string as Cedar writes it.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|it| match it {
        '"' | '\\' => format!("\\{it}"),
        it if it.is_control() => it.escape_unicode().to_string(),
        it => it.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kms_server::policy::{PolicySet, PolicyText};

    use super::*;
    use crate::cli::Asker;

    fn grant(key: Option<&str>, context: &[(&str, &str)]) -> GrantArguments {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        GrantArguments {
            to: Asker {
                role: Role::App,
                id: "portal".to_owned(),
            },
            action: vec!["Decrypt".to_owned(), "UnwrapDataKey".to_owned()],
            key: key.map(str::to_owned),
            context: context.iter().map(pair).collect(),
            life: Duration::from_secs(60),
            id: None,
        }
    }

    #[test]
    fn what_is_granted_is_a_policy_that_fits_the_schema() {
        for grant in [
            grant(Some("device/mon-1"), &[]),
            grant(
                Some("lab"),
                &[("study", "7"), ("a \"quoted\" \\ pair", "\u{1b}")],
            ),
            grant(None, &[("study", "7")]),
        ] {
            let text = text("grant-app-portal", &grant).unwrap();
            let name = "grant-app-portal";
            let text = PolicyText { name, text: &text };
            PolicySet::with(&[text], 1).unwrap();
        }
    }

    #[test]
    fn an_action_cannot_end_the_policy_and_begin_another() {
        let mut grant = grant(None, &[]);
        grant.action = vec!["Decrypt\"], resource); permit(principal, action".to_owned()];
        assert!(text("grant-app-portal", &grant).is_err());
    }
}

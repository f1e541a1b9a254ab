//! A set of policies that has been parsed, named and validated against the schema.
//! The engine decides with one; `PutPolicy` validates with one before it proposes.

use std::collections::HashMap;
use std::str::FromStr;

use cedar_policy::{PolicyId, Schema, ValidationMode, Validator};
use miette::Diagnostic;

use super::Action;
use super::shape::{self, TooComplex};
use crate::state::{FORMAT_FIRST, FORMAT_VERSION};

/// A policy file: one or more policies, each with an `@id("…")`.
#[derive(Clone, Copy, Debug)]
pub struct PolicyText<'a> {
    /// What errors call it.
    pub name: &'a str,
    /// Cedar.
    pub text: &'a str,
}

/// Policies that are safe to decide with, and the epoch they belong to.
pub struct PolicySet {
    pub(super) policies: cedar_policy::PolicySet,
    pub(super) schema: Schema,
    pub(super) epoch: u64,
    /// Whether a policy looks at the clock, so that a decision does not hold for ever.
    pub(super) timed: bool,
}

impl PolicySet {
    /// The built-in policies alone.
    ///
    /// # Errors
    /// As [`with`](Self::with); a test shows that the built-in ones never fail.
    pub fn built_in(epoch: u64) -> Result<Self, PolicyError> {
        Self::with(&[], epoch)
    }

    /// The built-in policies and `added`, which belong to the state's policy `epoch`.
    ///
    /// # Errors
    /// A text that does not parse, a policy without a unique id, or one that does not fit the
    /// schema. Nothing of a faulty set is used.
    pub fn with(added: &[PolicyText<'_>], epoch: u64) -> Result<Self, PolicyError> {
        Self::build(added, epoch, Added::New)
    }

    /// As [`with`](Self::with), of policies that were accepted before: what only another version of
    /// the schema or of Cedar warns of must lock nobody out, nor must a name.
    ///
    /// # Errors
    /// As [`with`](Self::with), warnings and reserved names apart.
    pub fn stored(added: &[PolicyText<'_>], epoch: u64) -> Result<Self, PolicyError> {
        Self::build(added, epoch, Added::Stored)
    }

    /// As [`stored`](Self::stored), with one that is put and must give no reason for a warning: it
    /// may replace one that does.
    ///
    /// # Errors
    /// As [`with`](Self::with).
    pub fn put(
        new: PolicyText<'_>,
        stored: &[PolicyText<'_>],
        epoch: u64,
    ) -> Result<Self, PolicyError> {
        Self::with(&[new], epoch)?;
        Self::stored(&[stored, &[new]].concat(), epoch)
    }

    fn build(added: &[PolicyText<'_>], epoch: u64, kind: Added) -> Result<Self, PolicyError> {
        let schema = schema(FORMAT_VERSION)?;
        let mut policies = cedar_policy::PolicySet::new();
        let mut origins = HashMap::new();
        for text in &BUILT_IN {
            add(&mut policies, &mut origins, text, None)?;
        }
        let reserved = match kind {
            Added::New => Some(BUILT_IN_PREFIX),
            Added::Stored => None,
        };
        for text in added {
            add(&mut policies, &mut origins, text, reserved)?;
        }
        let result = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        // A warning means a policy that can never hold, or characters that mislead a reader:
        // either way it does not say what its author meant.
        let errors = result
            .validation_errors()
            .map(|error| (error.policy_id(), error as &dyn Diagnostic));
        let told = match kind {
            Added::New => Some(result.validation_warnings()),
            Added::Stored => None,
        };
        let warnings = told
            .into_iter()
            .flatten()
            .map(|warning| (warning.policy_id(), warning as &dyn Diagnostic));
        if let Some((id, finding)) = errors.chain(warnings).next() {
            let detail = match origins.get(id) {
                Some(text) => format!("{} {}", text.name, located(finding, text.text)),
                None => finding.to_string(),
            };
            return Err(PolicyError::Schema { detail });
        }
        let timed = policies.policies().any(looks_at_the_clock);
        Ok(Self {
            policies,
            schema,
            epoch,
            timed,
        })
    }

    /// The format of the state that the added policies need: the newest that brought an action
    /// which they name, or of which the schema has something that they speak about. A member that
    /// does not know it cannot read the policy, and permits nothing then.
    ///
    /// # Errors
    /// As [`with`](Self::with); a test shows that Ward's own schemas never fail.
    pub fn format(&self) -> Result<u32, PolicyError> {
        let mut added = cedar_policy::PolicySet::new();
        let mut format = FORMAT_FIRST;
        for policy in self.policies.policies() {
            let id: &str = policy.id().as_ref();
            if id.starts_with(BUILT_IN_PREFIX) {
                continue;
            }
            let named = policy.entity_literals().into_iter();
            let ids = named.filter(|uid| uid.type_name().basename() == "Action");
            let formats = ids.filter_map(|uid| Action::named(uid.id().unescaped()));
            format = formats.map(Action::format).fold(format, u32::max);
            if looks_at_labels(policy) {
                format = format.max(LABELS_SINCE);
            }
            added
                .add(policy.clone())
                .map_err(|error| PolicyError::Schema {
                    detail: error.to_string(),
                })?;
        }
        while format < FORMAT_VERSION {
            let validator = Validator::new(schema(format)?);
            let result = validator.validate(&added, ValidationMode::Strict);
            if result.validation_errors().next().is_none() {
                break;
            }
            format += 1;
        }
        Ok(format)
    }

    /// How many policies there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.policies.policies().count()
    }

    /// Whether there are none, so that everything is denied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What is checked of added policies beyond that one can decide with them.
#[derive(Clone, Copy)]
enum Added {
    /// Warnings and names too.
    New,
    /// Nothing.
    Stored,
}

/// Why policies were not accepted.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Not Cedar.
    #[error("policy file {name} does not parse: {detail}")]
    Syntax {
        /// The file.
        name: String,
        /// Where and what.
        detail: String,
    },
    /// More than the parser's stack is sure to hold.
    #[error("policy file {name}: {error}")]
    TooComplex {
        /// The file.
        name: String,
        /// What is too much.
        error: TooComplex,
    },
    /// A policy that could not be named in an audit record.
    #[error("a policy in {name} has no @id(\"…\"); give it one")]
    Unnamed {
        /// The file.
        name: String,
    },
    /// Two policies of one name.
    #[error("policy id {id} in {name} is taken; choose another")]
    Taken {
        /// The file.
        name: String,
        /// The id.
        id: String,
    },
    /// A name of the built-in policies.
    #[error(
        "policy id {id} in {name} begins with {BUILT_IN_PREFIX}, as Ward's own; choose another"
    )]
    Reserved {
        /// The file.
        name: String,
        /// The id.
        id: String,
    },
    /// Templates would need links, which nothing stores.
    #[error("{name} contains a policy template; write the policy out")]
    Template {
        /// The file.
        name: String,
    },
    /// Speaks of what there is not.
    #[error("a policy does not fit the schema: {detail}")]
    Schema {
        /// Which and why.
        detail: String,
    },
}

/// Parses `text` and adds its policies under the names they give themselves, which do not begin
/// with `reserved`.
fn add<'a>(
    into: &mut cedar_policy::PolicySet,
    origins: &mut HashMap<PolicyId, PolicyText<'a>>,
    text: &PolicyText<'a>,
    reserved: Option<&str>,
) -> Result<(), PolicyError> {
    let name = || text.name.to_owned();
    shape::check(text.text).map_err(|error| PolicyError::TooComplex {
        name: name(),
        error,
    })?;
    let parsed =
        cedar_policy::PolicySet::from_str(text.text).map_err(|error| PolicyError::Syntax {
            name: name(),
            detail: located(&error, text.text),
        })?;
    if parsed.templates().next().is_some() {
        return Err(PolicyError::Template { name: name() });
    }
    for policy in parsed.policies() {
        let Some(id) = policy.annotation("id").filter(|id| !id.is_empty()) else {
            return Err(PolicyError::Unnamed { name: name() });
        };
        if reserved.is_some_and(|prefix| id.starts_with(prefix)) {
            return Err(PolicyError::Reserved {
                name: name(),
                id: id.to_owned(),
            });
        }
        origins.entry(PolicyId::new(id)).or_insert(*text);
        into.add(policy.new_id(PolicyId::new(id)))
            .map_err(|_| PolicyError::Taken {
                name: name(),
                id: id.to_owned(),
            })?;
    }
    Ok(())
}

/// The error with the line of `text` that it is about, on one line.
fn located(error: &dyn Diagnostic, text: &str) -> String {
    let label = error.labels().and_then(|mut labels| labels.next());
    let at = label.and_then(|label| text.get(..label.offset()));
    let line = at.map_or(String::new(), |before| {
        format!("line {}: ", before.matches('\n').count() + 1)
    });
    let help = error.help();
    let help = help.map_or(String::new(), |help| format!(" ({help})"));
    let words = format!("{line}{error}{help}");
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a policy has the word by which the schema calls the clock, wherever it has it.
fn looks_at_the_clock(policy: &cedar_policy::Policy) -> bool {
    let json = policy.to_json().map(|json| json.to_string());
    json.map_or(true, |json| json.contains("\"now\""))
}

/// Whether a policy asks anything but the encryption context for a tag. To a member that does not
/// know labels that is no error: it would go on without what they decide.
fn looks_at_labels(policy: &cedar_policy::Policy) -> bool {
    fn asks(json: &serde_json::Value) -> bool {
        let mut fields = json.as_object().into_iter().flatten();
        let mut values = json.as_array().into_iter().flatten();
        fields.any(|(name, value)| {
            let asks_tag = ["hasTag", "getTag"].contains(&name.as_str());
            (asks_tag && value["left"] != context_encryption()) || asks(value)
        }) || values.any(asks)
    }
    policy.to_json().map_or(true, |json| asks(&json))
}

/// `context.encryption`, as Cedar's JSON has it.
fn context_encryption() -> serde_json::Value {
    serde_json::json!({ ".": { "left": { "Var": "context" }, "attr": "encryption" } })
}

/// The format of the state from which on keys have tags in policies.
const LABELS_SINCE: u32 = 4;

/// The schema as a member of this format has it, but for actions, which tell it themselves.
fn schema(format: u32) -> Result<Schema, PolicyError> {
    let known = |line: &&str| match line.split_once(SINCE) {
        Some((_, since)) => since.trim().parse().is_ok_and(|since: u32| since <= format),
        None => true,
    };
    let text: Vec<_> = SCHEMA.lines().filter(known).collect();
    let (schema, warnings) =
        Schema::from_cedarschema_str(&text.join("\n")).map_err(|error| PolicyError::Schema {
            detail: error.to_string(),
        })?;
    // Warnings concern names that shadow Cedar's own; there are none, and a test says so.
    drop(warnings);
    Ok(schema)
}

/// What policies can speak about, in Cedar's schema language.
pub const SCHEMA: &str = include_str!("ward.cedarschema");

/// Ends a line of the schema that a later format brought, before its number.
const SINCE: &str = "// since ";

/// The built-in policies, as Cedar.
#[must_use]
pub fn built_in_text() -> String {
    BUILT_IN.map(|file| file.text).join("\n")
}

/// How the ids of built-in policies begin, and no others: a version that brings one more never
/// meets a stored policy of its name, which would lock everybody out.
const BUILT_IN_PREFIX: &str = "ward:";

const BUILT_IN: [PolicyText<'static>; 4] = [
    PolicyText {
        name: "operator.cedar",
        text: include_str!("builtin/operator.cedar"),
    },
    PolicyText {
        name: "gateway.cedar",
        text: include_str!("builtin/gateway.cedar"),
    },
    PolicyText {
        name: "app.cedar",
        text: include_str!("builtin/app.cedar"),
    },
    PolicyText {
        name: "everyone.cedar",
        text: include_str!("builtin/everyone.cedar"),
    },
];

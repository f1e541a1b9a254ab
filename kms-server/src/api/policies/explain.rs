//! ExplainDecision: how a request would be decided, and by which policies. Nothing is done.

use envelope::context::EncryptionContext;
use kms_client::identity::Role;
use ward_proto::admin::v1::explain_decision_request::Resource as Named;
use ward_proto::admin::v1::{
    Decision, ExplainDecisionRequest, ExplainDecisionResponse, PolicyDraft,
};

use super::put::check_form;
use super::read::permit;
use crate::api::call::Call;
use crate::api::convert::{self, check_id};
use crate::api::devices::resource::{self, DeviceResource};
use crate::api::failure::Failure;
use crate::api::key_ref::FoundKey;
use crate::api::principal;
use crate::command::is_key_name;
use crate::node::policies::{refresh, with_text};
use crate::policy::{
    Action, Circumstances, DeniedBecause, Engine, Facts, Principal, Request, Resource,
};

/// Serves ExplainDecision.
pub(crate) async fn explain(
    call: &Call,
    request: ExplainDecisionRequest,
) -> Result<ExplainDecisionResponse, Failure> {
    permit(call, "ExplainDecision", "cluster").await?;
    let applied = convert::applied(call.node.replica.applied_index());
    let draft = request.draft.clone();
    let question = Question::read(call, request)?;
    let (decision, policies) = match draft {
        Some(draft) => told(&drafted(call, &draft)?, &question.request()),
        None => {
            refresh(&call.node)?;
            told(&call.node.policies, &question.request())
        }
    };
    Ok(ExplainDecisionResponse {
        decision: decision.into(),
        policies,
        applied,
    })
}

/// Decides as if the draft were in force.
fn drafted(call: &Call, draft: &PolicyDraft) -> Result<Engine, Failure> {
    check_form(&draft.policy_id, &draft.text)?;
    let set = with_text(&call.node, &draft.policy_id, &draft.text)?;
    Ok(Engine::new(set))
}

fn told(engine: &Engine, request: &Request<'_>) -> (Decision, Vec<String>) {
    match engine.authorize(request) {
        Ok(authorized) => (Decision::Allowed, authorized.policies().to_vec()),
        Err(denied) if engine.would_permit_approved(request) => {
            (Decision::ApprovalRequired, denied.policies.to_vec())
        }
        Err(denied) => {
            let decision = match denied.because {
                DeniedBecause::NoPolicy => Decision::NotPermitted,
                DeniedBecause::Forbidden => Decision::Forbidden,
                DeniedBecause::Evaluation => Decision::NotEvaluated,
                DeniedBecause::Impossible => Decision::Impossible,
            };
            (decision, denied.policies.to_vec())
        }
    }
}

/// What somebody might ask for, as it would be asked now.
struct Question {
    principal: Principal,
    action: Action,
    on: On,
    context: EncryptionContext,
    count: u32,
    invited: Option<Role>,
    circumstances: Circumstances,
}

/// What it would be done to.
enum On {
    Cluster,
    /// A key that there is.
    Key(FoundKey),
    /// A key that is to be made.
    NoKey(String),
    Device(DeviceResource),
}

impl Question {
    /// # Errors
    /// INVALID_ARGUMENT for what no request could say.
    fn read(call: &Call, request: ExplainDecisionRequest) -> Result<Self, Failure> {
        let role = parse_role(&request.role)?;
        check_id(&request.id)?;
        let action = Action::named(&request.action).ok_or_else(|| {
            let message = "no such action; the schema names all that there are, such as Decrypt";
            Failure::invalid(message)
        })?;
        let on = match request.resource {
            None => On::Cluster,
            Some(Named::DeviceId(id)) => {
                check_id(&id)?;
                On::Device(resource::of(call, &id))
            }
            Some(Named::KeyName(name)) => key(call, name)?,
        };
        let invited = Some(request.invited_role).filter(|role| !role.is_empty());
        Ok(Self {
            principal: principal::named(&call.node, role.into(), &request.id),
            action,
            on,
            context: convert::context(request.context)?,
            count: request.count.max(1),
            circumstances: Circumstances {
                approved: request.approved,
                now_ms: match request.now_ms {
                    0 => sys::clock::wall_ms(),
                    asked => asked,
                },
            },
            invited: invited.map(|role| parse_role(&role)).transpose()?,
        })
    }

    /// For the engine.
    fn request(&self) -> Request<'_> {
        let resource = match &self.on {
            On::Cluster => Resource::Cluster,
            On::Key(key) => key.resource(),
            On::NoKey(name) => Resource::key(name),
            On::Device(device) => device.as_resource(),
        };
        let facts = match self.invited {
            Some(role) => Facts::Invite {
                role: role.as_str(),
            },
            None if self.action.has_context() => Facts::Use {
                encryption: &self.context,
                count: self.count,
            },
            None => Facts::None,
        };
        Request {
            principal: &self.principal,
            action: self.action,
            resource,
            facts,
            circumstances: self.circumstances,
        }
    }
}

fn parse_role(role: &str) -> Result<Role, Failure> {
    role.parse()
        .map_err(|_| Failure::invalid("a role is node, gateway, device, app or operator"))
}

/// The key of a name or an alias, whether or not it exists.
fn key(call: &Call, name: String) -> Result<On, Failure> {
    let found = call.node.replica.read(|index| {
        let key = index.key_by_name_or_alias(&name)?;
        FoundKey::of_primary(index, key)
    });
    match found {
        Some(key) => Ok(On::Key(key)),
        None if is_key_name(&name) => Ok(On::NoKey(name)),
        None => Err(Failure::invalid(
            "a key's name has 1 to 128 letters, digits and `/ - . _`",
        )),
    }
}

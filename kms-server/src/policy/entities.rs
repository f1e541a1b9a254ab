//! Turns a [`Request`] into Cedar's terms. Only the engine calls it.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::LazyLock;

use cedar_policy::RestrictedExpression as Expression;
use cedar_policy::{Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Schema};

use super::request::{Circumstances, Facts, PrincipalKind, Request, Resource, app_of_key};
use super::{DeniedBecause, DeviceRef, Principal};

/// A question in Cedar's terms.
pub(super) struct Question {
    pub(super) request: cedar_policy::Request,
    pub(super) entities: Entities,
}

impl Question {
    /// Builds the question; the schema refuses what no policy could ever permit.
    pub(super) fn new(request: &Request<'_>, schema: &Schema) -> Result<Self, DeniedBecause> {
        let mut known = vec![principal_entity(request.principal)?];
        let resource = resource_entities(&request.resource, &mut known)?;
        let context = context(request, &mut known)?;
        let principal = uid(
            principal_type(request.principal.kind),
            &request.principal.id,
        );
        let action = uid(&TYPES.action, request.action.name());
        // A principal that is the resource's gateway or application is the same entity twice:
        // Cedar refuses that, and the principal's is the one with all attributes.
        let mut seen = std::collections::HashSet::new();
        known.retain(|entity| seen.insert(entity.uid()));
        let request =
            cedar_policy::Request::new(principal, action, resource, context, Some(schema))
                .map_err(|_| DeniedBecause::Impossible)?;
        let entities =
            Entities::from_entities(known, None).map_err(|_| DeniedBecause::Evaluation)?;
        Ok(Self { request, entities })
    }
}

type Attributes = HashMap<String, Expression>;

fn principal_entity(principal: &Principal) -> Result<Entity, DeniedBecause> {
    let mut attributes = Attributes::new();
    if let PrincipalKind::Gateway(Some(role)) = principal.kind {
        attributes.insert("role".into(), Expression::new_string(role.name().into()));
    }
    entity(
        uid(principal_type(principal.kind), &principal.id),
        attributes,
    )
}

fn resource_entities(
    resource: &Resource<'_>,
    known: &mut Vec<Entity>,
) -> Result<EntityUid, DeniedBecause> {
    match resource {
        Resource::Cluster => {
            let cluster = uid(&TYPES.cluster, "cluster");
            known.push(Entity::with_uid(cluster.clone()));
            Ok(cluster)
        }
        Resource::Device(device) => device_entities(*device, known),
        Resource::Key {
            name,
            device,
            labels,
        } => {
            let key = uid(&TYPES.key, name);
            let mut attributes = Attributes::new();
            attributes.insert("name".into(), Expression::new_string((*name).into()));
            if let Some(device) = device {
                let device = device_entities(*device, known)?;
                attributes.insert("device".into(), Expression::new_entity_uid(device));
            }
            if let Some(app) = app_of_key(name) {
                let app = uid(&TYPES.app, app);
                known.push(Entity::with_uid(app.clone()));
                attributes.insert("app".into(), Expression::new_entity_uid(app));
            }
            let labels = labels.iter().flat_map(|labels| labels.iter());
            let labels = labels.map(|(key, value)| (key.clone(), value.clone()));
            let labels = labels.map(|(key, value)| (key, Expression::new_string(value)));
            let labelled = Entity::new_with_tags(key.clone(), attributes, [], labels);
            known.push(labelled.map_err(|_| DeniedBecause::Evaluation)?);
            Ok(key)
        }
    }
}

fn device_entities(
    device: DeviceRef<'_>,
    known: &mut Vec<Entity>,
) -> Result<EntityUid, DeniedBecause> {
    let mut attributes = Attributes::new();
    if let Some(gateway) = device.gateway {
        let gateway = uid(&TYPES.gateway, gateway);
        known.push(Entity::with_uid(gateway.clone()));
        attributes.insert("gateway".into(), Expression::new_entity_uid(gateway));
    }
    let device = uid(&TYPES.device, device.id);
    known.push(entity(device.clone(), attributes)?);
    Ok(device)
}

fn context(request: &Request<'_>, known: &mut Vec<Entity>) -> Result<Context, DeniedBecause> {
    let mut pairs = match &request.facts {
        Facts::None => Vec::new(),
        Facts::Invite { role } => {
            vec![("role".to_owned(), Expression::new_string((*role).into()))]
        }
        Facts::Use { encryption, count } => {
            let request = uid(&TYPES.encryption_context, "request");
            let tags = encryption
                .iter()
                .map(|(key, value)| (key.to_owned(), Expression::new_string(value.to_owned())));
            known.push(
                Entity::new_with_tags(request.clone(), [], [], tags)
                    .map_err(|_| DeniedBecause::Evaluation)?,
            );
            vec![
                ("encryption".to_owned(), Expression::new_entity_uid(request)),
                ("count".to_owned(), Expression::new_long(i64::from(*count))),
            ]
        }
    };
    let Circumstances { now_ms, approved } = request.circumstances;
    pairs.push((
        "now".to_owned(),
        Expression::new_datetime(datetime(now_ms)?),
    ));
    if request.action.is_change() {
        pairs.push(("approved".to_owned(), Expression::new_bool(approved)));
    }
    Context::from_pairs(pairs).map_err(|_| DeniedBecause::Evaluation)
}

/// As Cedar writes it.
fn datetime(ms: u64) -> Result<String, DeniedBecause> {
    let instant = i64::try_from(ms).map(jiff::Timestamp::from_millisecond);
    match instant {
        Ok(Ok(instant)) => Ok(instant.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()),
        Ok(Err(_)) | Err(_) => Err(DeniedBecause::Evaluation),
    }
}

fn entity(uid: EntityUid, attributes: Attributes) -> Result<Entity, DeniedBecause> {
    Entity::new(uid, attributes, std::collections::HashSet::new())
        .map_err(|_| DeniedBecause::Evaluation)
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn principal_type(kind: PrincipalKind) -> &'static EntityTypeName {
    match kind {
        PrincipalKind::Node => &TYPES.node,
        PrincipalKind::Gateway(_) => &TYPES.gateway,
        PrincipalKind::Device => &TYPES.device,
        PrincipalKind::App => &TYPES.app,
        PrincipalKind::Operator => &TYPES.operator,
    }
}

/// The schema's type names, parsed once.
struct Types {
    action: EntityTypeName,
    node: EntityTypeName,
    gateway: EntityTypeName,
    device: EntityTypeName,
    app: EntityTypeName,
    operator: EntityTypeName,
    key: EntityTypeName,
    cluster: EntityTypeName,
    encryption_context: EntityTypeName,
}

static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let name = |text| EntityTypeName::from_str(text).expect("the names below are Cedar names");
    Types {
        action: name("Ward::Action"),
        node: name("Ward::Node"),
        gateway: name("Ward::Gateway"),
        device: name("Ward::Device"),
        app: name("Ward::App"),
        operator: name("Ward::Operator"),
        key: name("Ward::Key"),
        cluster: name("Ward::Cluster"),
        encryption_context: name("Ward::EncryptionContext"),
    }
});

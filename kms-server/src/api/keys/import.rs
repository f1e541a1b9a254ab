//! GetImportParameters and ImportKey: material that is sealed where it is, and opened here once.

use bytes::Bytes;
use envelope::id::KeyId;
use ward_proto::admin::v1::{
    GetImportParametersRequest, GetImportParametersResponse, ImportKeyRequest, ImportKeyResponse,
};

use super::create::check_name;
use super::current;
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::write::{Intent, OnConflict, key_of, propose, propose_noting};
use crate::audit::AuditRecord;
use crate::command::{
    Command, CreateImport, CreateKey, CreateTypedKey, ImportKey, Outcome, Refusal,
};
use crate::policy::{Action, Authorized, Facts, Resource};
use crate::replica::{Applied, ReadBarrier};
use crate::state::{IMPORT_LIFE_MAX_MS, ImportId, ImportRecord, Labels};
use crate::vault::VaultError;

/// Serves GetImportParameters.
pub(crate) async fn parameters(
    call: &Call,
    request: GetImportParametersRequest,
) -> Result<GetImportParametersResponse, Failure> {
    let action = Action::GetImportParameters;
    let name = &*request.name;
    check_name(name)?;
    let key_type = convert::wanted_type(request.key_type)?;
    let life_ms = match request.ttl_ms {
        0 => LIFE_DEFAULT_MS,
        asked if asked <= IMPORT_LIFE_MAX_MS => asked,
        _longer => return Err(Failure::invalid("import parameters live at most 24 hours")),
    };
    let intent = Intent::new(call, action.name(), &request, request.write.as_ref())?;
    let mut record = call.record(action.name(), name);
    let import_id = new_id()?;
    let resource = Resource::key(name);
    let made = propose(call, &intent, OnConflict::Refuse, &mut record, |_barrier| {
        let authorized = call.authorize(action, resource, Facts::None)?;
        let made = call
            .node
            .vault
            .new_import(&import_id, sys::clock::wall_ms())?;
        let command = CreateImport {
            import_id,
            name: name.to_owned(),
            key_type,
            role: call.caller.role,
            id: call.caller.id.id().to_owned(),
            public_key: made.public_key,
            sealed: made.sealed,
            expires_ms: now_ms(call).saturating_add(life_ms),
        };
        Ok((authorized, Command::CreateImport(Box::new(command))))
    })
    .await;
    let made = made.and_then(|made| told(call, &made));
    let (answer, _durable) = call.settle(record, made).await?;
    Ok(answer)
}

/// Serves ImportKey.
pub(crate) async fn import(
    call: &Call,
    request: ImportKeyRequest,
) -> Result<ImportKeyResponse, Failure> {
    let action = Action::ImportKey;
    let import_id = ImportId::try_from(&*request.import_id)
        .map_err(|_| Failure::invalid("the id of an import has 16 bytes"))?;
    if request.wrapped.len() > WRAPPED_BYTES_MAX {
        return Err(Failure::invalid(
            "wrapped material has at most 4 096 bytes; seal the key alone",
        ));
    }
    let intent = Intent::new(call, action.name(), &request, request.write.as_ref())?;
    let mut record = call.record(action.name(), "");
    let key_id = KeyId::random();
    let decide = |barrier: &ReadBarrier, record: &mut AuditRecord| {
        decide(call, barrier, &import_id, &request.wrapped, key_id, record)
    };
    let made = propose_noting(call, &intent, OnConflict::Refuse, &mut record, decide).await;
    let made = made.and_then(|made| Ok((current(call, key_of(&made.outcome)?)?, made.index)));
    if let Ok((key, _)) = &made {
        // A repetition found no import: it was not decided again.
        record.resource.clone_from(&key.name);
    }
    let ((key, index), _durable) = call.settle(record, made).await?;
    Ok(ImportKeyResponse {
        key: Some(key),
        applied: convert::applied(index),
    })
}

/// Opens the material for the import that is under way, and seals it as a key's.
fn decide(
    call: &Call,
    _barrier: &ReadBarrier,
    import_id: &ImportId,
    wrapped: &[u8],
    key_id: KeyId,
    record: &mut AuditRecord,
) -> Result<(Authorized, Command), Failure> {
    let import = call
        .node
        .replica
        .read(|index| index.import(import_id).cloned());
    // Who may import nothing does not learn what is under way.
    let name = import.as_ref().map_or("", |import| &import.name);
    record.resource = name.to_owned();
    let resource = Resource::key(name);
    let authorized = call.authorize(Action::ImportKey, resource, Facts::None)?;
    let import = import.filter(|import| may_use(call, import));
    let import = import.ok_or(Refusal::ImportInvalid)?;
    let wall_ms = sys::clock::wall_ms();
    let opened = call.node.vault.import(&import, wrapped, key_id, wall_ms)?;
    let known = call.node.replica.read(|index| {
        let mut fingerprints = opened.fingerprints.iter();
        fingerprints.any(|it| index.is_known_material(it))
    });
    let newest = opened.fingerprints.first().filter(|_| !known);
    let fingerprint = *newest.ok_or(Refusal::MaterialKnown)?;
    let command = ImportKey {
        import_id: *import_id,
        key: CreateTypedKey {
            key: CreateKey {
                key_id,
                name: import.name,
                sealed: opened.version.sealed,
            },
            key_type: import.key_type,
            public_key: opened.version.public_key,
            labels: Labels::new(),
        },
        fingerprint,
    };
    Ok((authorized, Command::ImportKey(Box::new(command))))
}

/// Whether the import is the caller's, and not over.
fn may_use(call: &Call, import: &ImportRecord) -> bool {
    let own = (import.role, &*import.id) == (call.caller.role, call.caller.id.id());
    own && now_ms(call) < import.expires_ms
}

/// The parameters that a write made, or made first.
fn told(call: &Call, made: &Applied) -> Result<GetImportParametersResponse, Failure> {
    let Outcome::ImportCreated { import_id } = made.outcome else {
        return Err(Failure::internal("a write answered as another verb"));
    };
    let import = call
        .node
        .replica
        .read(|index| index.import(&import_id).cloned());
    let import = import.ok_or(Refusal::ImportInvalid)?;
    Ok(GetImportParametersResponse {
        import_id: Bytes::copy_from_slice(&import_id),
        cluster_id: Bytes::copy_from_slice(call.node.cluster_id.as_bytes()),
        public_key: Bytes::copy_from_slice(&import.public_key),
        expires_ms: import.expires_ms,
        applied: convert::applied(made.index),
    })
}

/// The state's clock decides when an import is over, and may be ahead of this node's.
fn now_ms(call: &Call) -> u64 {
    let state_ms = call.node.replica.read(|index| index.counters().time_ms);
    sys::clock::wall_ms().max(state_ms)
}

fn new_id() -> Result<ImportId, Failure> {
    use ring::rand::{SecureRandom, SystemRandom};
    let mut id = ImportId::default();
    let made = SystemRandom::new().fill(&mut id);
    made.map_err(|_| VaultError::NoRandom)?;
    Ok(id)
}

const LIFE_DEFAULT_MS: u64 = 60 * 60 * 1_000;
/// A private key as PKCS#8 has some hundred.
const WRAPPED_BYTES_MAX: usize = 4_096;

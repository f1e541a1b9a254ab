//! The memory index: every record in order, and typed reads over it.
//!
//! Handlers read it through `Replica::read`; apply is the only writer.

use std::collections::BTreeMap;
use std::ops::Bound;

use envelope::id::{KeyId, KeyVersion};

use super::{
    ALLOWANCE_DEFAULT_S, AuditTrail, ClusterRecord, ContainmentRecord, Counters, DeviceRecord,
    FormerGateway, GatewayRecord, IdempotencyRecord, IdentityRecord, KeyRecord, KeyTraits, NodeId,
    NodeRecord, Record, RecordId, Role, TokenRecord, VersionRecord,
};

/// Every record of the state, at one applied index.
#[derive(Debug, Default)]
pub struct Index {
    records: BTreeMap<RecordId, Record>,
}

impl Index {
    /// The cluster, once it has begun.
    pub fn cluster(&self) -> Option<&ClusterRecord> {
        let Record::Cluster(cluster) = self.get(&RecordId::Cluster)? else {
            return None;
        };
        Some(cluster)
    }

    /// The version of everything stored; the first one before the cluster has begun.
    pub fn format_version(&self) -> u32 {
        self.cluster().map_or(1, |cluster| cluster.format_version)
    }

    /// Clock, epochs, next node id.
    pub fn counters(&self) -> Counters {
        match self.get(&RecordId::Counters) {
            Some(Record::Counters(counters)) => counters.clone(),
            Some(_) | None => Counters::default(),
        }
    }

    /// A key.
    pub fn key(&self, id: &KeyId) -> Option<&KeyRecord> {
        let Record::Key(found) = self.get(&RecordId::Key(*id))? else {
            return None;
        };
        Some(found)
    }

    /// A key, by its name.
    pub fn key_by_name(&self, name: &str) -> Option<&KeyRecord> {
        let Record::KeyName(id) = self.get(&RecordId::KeyName(name.to_owned()))? else {
            return None;
        };
        self.key(id)
    }

    /// One version of a key.
    pub fn key_version(&self, id: &KeyId, version: KeyVersion) -> Option<&VersionRecord> {
        let Record::KeyVersion(found) = self.get(&RecordId::KeyVersion(*id, version.0))? else {
            return None;
        };
        Some(found)
    }

    /// What a key has beside its record; what most have, when nothing is stored.
    pub fn key_traits(&self, id: &KeyId) -> KeyTraits {
        match self.get(&RecordId::KeyTraits(*id)) {
            Some(Record::KeyTraits(found)) => *found,
            Some(_) | None => KeyTraits::default(),
        }
    }

    /// The public key of a version that signs, a SubjectPublicKeyInfo in DER.
    pub fn public_key(&self, id: &KeyId, version: KeyVersion) -> Option<&[u8]> {
        let Record::PublicKey(found) = self.get(&RecordId::PublicKey(*id, version.0))? else {
            return None;
        };
        Some(found)
    }

    /// All versions of a key, oldest first.
    pub fn key_versions(&self, id: &KeyId) -> impl Iterator<Item = &VersionRecord> {
        self.records
            .range(RecordId::KeyVersion(*id, 0)..=RecordId::KeyVersion(*id, u32::MAX))
            .filter_map(|(_, record)| {
                if let Record::KeyVersion(found) = record {
                    Some(found)
                } else {
                    None
                }
            })
    }

    /// Keys by name, those after `after` (exclusive; empty for all) that begin with `prefix`.
    pub fn keys_by_name<'a>(
        &'a self,
        prefix: &'a str,
        after: &str,
    ) -> impl Iterator<Item = &'a KeyRecord> {
        let start = if after < prefix {
            Bound::Included(RecordId::KeyName(prefix.to_owned()))
        } else {
            Bound::Excluded(RecordId::KeyName(after.to_owned()))
        };
        self.records
            .range((start, Bound::Excluded(RecordId::Device(String::new()))))
            .take_while(move |(id, _)| matches!(id, RecordId::KeyName(n) if n.starts_with(prefix)))
            .filter_map(|(_, record)| {
                if let Record::KeyName(id) = record {
                    self.key(id)
                } else {
                    None
                }
            })
    }

    /// A device.
    pub fn device(&self, id: &str) -> Option<&DeviceRecord> {
        let Record::Device(found) = self.get(&RecordId::Device(id.to_owned()))? else {
            return None;
        };
        Some(found)
    }

    /// Devices by id, those after `after` (exclusive; empty for all).
    pub fn devices(&self, after: &str) -> impl Iterator<Item = &DeviceRecord> {
        self.records
            .range((
                Bound::Excluded(RecordId::Device(after.to_owned())),
                Bound::Unbounded,
            ))
            .map_while(|(_, record)| {
                if let Record::Device(found) = record {
                    Some(&**found)
                } else {
                    None
                }
            })
    }

    /// An identity.
    pub fn identity(&self, role: Role, id: &str) -> Option<&IdentityRecord> {
        let Record::Identity(found) = self.get(&RecordId::Identity(role, id.to_owned()))? else {
            return None;
        };
        Some(found)
    }

    /// All identities of a role, by id.
    pub fn identities(&self, role: Role) -> impl Iterator<Item = &IdentityRecord> {
        self.records
            .range(RecordId::Identity(role, String::new())..)
            .map_while(move |(_, record)| {
                if let Record::Identity(found) = record
                    && found.role == role
                {
                    Some(found)
                } else {
                    None
                }
            })
    }

    /// How far a device is contained; what holds for one that never was, when nothing is stored.
    pub fn containment(&self, device_id: &str) -> ContainmentRecord {
        match self.get(&RecordId::Containment(device_id.to_owned())) {
            Some(Record::Containment(found)) => (**found).clone(),
            Some(_) | None => ContainmentRecord::initial(device_id, ALLOWANCE_DEFAULT_S),
        }
    }

    /// All orders and allowances that were ever given, by device.
    pub fn containments(&self) -> impl Iterator<Item = &ContainmentRecord> {
        self.records
            .range(RecordId::Containment(String::new())..)
            .map_while(|(_, record)| {
                if let Record::Containment(found) = record {
                    Some(&**found)
                } else {
                    None
                }
            })
    }

    /// The newest epoch of a device's containment that a gateway has acknowledged; 0 before any.
    pub fn acknowledged(&self, device_id: &str, gateway_id: &str) -> u64 {
        let id = RecordId::Acknowledgement(device_id.to_owned(), gateway_id.to_owned());
        match self.get(&id) {
            Some(Record::Acknowledgement(epoch)) => *epoch,
            Some(_) | None => 0,
        }
    }

    /// Gateways that are honoured no longer and may still forward.
    pub fn former_gateways(&self) -> impl Iterator<Item = &FormerGateway> {
        self.records
            .range(RecordId::FormerGateway(String::new())..)
            .map_while(|(_, record)| {
                if let Record::FormerGateway(found) = record {
                    Some(found)
                } else {
                    None
                }
            })
    }

    /// A node as it joined.
    pub fn node(&self, id: NodeId) -> Option<&NodeRecord> {
        let Record::Node(found) = self.get(&RecordId::Node(id))? else {
            return None;
        };
        Some(found)
    }

    /// All nodes that ever joined and were not removed.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeRecord> {
        self.records
            .range(RecordId::Node(NodeId(0))..=RecordId::Node(NodeId(u64::MAX)))
            .filter_map(|(_, record)| {
                if let Record::Node(found) = record {
                    Some(&**found)
                } else {
                    None
                }
            })
    }

    /// A join token, by the first 16 bytes of SHA-256 of its secret.
    pub fn token(&self, id: &[u8; 16]) -> Option<&TokenRecord> {
        let Record::Token(found) = self.get(&RecordId::Token(*id))? else {
            return None;
        };
        Some(found)
    }

    /// Join tokens whose time has come at `now_ms`, used or not.
    pub(crate) fn expired_tokens(&self, now_ms: u64) -> impl Iterator<Item = [u8; 16]> {
        self.records
            .range(RecordId::Token([0; 16])..=RecordId::Token([0xff; 16]))
            .filter_map(move |(id, record)| {
                let (RecordId::Token(id), Record::Token(token)) = (id, record) else {
                    return None;
                };
                (token.expires_ms <= now_ms).then_some(*id)
            })
    }

    /// A gateway.
    pub fn gateway(&self, id: &str) -> Option<&GatewayRecord> {
        let Record::Gateway(found) = self.get(&RecordId::Gateway(id.to_owned()))? else {
            return None;
        };
        Some(found)
    }

    /// All gateways, by id.
    pub fn gateways(&self) -> impl Iterator<Item = &GatewayRecord> {
        self.records
            .range(RecordId::Gateway(String::new())..)
            .map_while(|(_, record)| {
                if let Record::Gateway(found) = record {
                    Some(found)
                } else {
                    None
                }
            })
    }

    /// What is known of a node's audit log.
    pub fn audit_trail(&self, id: NodeId) -> Option<&AuditTrail> {
        let Record::AuditTrail(found) = self.get(&RecordId::AuditTrail(id))? else {
            return None;
        };
        Some(found)
    }

    /// What is known of all audit logs, by node.
    pub fn audit_trails(&self) -> impl Iterator<Item = &AuditTrail> {
        self.records
            .range(RecordId::AuditTrail(NodeId(0))..)
            .map_while(|(_, record)| {
                if let Record::AuditTrail(found) = record {
                    Some(found)
                } else {
                    None
                }
            })
    }

    /// An answer kept for repetitions.
    pub(crate) fn idempotency(&self, id: &[u8; 32]) -> Option<&IdempotencyRecord> {
        let Record::Idempotency(found) = self.get(&RecordId::Idempotency(*id))? else {
            return None;
        };
        Some(found)
    }

    /// Kept answers whose time has come at `now_ms`, oldest first.
    pub(crate) fn expired_answers(&self, now_ms: u64) -> impl Iterator<Item = (u64, [u8; 32])> {
        self.records
            .range(RecordId::IdempotencyExpiry(0, [0; 32])..)
            .map_while(move |(id, _)| {
                let RecordId::IdempotencyExpiry(at, hash) = id else {
                    return None;
                };
                (*at <= now_ms).then_some((*at, *hash))
            })
    }

    /// A record by its id.
    pub(crate) fn get(&self, id: &RecordId) -> Option<&Record> {
        self.records.get(id)
    }

    /// Records in a range of ids, in order.
    pub(super) fn range(
        &self,
        bounds: (Bound<RecordId>, Bound<RecordId>),
    ) -> impl Iterator<Item = (&RecordId, &Record)> {
        self.records.range(bounds)
    }

    /// Puts or removes a record and gives back the former one.
    pub(crate) fn put(&mut self, id: RecordId, record: Option<Record>) -> Option<Record> {
        match record {
            Some(record) => self.records.insert(id, record),
            None => self.records.remove(&id),
        }
    }

    /// The records of a snapshot, in the order of their ids: taken at once, the tree is full and
    /// nothing is searched for.
    pub(crate) fn of_ordered(records: Vec<(RecordId, Record)>) -> Self {
        Self {
            records: records.into_iter().collect(),
        }
    }

    /// Puts or removes records, in order.
    pub(crate) fn put_all(&mut self, changed: Vec<(RecordId, Option<Record>)>) {
        for (id, record) in changed {
            self.put(id, record);
        }
    }

    /// Records after `after`, in order.
    pub(crate) fn range_after(
        &self,
        after: Option<&RecordId>,
    ) -> impl Iterator<Item = (&RecordId, &Record)> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.records.range((start, Bound::Unbounded))
    }
}

//! Decisions already made under one policy set.
//!
//! A decision depends on nothing but the request and the set, so it can be remembered as long as
//! the set stands; installing another begins with nothing remembered. What is kept is a digest
//! of the request, never its context.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ring::digest::{Context, SHA256};

use super::request::{Circumstances, DeviceRef, Facts, PrincipalKind, Request, Resource};
use super::{DeniedBecause, GatewayRole};
use crate::state::Labels;

/// What was decided, and by which policies.
#[derive(Clone)]
pub(super) struct Decided {
    pub(super) policies: Arc<[String]>,
    pub(super) denied: Option<DeniedBecause>,
}

/// The decisions of one policy set.
#[derive(Default)]
pub(super) struct Remembered(Mutex<HashMap<Fingerprint, Decided>>);

impl Remembered {
    pub(super) fn get(&self, request: &Fingerprint) -> Option<Decided> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(request)
            .cloned()
    }

    /// Keeps a decision. A full memory forgets everything: simpler than choosing, and rare.
    pub(super) fn put(&self, request: Fingerprint, decided: Decided) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == DECISIONS_MAX {
            all.clear();
        }
        all.insert(request, decided);
    }
}

/// SHA-256 over every part of a request, each with its length: different requests have different
/// fingerprints.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// `timed` where policies look at the clock: then a decision holds for its second.
    pub(super) fn of(request: &Request<'_>, timed: bool) -> Self {
        let mut digest = Context::new(&SHA256);
        let mut part = |bytes: &[u8]| {
            digest.update(&(bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        };
        part(kind_name(request.principal.kind).as_bytes());
        part(request.principal.id.as_bytes());
        part(request.action.name().as_bytes());
        match request.resource {
            Resource::Cluster => part(b"cluster"),
            Resource::Key {
                name,
                device,
                labels,
            } => {
                part(b"key");
                part(name.as_bytes());
                device_parts(device, &mut part);
                label_parts(labels, &mut part);
            }
            Resource::Device(device) => {
                part(b"device");
                device_parts(Some(device), &mut part);
            }
        }
        match request.facts {
            Facts::None => part(b"none"),
            Facts::Use { encryption, count } => {
                part(b"use");
                part(&encryption.encode());
                part(&count.to_be_bytes());
            }
            Facts::Invite { role } => {
                part(b"invite");
                part(role.as_bytes());
            }
        }
        let Circumstances { now_ms, approved } = request.circumstances;
        part(&[u8::from(approved), u8::from(timed)]);
        if timed {
            part(&(now_ms / 1_000).to_be_bytes());
        }
        Self(
            digest
                .finish()
                .as_ref()
                .try_into()
                .expect("SHA-256 has 32 bytes"),
        )
    }
}

fn device_parts(device: Option<DeviceRef<'_>>, part: &mut impl FnMut(&[u8])) {
    let gateway = device.and_then(|device| device.gateway);
    for text in [device.map(|device| device.id), gateway] {
        part(&[u8::from(text.is_some())]);
        part(text.unwrap_or_default().as_bytes());
    }
}

fn label_parts(labels: Option<&Labels>, part: &mut impl FnMut(&[u8])) {
    let labels = labels.into_iter().flatten();
    let texts: Vec<_> = labels.flat_map(|(key, value)| [key, value]).collect();
    part(&(texts.len() as u64).to_be_bytes());
    for text in texts {
        part(text.as_bytes());
    }
}

fn kind_name(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::Node => "node",
        PrincipalKind::Gateway(None) => "gateway",
        PrincipalKind::Gateway(Some(GatewayRole::Edge)) => "gateway/edge",
        PrincipalKind::Gateway(Some(GatewayRole::Core)) => "gateway/core",
        PrincipalKind::Device => "device",
        PrincipalKind::App => "app",
        PrincipalKind::Operator => "operator",
    }
}

/// Decisions remembered at once; each is about 200 bytes.
const DECISIONS_MAX: usize = 16_384;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use envelope::context::EncryptionContext;

    use super::*;
    use crate::policy::{Action, Principal};

    const KINDS: [PrincipalKind; 7] = [
        PrincipalKind::Node,
        PrincipalKind::Gateway(None),
        PrincipalKind::Gateway(Some(GatewayRole::Edge)),
        PrincipalKind::Gateway(Some(GatewayRole::Core)),
        PrincipalKind::Device,
        PrincipalKind::App,
        PrincipalKind::Operator,
    ];

    fn resources(labels: &[Labels; 2]) -> [Resource<'_>; 8] {
        let bare = DeviceRef {
            id: "m",
            gateway: None,
        };
        let spoken_for = DeviceRef {
            id: "m",
            gateway: Some(""),
        };
        [
            Resource::Cluster,
            Resource::Key {
                name: "m",
                device: None,
                labels: None,
            },
            Resource::Key {
                name: "m",
                device: None,
                labels: Some(&labels[0]),
            },
            Resource::Key {
                name: "m",
                device: None,
                labels: Some(&labels[1]),
            },
            Resource::Key {
                name: "m",
                device: Some(bare),
                labels: None,
            },
            Resource::Key {
                name: "m",
                device: Some(spoken_for),
                labels: None,
            },
            Resource::Device(bare),
            Resource::Device(spoken_for),
        ]
    }

    #[test]
    fn requests_that_differ_anywhere_have_different_fingerprints() {
        let (empty, mut context) = (EncryptionContext::new(), EncryptionContext::new());
        context.insert("a", "b").unwrap();
        let facts = [
            Facts::None,
            Facts::Use {
                encryption: &empty,
                count: 1,
            },
            Facts::Use {
                encryption: &context,
                count: 1,
            },
            Facts::Use {
                encryption: &context,
                count: 2,
            },
            Facts::Invite { role: "" },
            Facts::Invite { role: "app" },
        ];
        let principals = KINDS.into_iter().flat_map(|kind| {
            ["a", "ab"].map(|id| Principal {
                kind,
                id: id.to_owned(),
            })
        });
        let labels = [("a", "bc"), ("ab", "c")];
        let labels = labels.map(|(key, value)| Labels::from([(key.to_owned(), value.to_owned())]));
        let moments = [(0, false), (1_000, false), (0, true)];
        let moments = moments.map(|(now_ms, approved)| Circumstances { now_ms, approved });
        let (mut seen, mut asked) = (HashSet::new(), 0);
        for principal in &principals.collect::<Vec<_>>() {
            for action in [Action::Encrypt, Action::Decrypt] {
                for resource in resources(&labels) {
                    for (facts, circumstances) in
                        facts.iter().flat_map(|it| moments.map(|at| (*it, at)))
                    {
                        let request = Request {
                            principal,
                            action,
                            resource,
                            facts,
                            circumstances,
                        };
                        seen.insert(Fingerprint::of(&request, true));
                        asked += 1;
                    }
                }
            }
        }
        assert_eq!(seen.len(), asked);
    }

    #[test]
    fn the_clock_is_part_of_a_request_only_where_policies_look_at_it() {
        let principal = Principal {
            kind: PrincipalKind::Operator,
            id: "a".to_owned(),
        };
        let at = |now_ms, timed| {
            let request = Request {
                principal: &principal,
                action: Action::PutPolicy,
                resource: Resource::Cluster,
                facts: Facts::None,
                circumstances: Circumstances {
                    now_ms,
                    approved: false,
                },
            };
            Fingerprint::of(&request, timed)
        };
        assert!(at(1_000, false) == at(9_000, false));
        assert!(at(1_000, true) == at(1_999, true));
        assert!(at(1_999, true) != at(2_000, true));
    }

    #[test]
    fn the_memory_is_bounded() {
        let remembered = Remembered::default();
        for number in 0..=DECISIONS_MAX {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            let decided = Decided {
                policies: Arc::new([]),
                denied: None,
            };
            remembered.put(Fingerprint(bytes), decided);
        }
        assert_eq!(remembered.0.lock().unwrap().len(), 1);
    }
}

//! Jobs and the census as they are told.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use envelope::record::RecordHeader;
use ward_proto::admin::v1::{
    CensusAtGateway, CensusOfGateway, CensusOfKey, CensusOfVersion, Rewrap, RewrapOfGateway,
    RewrapState as State,
};

use crate::api::convert;
use crate::state::{
    CensusRange, GatewayRole, Index, KeyCensus, KeyRecord, RewrapRecord, RewrapState, VersionRecord,
};

/// A job, with every gateway that is waited for and every other that worked on it.
pub(super) fn rewrap(index: &Index, job: &RewrapRecord) -> Rewrap {
    let told: BTreeMap<_, _> = index
        .rewrap_progresses(job.key_id)
        .filter(|(_, progress)| progress.number == job.number)
        .collect();
    let waited_for = match job.state {
        RewrapState::Running => cores(index).collect(),
        RewrapState::Complete | RewrapState::Cancelled => BTreeSet::new(),
    };
    let all: BTreeSet<_> = waited_for.into_iter().chain(told.keys().copied()).collect();
    let gateways = all.into_iter().map(|gateway| {
        let unheard = RewrapOfGateway {
            gateway_id: gateway.to_owned(),
            ..RewrapOfGateway::default()
        };
        told.get(gateway).map_or(unheard, |told| RewrapOfGateway {
            gateway_id: gateway.to_owned(),
            heard: true,
            done: told.total.saturating_sub(told.left),
            left: told.left,
            leased: told.leased,
            cursor: told.cursor,
            failed: told.failed,
            reason: told.reason.clone(),
        })
    });
    Rewrap {
        number: job.number,
        target_version: job.target,
        rate: job.rate,
        state: match job.state {
            RewrapState::Running => State::Running,
            RewrapState::Complete => State::Complete,
            RewrapState::Cancelled => State::Cancelled,
        }
        .into(),
        started_ms: job.started_ms,
        ended_ms: job.ended_ms,
        by: job.by.clone(),
        gateways: gateways.collect(),
    }
}

/// How well each archive is known: of every core gateway, and of every other that ever told.
pub(super) fn archives(index: &Index) -> Vec<CensusOfGateway> {
    let serving: BTreeSet<_> = cores(index).collect();
    let told = index.archive_reports().map(|it| it.gateway_id.as_str());
    let all: BTreeSet<_> = serving.iter().copied().chain(told).collect();
    let archives = all.into_iter().map(|gateway| {
        let report = index.archive_report(gateway);
        CensusOfGateway {
            gateway_id: gateway.to_owned(),
            serves: serving.contains(gateway),
            reported_ms: report.map_or(0, |report| report.reported_ms),
            whole: report.is_some_and(|report| report.whole),
            damaged: report.map_or(0, |report| report.damaged),
        }
    });
    archives.collect()
}

/// What lies under each version of a key.
pub(super) fn key(index: &Index, key: &KeyRecord) -> CensusOfKey {
    let told: Vec<_> = index.key_census(key.key_id).collect();
    let versions = index.key_versions(&key.key_id);
    CensusOfKey {
        key_id: Bytes::copy_from_slice(key.key_id.as_bytes()),
        name: key.name.clone(),
        state: convert::key_state(key.state).into(),
        primary_version: key.primary,
        versions: versions.map(|it| version(it, &told)).collect(),
        rewrap: index.rewrap(&key.key_id).map(|job| rewrap(index, job)),
    }
}

fn version(version: &VersionRecord, told: &[(&str, &KeyCensus)]) -> CensusOfVersion {
    let (mut data_keys, mut at_most, mut gateways) = (0_u64, false, Vec::new());
    let covers = |range: &&CensusRange| (range.first..=range.last).contains(&version.version);
    for (gateway, census) in told {
        let Some(range) = census.ranges.iter().find(covers) else {
            continue;
        };
        data_keys = data_keys.saturating_add(range.count);
        at_most |= range.first != range.last;
        gateways.push(CensusAtGateway {
            gateway_id: (*gateway).to_owned(),
            data_keys: range.count,
        });
    }
    // What was kept was looked at when it was kept; 0 is no term.
    let header = RecordHeader::parse(&version.sealed.record);
    CensusOfVersion {
        version: version.version,
        state: convert::key_state(version.state).into(),
        term: header.map_or(0, |header| header.term),
        data_keys,
        at_most,
        gateways,
    }
}

fn cores(index: &Index) -> impl Iterator<Item = &str> {
    let cores = index.gateways().filter(|it| it.role == GatewayRole::Core);
    cores.map(|gateway| gateway.gateway_id.as_str())
}

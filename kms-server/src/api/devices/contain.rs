//! ContainDevice, ReleaseDevice and SetOfflineAllowance: the writes. RevokeDevice is ContainDevice
//! with REVOKE.
//!
//! An order that takes nothing but rights away is answered although no audit record can be
//! written: Raft holds who ordered what, and an incident does not wait for a disk. A release, or an
//! order below the one that stood, gives rights back, and is recorded first as other writes are.
//! `progress` tells how far gateways are.

use ward_proto::admin::v1::{
    ContainDeviceRequest, ReleaseDeviceRequest, SetOfflineAllowanceRequest,
};
use ward_proto::v1 as proto;

use super::resource;
use crate::api::call::{Call, settle_revocation};
use crate::api::convert::check_id;
use crate::api::failure::Failure;
use crate::api::write::{Intent, OnConflict, propose};
use crate::audit::AuditRecord;
use crate::command::{
    Command, OrderContainment, SERVICES_MAX, SetOfflineAllowance, is_case_id, is_service,
};
use crate::policy::{Action, Facts};
use crate::replica::Applied;
use crate::state::{ALLOWANCE_MAX_S, ContainLevel, ContainmentRecord};

/// Serves ContainDevice up to where the order stands, and tells at which index.
pub(crate) async fn contain(call: &Call, request: &ContainDeviceRequest) -> Result<u64, Failure> {
    let level = ordered_level(request.level)?;
    let services = checked_services(level, &request.services)?;
    let order = Order {
        // Taking away for good is a permission of its own.
        action: match level {
            ContainLevel::Revoke => Action::RevokeDevice,
            ContainLevel::None
            | ContainLevel::Observe
            | ContainLevel::Restrict
            | ContainLevel::Isolate => Action::ContainDevice,
        },
        device_id: &request.device_id,
        level,
        services,
        case_id: &request.case_id,
    };
    let action = order.action.name();
    let intent = Intent::new(call, action, request, request.write.as_ref())?;
    order.carry_out(call, &intent).await
}

/// Serves ReleaseDevice up to where no order stands.
pub(crate) async fn release(call: &Call, request: &ReleaseDeviceRequest) -> Result<u64, Failure> {
    let order = Order {
        action: Action::ReleaseDevice,
        device_id: &request.device_id,
        level: ContainLevel::None,
        services: Vec::new(),
        case_id: "",
    };
    let action = order.action.name();
    let intent = Intent::new(call, action, request, request.write.as_ref())?;
    order.carry_out(call, &intent).await
}

/// Serves SetOfflineAllowance up to where it stands.
pub(crate) async fn set_allowance(
    call: &Call,
    request: &SetOfflineAllowanceRequest,
) -> Result<u64, Failure> {
    let (action, device_id) = (Action::SetOfflineAllowance, &request.device_id);
    let allowance_s = request.offline_allowance_s;
    check_id(device_id)?;
    check_allowance(allowance_s)?;
    let intent = Intent::new(call, action.name(), request, request.write.as_ref())?;
    let mut record = call.record(action.name(), device_id);
    record.order = Some(format!("allowance={allowance_s}"));
    let made = propose(call, &intent, OnConflict::Retry, &mut record, |_barrier| {
        let resource = resource::of(call, device_id);
        let authorized = call.authorize(action, resource.as_resource(), Facts::None)?;
        let command = SetOfflineAllowance {
            device_id: device_id.clone(),
            allowance_s,
        };
        Ok((authorized, Command::SetOfflineAllowance(command)))
    })
    .await;
    let (made, _durable) = call.settle(record, made).await?;
    Ok(made.index)
}

/// An order that was asked for.
struct Order<'a> {
    action: Action,
    device_id: &'a str,
    level: ContainLevel,
    services: Vec<String>,
    case_id: &'a str,
}

impl Order<'_> {
    async fn carry_out(&self, call: &Call, intent: &Intent) -> Result<u64, Failure> {
        check_id(self.device_id)?;
        if !is_case_id(self.case_id) {
            let message = "a case has at most 64 visible characters of ASCII, or is absent";
            return Err(Failure::invalid(message));
        }
        let mut record = call.record(self.action.name(), self.device_id);
        record.order = Some(self.words());
        let mut gives_back = self.may_give_back();
        let made = self
            .propose(call, intent, &mut record, &mut gives_back)
            .await;
        let made = match gives_back {
            true => call.settle(record, made).await?.0,
            false => settle_revocation(&call.node, record, made).await?,
        };
        Ok(made.index)
    }

    async fn propose(
        &self,
        call: &Call,
        intent: &Intent,
        record: &mut AuditRecord,
        gives_back: &mut bool,
    ) -> Result<Applied, Failure> {
        propose(call, intent, OnConflict::Retry, record, |_barrier| {
            let resource = resource::of(call, self.device_id);
            let authorized = call.authorize(self.action, resource.as_resource(), Facts::None)?;
            let replica = &call.node.replica;
            *gives_back =
                replica.read(|index| self.allows_more(&index.containment(self.device_id)));
            if *gives_back && self.action != Action::ReleaseDevice {
                // An order below the one that stands is a release of the rest.
                let release = Action::ReleaseDevice;
                drop(call.authorize(release, resource.as_resource(), Facts::None)?);
            }
            let command = OrderContainment {
                device_id: self.device_id.to_owned(),
                level: self.level,
                services: self.services.clone(),
                case_id: self.case_id.to_owned(),
                by: call.caller.id.to_string(),
            };
            Ok((authorized, Command::OrderContainment(command)))
        })
        .await
    }

    /// Whether it can give rights back, whatever stood: what counts for a repetition, which is not
    /// compared with the state.
    fn may_give_back(&self) -> bool {
        match self.level {
            ContainLevel::None | ContainLevel::Observe | ContainLevel::Restrict => true,
            ContainLevel::Isolate | ContainLevel::Revoke => false,
        }
    }

    /// Whether it gives back something that the order which stands took away. A release counts as
    /// that always.
    fn allows_more(&self, standing: &ContainmentRecord) -> bool {
        let opens = |service| !standing.services.contains(service);
        self.level == ContainLevel::None
            || self.level < standing.level
            || (self.level == standing.level && self.services.iter().any(opens))
    }

    /// As the audit record has it.
    fn words(&self) -> String {
        let mut words = word(self.level).to_owned();
        for service in &self.services {
            words.push_str(" service=");
            words.push_str(service);
        }
        if !self.case_id.is_empty() {
            words.push_str(" case=");
            words.push_str(self.case_id);
        }
        words
    }
}

/// Checks an allowance that was asked for.
///
/// # Errors
/// INVALID_ARGUMENT beyond a day.
pub(super) fn check_allowance(allowance_s: u32) -> Result<(), Failure> {
    if allowance_s > ALLOWANCE_MAX_S {
        let message = "an offline allowance is 0 to 86400 seconds";
        return Err(Failure::invalid(message));
    }
    Ok(())
}

fn ordered_level(level: i32) -> Result<ContainLevel, Failure> {
    match proto::ContainLevel::try_from(level) {
        Ok(proto::ContainLevel::Observe) => Ok(ContainLevel::Observe),
        Ok(proto::ContainLevel::Restrict) => Ok(ContainLevel::Restrict),
        Ok(proto::ContainLevel::Isolate) => Ok(ContainLevel::Isolate),
        Ok(proto::ContainLevel::Revoke) => Ok(ContainLevel::Revoke),
        Ok(proto::ContainLevel::None | proto::ContainLevel::Unspecified) | Err(_) => {
            let message = "order observe, restrict, isolate or revoke; to end an order, release";
            Err(Failure::invalid(message))
        }
    }
}

/// In order and each once, so that the same order is known again.
fn checked_services(level: ContainLevel, services: &[String]) -> Result<Vec<String>, Failure> {
    let mut services = services.to_vec();
    services.sort();
    services.dedup();
    if level != ContainLevel::Restrict && !services.is_empty() {
        return Err(Failure::invalid(
            "services are named at level restrict alone",
        ));
    }
    if level == ContainLevel::Restrict && !(1..=SERVICES_MAX).contains(&services.len()) {
        let message = "restrict names 1 to 32 services that stay open; to close all, isolate";
        return Err(Failure::invalid(message));
    }
    if !services.iter().all(|service| is_service(service)) {
        let message = "a service has 1 to 128 visible characters of ASCII without `/`";
        return Err(Failure::invalid(message));
    }
    Ok(services)
}

fn word(level: ContainLevel) -> &'static str {
    match level {
        ContainLevel::None => "release",
        ContainLevel::Observe => "observe",
        ContainLevel::Restrict => "restrict",
        ContainLevel::Isolate => "isolate",
        ContainLevel::Revoke => "revoke",
    }
}

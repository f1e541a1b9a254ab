//! The services behind a core and who may reach them. Asked by the policy layer at every OPEN.

use std::collections::HashMap;
use std::sync::Arc;

use super::session::Opened;
use crate::config::{CoreConfig, Service};
use crate::ids::ServiceName;
use crate::stack::{Arrival, Policy, Refusal};

/// The services of one core, by name.
#[derive(Debug)]
pub struct Services(HashMap<ServiceName, Arc<Service>>);

impl Services {
    /// The services of a checked configuration.
    pub fn new(config: &CoreConfig) -> Self {
        let by_name = |service: &Service| (service.name.clone(), Arc::new(service.clone()));
        Self(config.services.iter().map(by_name).collect())
    }

    /// The service of this name.
    pub fn find(&self, name: &ServiceName) -> Option<Arc<Service>> {
        self.0.get(name).cloned()
    }
}

impl Policy<Box<Opened>> for Services {
    fn check(&self, arrival: &Arrival<Box<Opened>>) -> Result<(), Refusal> {
        let service = self
            .0
            .get(&arrival.service)
            .ok_or(Refusal::ServiceUnknown)?;
        let protocol_agrees = service.protocol == arrival.carrier.open.protocol;
        if !protocol_agrees || !service.devices.contains(&arrival.device) {
            return Err(Refusal::Denied);
        }
        Ok(())
    }
}

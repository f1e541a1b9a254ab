//! Checks what was written of ways from servers to devices.

use std::collections::HashSet;
use std::sync::Arc;

use super::{ConfigError, ReverseListener, ReverseRoute, at_most, meaningless, parse, written};

/// The edge's part.
pub(super) fn routes(written: &[written::ReverseRoute]) -> Result<Vec<ReverseRoute>, ConfigError> {
    at_most(written.len(), "reverse_route")?;
    let mut routes = Vec::with_capacity(written.len());
    let mut taken = HashSet::new();
    for (index, written) in written.iter().enumerate() {
        let field = |name: &str| format!("reverse_route[{index}].{name}");
        let route = ReverseRoute {
            device: parse(&field("device"), &written.device)?,
            protocol: parse(&field("protocol"), &written.protocol)?,
            target: parse(&field("target"), &written.target)?,
            core: parse(&field("core"), &written.core)?,
            core_id: parse(&field("core_id"), &written.core_id)?,
            service: parse(&field("service"), &written.service)?,
        };
        if !taken.insert((route.device.clone(), route.service.clone())) {
            return twice(field("service"), &written.service);
        }
        routes.push(route);
    }
    Ok(routes)
}

/// The core's part.
pub(super) fn listeners(
    written: &[written::ReverseListener],
) -> Result<Vec<Arc<ReverseListener>>, ConfigError> {
    at_most(written.len(), "reverse_listener")?;
    let mut listeners = Vec::with_capacity(written.len());
    let (mut taken, mut bound) = (HashSet::new(), HashSet::new());
    for (index, written) in written.iter().enumerate() {
        let field = |name: &str| format!("reverse_listener[{index}].{name}");
        let listener = ReverseListener {
            device: parse(&field("device"), &written.device)?,
            protocol: parse(&field("protocol"), &written.protocol)?,
            listen: written.listen,
            service: parse(&field("service"), &written.service)?,
        };
        if !taken.insert((listener.device.clone(), listener.service.clone())) {
            return twice(field("service"), &written.service);
        }
        // Port 0 is given by the system, another one each time.
        if listener.listen.port() != 0 && !bound.insert(listener.listen) {
            let message = format!("{} is the address of another one too", listener.listen);
            return meaningless(field("listen"), message);
        }
        listeners.push(Arc::new(listener));
    }
    Ok(listeners)
}

fn twice<T>(field: String, service: &str) -> Result<T, ConfigError> {
    meaningless(
        field,
        format!("this device has `{service}` twice; remove one, or give it another name"),
    )
}

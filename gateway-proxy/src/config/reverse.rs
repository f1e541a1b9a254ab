//! Checks what was written of ways from servers to devices.

use std::collections::HashSet;
use std::sync::Arc;

use super::{ConfigError, ReverseListener, ReverseRoute, at_most, meaningless, parse, written};

/// The edge's part.
pub(super) fn routes(written: &[written::ReverseRoute]) -> Result<Vec<ReverseRoute>, ConfigError> {
    at_most(written.len(), "reverse_route")?;
    let routes: Vec<_> = written
        .iter()
        .enumerate()
        .map(route)
        .collect::<Result<_, _>>()?;
    let mut taken = HashSet::new();
    for (index, route) in routes.iter().enumerate() {
        if !taken.insert((&route.device, &route.service)) {
            let field = format!("reverse_route[{index}].service");
            return twice(field, route.service.as_str());
        }
    }
    Ok(routes)
}

/// One entry of the edge's.
pub(super) fn route(
    (index, written): (usize, &written::ReverseRoute),
) -> Result<ReverseRoute, ConfigError> {
    let field = |name: &str| format!("reverse_route[{index}].{name}");
    Ok(ReverseRoute {
        device: parse(&field("device"), &written.device)?,
        protocol: parse(&field("protocol"), &written.protocol)?,
        target: parse(&field("target"), &written.target)?,
        core: parse(&field("core"), &written.core)?,
        core_id: parse(&field("core_id"), &written.core_id)?,
        service: parse(&field("service"), &written.service)?,
    })
}

/// The core's part.
pub(super) fn listeners(
    written: &[written::ReverseListener],
) -> Result<Vec<Arc<ReverseListener>>, ConfigError> {
    at_most(written.len(), "reverse_listener")?;
    let listeners: Vec<_> = written
        .iter()
        .enumerate()
        .map(listener)
        .collect::<Result<_, _>>()?;
    let (mut taken, mut bound) = (HashSet::new(), HashSet::new());
    for (index, listener) in listeners.iter().enumerate() {
        let field = |name: &str| format!("reverse_listener[{index}].{name}");
        if !taken.insert((&listener.device, &listener.service)) {
            return twice(field("service"), listener.service.as_str());
        }
        // Port 0 is given by the system, another one each time.
        if listener.listen.port() != 0 && !bound.insert(listener.listen) {
            let message = format!("{} is the address of another one too", listener.listen);
            return meaningless(field("listen"), message);
        }
    }
    Ok(listeners.into_iter().map(Arc::new).collect())
}

/// One entry of the core's.
pub(super) fn listener(
    (index, written): (usize, &written::ReverseListener),
) -> Result<ReverseListener, ConfigError> {
    let field = |name: &str| format!("reverse_listener[{index}].{name}");
    Ok(ReverseListener {
        device: parse(&field("device"), &written.device)?,
        protocol: parse(&field("protocol"), &written.protocol)?,
        listen: written.listen,
        service: parse(&field("service"), &written.service)?,
    })
}

fn twice<T>(field: String, service: &str) -> Result<T, ConfigError> {
    meaningless(
        field,
        format!("this device has `{service}` twice; remove one, or give it another name"),
    )
}

//! Makes a new cluster: genesis on disk, before any process runs.

use kms_client::identity::IdentityDir;
use kms_server::{InitOptions, Operator};

use super::cluster_file::ClusterFile;
use super::layout::{Layout, ProcessName, make_private};
use super::plan::Plan;
use super::settings;
use crate::error::{Failure, Reason};
use crate::output::say;

/// Reads the cluster's file, or plans a new cluster and records the plan.
pub(crate) fn load_or_plan(layout: &Layout, nodes: Option<u64>) -> Result<ClusterFile, Failure> {
    let Some(found) = ClusterFile::load(&layout.cluster_file())? else {
        refuse_remains(layout)?;
        return plan_new(layout, nodes.unwrap_or(NODES_BY_DEFAULT));
    };
    let there = found.nodes.len() as u64;
    match nodes {
        // A plan that nothing was founded on binds nobody.
        Some(asked) if asked != there && !found.founded => plan_new(layout, asked),
        Some(asked) if asked != there => Err(Failure::new(
            Reason::NODES_FIXED,
            format!(
                "{} holds a cluster of {there} node(s), not {asked}: leave --nodes out, \
                 or give another --data-dir for a new cluster",
                layout.root().display()
            ),
        )),
        Some(_) | None => Ok(found),
    }
}

fn plan_new(layout: &Layout, nodes: u64) -> Result<ClusterFile, Failure> {
    let planned = ClusterFile::plan(nodes)?;
    planned.store(&layout.cluster_file())?;
    Ok(planned)
}

/// Makes the cluster unless it is there. What a killed attempt left is made anew: before the
/// cluster is recorded as founded, nothing has run, and nothing can have been entrusted to it.
pub(crate) async fn found(plan: &Plan) -> Result<(), Failure> {
    let cluster = plan.cluster();
    if cluster.founded {
        return Ok(());
    }
    let layout = plan.layout();
    say(format_args!(
        "Making a new cluster of {} node(s) in {} …",
        cluster.nodes.len(),
        layout.root().display()
    ));
    let first = ProcessName::Node(1);
    for attempt in [layout.home(first), layout.seal_dir(), layout.operator()] {
        discard(&attempt)?;
    }
    make_private(&layout.seal_dir())?;
    make_private(&layout.operator())?;
    plan.prepare(first)?;
    let config =
        kms_server::Config::load(&layout.config(first)).map_err(kms_server::NodeError::from)?;
    let operator = IdentityDir::new(layout.operator());
    let made = kms_server::init(InitOptions {
        config,
        trust_domain: cluster.trust_domain.clone(),
        operator: Operator {
            id: OPERATOR.to_owned(),
            csr_der: operator.create_csr()?,
        },
    })
    .await
    .map_err(|error| Failure::from(error).of(first))?;
    let ca: Vec<_> = made.ca_der.into_iter().map(Into::into).collect();
    operator.store_certificate(&made.operator_certificate_der.into(), &ca)?;
    settings::write_endpoints(layout, &cluster)?;
    plan.set_founded()?;
    tell_seal(layout);
    Ok(())
}

/// A directory with a cluster's parts and without its file is not for us to overwrite.
fn refuse_remains(layout: &Layout) -> Result<(), Failure> {
    let parts = [
        layout.home(ProcessName::Node(1)),
        layout.seal_dir(),
        layout.operator(),
    ];
    let Some(part) = parts.iter().find(|part| part.exists()) else {
        return Ok(());
    };
    Err(Failure::new(
        Reason::NO_CLUSTER,
        format!(
            "{} exists and {} does not: put the file back, or give another --data-dir",
            part.display(),
            layout.cluster_file().display()
        ),
    ))
}

fn discard(path: &std::path::Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Failure::io(
            format!("cannot remove {}", path.display()),
            &error,
        )),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn tell_seal(layout: &Layout) {
    say(format_args!(
        "The cluster's root seal is {} (only you can read it).\n  \
         Keep a copy in another place: without it, nothing here can ever be opened again.\n  \
         Whoever has it and the data can open everything.",
        layout.seal().display()
    ));
}

const NODES_BY_DEFAULT: u64 = 3;
const OPERATOR: &str = "operator";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_nodes_is_fixed_by_the_first_run() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::create(dir.path()).unwrap();
        let first = load_or_plan(&layout, Some(1)).unwrap();
        assert_eq!(first.nodes.len(), 1);
        let mut planned = load_or_plan(&layout, Some(3)).unwrap();
        assert_eq!(planned.nodes.len(), 3, "nothing was founded yet");
        planned.founded = true;
        planned.store(&layout.cluster_file()).unwrap();
        assert_eq!(load_or_plan(&layout, None).unwrap(), planned);
        assert_eq!(load_or_plan(&layout, Some(3)).unwrap(), planned);
        let refused = load_or_plan(&layout, Some(1)).unwrap_err();
        assert_eq!(refused.reason(), &Reason::NODES_FIXED);
        assert!(
            refused.to_string().contains("leave --nodes out"),
            "{refused}"
        );
    }

    #[test]
    fn a_new_cluster_has_three_nodes_unless_told_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::create(dir.path()).unwrap();
        assert_eq!(load_or_plan(&layout, None).unwrap().nodes.len(), 3);
    }

    #[test]
    fn a_cluster_without_its_file_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::create(dir.path()).unwrap();
        make_private(&layout.seal_dir()).unwrap();
        let refused = load_or_plan(&layout, None).unwrap_err();
        assert_eq!(refused.reason(), &Reason::NO_CLUSTER);
    }
}

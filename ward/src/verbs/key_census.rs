//! `ward key census`: what archives hold under which version of a key, and how well that is known.

use std::time::Duration;

use kms_client::Client;
use kms_client::model::{Census, KeyCensus, KeySelector, KnownArchive, VersionCensus};
use serde::Serialize;

use super::key_rewrap::RewrapView;
use crate::cli::CensusArguments;
use crate::error::Failure;
use crate::output::{Answer, Format, answer};
use crate::text::{Table, time};

/// Does what was typed after `ward key census`.
pub(super) async fn run(
    client: &Client,
    format: Format,
    asked: CensusArguments,
) -> Result<(), Failure> {
    let census = client.census(asked.name.map(KeySelector::Name)).await?;
    answer(format, &CensusView::from(census))
}

/// The census, as shown.
#[derive(Serialize)]
struct CensusView {
    keys: Vec<KeyView>,
    archives: Vec<ArchiveView>,
}

/// What lies under a key, as shown.
#[derive(Serialize)]
struct KeyView {
    name: String,
    key_id: String,
    primary_version: u32,
    versions: Vec<VersionView>,
    rewrap: Option<RewrapView>,
}

/// What lies under a version, as shown.
#[derive(Serialize)]
struct VersionView {
    version: u32,
    state: &'static str,
    /// The term of the key ring that the version itself is sealed under.
    term: u32,
    data_keys: u64,
    /// Whether they may be fewer.
    at_most: bool,
    gateways: Vec<AtGateway>,
}

/// What lies at a gateway, as shown.
#[derive(Serialize)]
struct AtGateway {
    gateway: String,
    data_keys: u64,
}

/// How well an archive is known, as shown.
#[derive(Serialize)]
struct ArchiveView {
    gateway: String,
    serves: bool,
    reported: Option<String>,
    age_s: Option<u64>,
    /// Whether what it told is all there is, and not old.
    known: bool,
    damaged_side_cars: u32,
    #[serde(skip)]
    whole: bool,
}

impl From<Census> for CensusView {
    fn from(census: Census) -> Self {
        let now_ms = census.now_ms;
        let archive = |archive| ArchiveView::new(archive, now_ms);
        Self {
            keys: census.keys.into_iter().map(KeyView::from).collect(),
            archives: census.archives.into_iter().map(archive).collect(),
        }
    }
}

impl From<KeyCensus> for KeyView {
    fn from(key: KeyCensus) -> Self {
        Self {
            name: key.name,
            key_id: key.key_id.to_string(),
            primary_version: key.primary_version.0,
            versions: key.versions.into_iter().map(VersionView::from).collect(),
            rewrap: key.rewrap.as_ref().map(RewrapView::from),
        }
    }
}

impl From<VersionCensus> for VersionView {
    fn from(version: VersionCensus) -> Self {
        let at = |(gateway, data_keys)| AtGateway { gateway, data_keys };
        Self {
            version: version.version.0,
            state: version.state.as_str(),
            term: version.term,
            data_keys: version.data_keys,
            at_most: version.at_most,
            gateways: version.gateways.into_iter().map(at).collect(),
        }
    }
}

impl ArchiveView {
    fn new(archive: KnownArchive, now_ms: u64) -> Self {
        let age = archive.reported_ms.map(|then| now_ms.saturating_sub(then));
        let age = age.map(Duration::from_millis);
        Self {
            known: archive.whole && age.is_some_and(|age| age < OLD),
            gateway: archive.gateway_id,
            serves: archive.serves,
            reported: archive.reported_ms.map(time),
            age_s: age.map(|age| age.as_secs()),
            damaged_side_cars: archive.damaged,
            whole: archive.whole,
        }
    }

    /// One sentence.
    fn text(&self) -> String {
        let mut text = match (self.age_s, self.known) {
            (None, _) => "has never told: what it holds is not counted".to_owned(),
            (Some(age), true) => format!("told {age} s ago"),
            (Some(age), false) if self.whole => {
                format!("told {age} s ago, which is long: what it holds may be more by now")
            }
            (Some(age), false) => {
                format!("told {age} s ago, and not everything yet: what it holds may be more")
            }
        };
        if !self.serves {
            text.push_str("; it serves no longer, and its archive may exist all the same");
        }
        if self.damaged_side_cars > 0 {
            let damaged = self.damaged_side_cars;
            text.push_str(&format!(
                "; {damaged} of its side-cars cannot be read: what lies in them is not counted"
            ));
        }
        format!("archive of {}: {text}\n", self.gateway)
    }
}

impl Answer for CensusView {
    fn text(&self) -> String {
        let mut table = Table::new(&["KEY", "VERSION", "STATE", "TERM", "DATA KEYS", "WHERE"]);
        for key in &self.keys {
            for version in &key.versions {
                let primary = version.version == key.primary_version;
                let at = version.gateways.iter();
                let at = at.map(|at| format!("{}={}", at.gateway, at.data_keys));
                table.row([
                    key.name.clone(),
                    format!(
                        "{}{}",
                        version.version,
                        if primary { " primary" } else { "" }
                    ),
                    version.state.to_owned(),
                    version.term.to_string(),
                    match version.at_most {
                        true => format!("at most {}", version.data_keys),
                        false => version.data_keys.to_string(),
                    },
                    at.collect::<Vec<_>>().join(" "),
                ]);
            }
        }
        let mut text = table.text();
        for key in &self.keys {
            if let Some(rewrap) = &key.rewrap {
                text.push_str(&rewrap.line(&key.name));
            }
        }
        if self.archives.is_empty() {
            text.push_str("no gateway keeps an archive\n");
        }
        for archive in &self.archives {
            text.push_str(&archive.text());
        }
        text.push_str(NOT_COUNTED);
        text
    }
}

/// A gateway confirms every minute what has not changed.
const OLD: Duration = Duration::from_secs(5 * 60);

const NOT_COUNTED: &str = "what applications keep themselves, and copies of archives, are not \
                           counted\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(reported_ms: Option<u64>, whole: bool, serves: bool, damaged: u32) -> String {
        let archive = KnownArchive {
            gateway_id: "core".to_owned(),
            serves,
            reported_ms,
            whole,
            damaged,
        };
        ArchiveView::new(archive, 1_000_000).text()
    }

    #[test]
    fn what_is_not_known_is_said() {
        for (shown, part) in [
            (
                sentence(Some(997_000), true, true, 0),
                "core: told 3 s ago\n",
            ),
            (sentence(None, false, true, 0), "has never told"),
            (sentence(Some(1), true, true, 0), "which is long"),
            (
                sentence(Some(997_000), false, true, 0),
                "not everything yet",
            ),
            (sentence(Some(997_000), true, false, 0), "serves no longer"),
            (sentence(Some(997_000), true, true, 2), "2 of its side-cars"),
        ] {
            assert!(shown.contains(part), "{shown}");
        }
    }
}

//! Rewrapping: operators start jobs and read the census; gateways tell what their archives hold and
//! move data keys.

use envelope::id::KeyId;
use tonic::transport::Channel;
use ward_proto::admin::v1 as admin;
use ward_proto::admin::v1::rewrap_admin_service_client::RewrapAdminServiceClient;
use ward_proto::v1;
use ward_proto::v1::rewrap_service_client::RewrapServiceClient;

use super::new_intent;
use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::limits::{ANSWER_BYTES_MAX, PAGE_SIZE};
use crate::model::{
    ArchiveReport, Census, KeySelector, Rewrap, RewrapItem, Rewrapped, RunningRewrap,
    archive_from_wire, item_to_wire, key_census_from_wire, malformed_answer, report_to_wire,
    rewrap_from_wire, rewrapped_from_wire, running_from_wire, selector_to_wire,
};

impl Client {
    /// Begins a job at every gateway with an archive: all that lies under older versions of the key
    /// is moved to the version that is the primary now, or a newer one. A job that does so already
    /// is followed, at `rate` data keys a second at each gateway where that is given. An operator
    /// verb.
    ///
    /// # Errors
    ///
    /// `KEY_NOT_FOUND`, `KEY_DISABLED`, `KEY_USAGE` for a key that wraps nothing,
    /// `INVALID_ARGUMENT` for a rate above 100 000 and when 256 other jobs run. `VERSION_NEWER`
    /// while a node of the cluster does not know jobs.
    pub async fn start_rewrap(
        &self,
        key: impl Into<KeySelector>,
        rate: Option<u32>,
    ) -> Result<Rewrap, Error> {
        let message = admin::StartRewrapRequest {
            key: Some(selector_to_wire(&key.into())),
            rate: rate.unwrap_or(0),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).start_rewrap(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        rewrap_from_wire(answer.rewrap)
    }

    /// Ends the job of a key. What was moved stays where it is. An operator verb.
    ///
    /// # Errors
    ///
    /// `KEY_NOT_FOUND`; `INVALID_ARGUMENT` when none runs.
    pub async fn cancel_rewrap(&self, key: impl Into<KeySelector>) -> Result<Rewrap, Error> {
        let message = admin::CancelRewrapRequest {
            key: Some(selector_to_wire(&key.into())),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).cancel_rewrap(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        rewrap_from_wire(answer.rewrap)
    }

    /// Tells how many archived data keys lie under each version of one key, or of all keys, as
    /// gateways told it. An operator verb.
    ///
    /// # Errors
    ///
    /// `KEY_NOT_FOUND`.
    pub async fn census(&self, key: Option<KeySelector>) -> Result<Census, Error> {
        let mut census = Census {
            keys: Vec::new(),
            archives: Vec::new(),
            now_ms: 0,
        };
        let mut page_token = String::new();
        loop {
            let message = admin::ReadCensusRequest {
                key: key.as_ref().map(selector_to_wire),
                page_size: PAGE_SIZE,
                page_token,
            };
            let answer = self.inner.call(Route::Leader, |attempt| {
                let request = attempt.request(message.clone());
                async move { operator(attempt.channel).read_census(request).await }
            });
            let answer = answer.await?;
            self.inner.saw(answer.applied);
            for key in answer.keys {
                census.keys.push(key_census_from_wire(key)?);
            }
            census.archives = answer.gateways.into_iter().map(archive_from_wire).collect();
            census.now_ms = answer.now_ms;
            if answer.next_page_token.is_empty() {
                return Ok(census);
            }
            page_token = answer.next_page_token;
        }
    }

    /// Tells what this gateway's archive holds, or only asks, and answers the jobs that run. For
    /// core gateways alone.
    ///
    /// # Errors
    ///
    /// `DENIED` when the caller is no core gateway, `INVALID_ARGUMENT` for a report that is too
    /// large, `VERSION_NEWER` while a node of the cluster does not know reports.
    pub async fn report_archive(
        &self,
        report: Option<&ArchiveReport>,
    ) -> Result<Vec<RunningRewrap>, Error> {
        let report = report.map(report_to_wire);
        let message = v1::ReportArchiveRequest { report };
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message.clone());
            async move { gateway(attempt.channel).report_archive(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        let jobs = answer.rewraps.into_iter().map(running_from_wire);
        jobs.collect()
    }

    /// Moves wrapped data keys to the primary version of their own key, or compares what was moved
    /// with what it was made of; each is answered by itself, in their order. Nothing is opened for
    /// the caller. For core gateways alone, and keys of devices.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for none or more than 256, `DENIED`, `KEY_NOT_FOUND`, `KEY_DISABLED`. Of
    /// one alone: `OPEN_FAILED`, `VERSION_DISABLED`, `VERSION_TOO_OLD`.
    pub async fn rewrap_data_keys(
        &self,
        key_id: KeyId,
        items: &[RewrapItem],
    ) -> Result<Vec<Result<Rewrapped, Error>>, Error> {
        let message = v1::RewrapDataKeysRequest {
            key: Some(selector_to_wire(&key_id.into())),
            items: items.iter().map(item_to_wire).collect(),
        };
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message.clone());
            async move { gateway(attempt.channel).rewrap_data_keys(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        if answer.results.len() != items.len() {
            return Err(malformed_answer("number of results"));
        }
        Ok(answer
            .results
            .into_iter()
            .map(rewrapped_from_wire)
            .collect())
    }
}

fn gateway(channel: Channel) -> RewrapServiceClient<Channel> {
    RewrapServiceClient::new(channel)
}

fn operator(channel: Channel) -> RewrapAdminServiceClient<Channel> {
    RewrapAdminServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

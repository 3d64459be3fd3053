//! New requests in one step: result and message in one transaction, and one write to the disk.

use async_trait::async_trait;
use futures::future::try_join_all;
use jiff::Timestamp;
use mogbox_core::broker::Submission;
use mogbox_core::intake::Intake;
use mogbox_core::store::StoreError;
use mogbox_core::submit::SubmitError;

use super::broker::EmbeddedBroker;
use super::results::New;

/// Takes requests in to the embedded database.
pub struct EmbeddedIntake(EmbeddedBroker);

impl EmbeddedIntake {
    /// Takes requests in for this broker, with results in its database.
    #[must_use]
    pub const fn new(broker: EmbeddedBroker) -> Self {
        Self(broker)
    }
}

#[async_trait]
impl Intake for EmbeddedIntake {
    async fn take_in(&self, submissions: Vec<Submission>, at: Timestamp) -> Result<(), SubmitError> {
        let calls = self.0.groups(&submissions).into_iter().map(|(group, members)| {
            let results: Vec<New> = members.iter().map(|one| New::of(&one.tenant, &one.request, at)).collect();
            self.0.database().call(move |connection| {
                let open: Vec<bool> = results.iter().map(|one| one.create_unless_final(connection)).collect::<Result<_, _>>()?;
                group.store(connection, |place| open.get(place).copied().unwrap_or(true))
            })
        });
        try_join_all(calls).await.map(drop).map_err(|error| SubmitError::Store(StoreError::from(error)))
    }
}

//! Tells metering one thing, or several records at once, and says what became of it. All of it may be
//! told again: metering knows ids.

use futures::stream;
use keyward_money::Nanos;
use keyward_proto::metering::v1::{RecordUsageRequest, SettleUsageRequest, VoidHoldRequest};
use tokio::sync::mpsc;
use tonic::{Code, Status};

use super::{CALL_TIMEOUT, Client};
use crate::domain::parcel::is_recovered;

/// How many records go in one call, which metering stores together.
pub(super) const RECORDS_MAX: usize = 256;

/// What a settle came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) charge: Nanos,
    pub(crate) list_cost: Option<Nanos>,
}

/// What became of something that metering was told.
#[derive(Debug)]
pub(super) enum Told {
    /// It has it; of a settle, with what it came to.
    Done(Option<Settled>),
    /// It refuses it, and always will.
    Refused(String),
    /// It cannot be told now.
    Away(Status),
}

/// What became of one, by its sequence in the spool.
pub(super) type Outcome = (i64, Told);

/// Who tells metering.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub(super) client: Client,
    /// Where outcomes go.
    pub(super) outcomes: mpsc::Sender<Outcome>,
}

impl Delivery {
    /// Charges a hold.
    pub(super) async fn settle(&self, sequence: i64, settle: SettleUsageRequest) {
        let is_recovered = is_recovered(settle.event.as_ref());
        let mut client = self.client.clone();
        let call = async move {
            let response = client.settle_usage(settle).await?.into_inner();
            Ok(Some(Settled {
                charge: Nanos::new(response.charge_nanos),
                list_cost: response.list_cost_nanos.map(Nanos::new),
            }))
        };
        self.one(sequence, is_recovered, call).await;
    }

    /// Gives a hold back.
    pub(super) async fn void(&self, sequence: i64, void: VoidHoldRequest) {
        let is_recovered = is_recovered(void.event.as_ref());
        let mut client = self.client.clone();
        let call = async move {
            let has_event = void.event.is_some();
            match client.void_hold(void).await {
                // There was none.
                Err(status) if !has_event && status.code() == Code::NotFound => Ok(None),
                answer => answer.map(|_| None),
            }
        };
        self.one(sequence, is_recovered, call).await;
    }

    async fn one(
        &self,
        sequence: i64,
        is_recovered: bool,
        call: impl Future<Output = Result<Option<Settled>, Status>>,
    ) {
        let told = match within_time(call).await {
            Ok(settled) => Told::Done(settled),
            Err(status) => refusal(status, is_recovered),
        };
        self.report(sequence, told).await;
    }

    /// Tells several records in one call. Where one of them is refused, they are told one by one, so
    /// that it holds up no other.
    pub(super) async fn records(&self, records: Vec<(i64, RecordUsageRequest)>) {
        let (stored, failure) = self.stream(&records).await;
        for (sequence, _) in &records[..stored] {
            self.report(*sequence, Told::Done(None)).await;
        }
        let Some(failure) = failure else { return };
        let left = &records[stored..];
        let is_refused = matches!(refusal(failure.clone(), false), Told::Refused(_));
        for (sequence, record) in left {
            let told = match (is_refused, left.len()) {
                (false, _) => Told::Away(failure.clone()),
                (true, 1) => refusal(failure.clone(), is_recovered(record.event.as_ref())),
                (true, _) => {
                    let alone = [(*sequence, record.clone())];
                    match self.stream(&alone).await.1 {
                        None => Told::Done(None),
                        Some(failure) => refusal(failure, is_recovered(record.event.as_ref())),
                    }
                }
            };
            self.report(*sequence, told).await;
        }
    }

    /// How many of the first ones are stored, and why the others are not.
    async fn stream(&self, records: &[(i64, RecordUsageRequest)]) -> (usize, Option<Status>) {
        let mut stored = 0;
        let numbered = (1..).zip(records).map(|(sequence, (_, record))| {
            let record = record.clone();
            RecordUsageRequest { sequence, ..record }
        });
        let requests = stream::iter(numbered.collect::<Vec<_>>());
        let told = async {
            let mut client = self.client.clone();
            let mut answers = client.record_usage(requests).await?.into_inner();
            while stored < records.len() {
                let Some(answer) = answers.message().await? else {
                    return Err(Status::unavailable("metering hung up"));
                };
                let acknowledged = usize::try_from(answer.acknowledged_sequence);
                stored = acknowledged.map_or(stored, |up_to| up_to.min(records.len()));
            }
            Ok(())
        };
        let failure = within_time(told).await.err();
        (stored, failure)
    }

    async fn report(&self, sequence: i64, told: Told) {
        // Who does not hear it any more tells it again after the next start.
        let _ = self.outcomes.send((sequence, told)).await;
    }
}

async fn within_time<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(answer) => answer,
        Err(_) => Err(Status::deadline_exceeded("metering took too long")),
    }
}

/// What a failure means. Only what metering says of the message itself is for good: not to be let in
/// says nothing of the message, and usage that was refused so would be lost. What was recovered gives
/// way to an event of the same id, which was measured.
fn refusal(status: Status, is_recovered: bool) -> Told {
    use Code::{AlreadyExists, FailedPrecondition, InvalidArgument, NotFound};
    match status.code() {
        AlreadyExists if is_recovered => Told::Done(None),
        AlreadyExists | FailedPrecondition | InvalidArgument | NotFound => {
            Told::Refused(status.message().to_owned())
        }
        _ => Told::Away(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_of_the_message_is_for_good() {
        for (code, is_recovered, expect) in [
            (Code::InvalidArgument, false, "refused"),
            (Code::AlreadyExists, false, "refused"),
            (Code::AlreadyExists, true, "done"),
            (Code::NotFound, true, "refused"),
            (Code::FailedPrecondition, false, "refused"),
            (Code::PermissionDenied, false, "away"),
            (Code::Unauthenticated, false, "away"),
            (Code::Unavailable, false, "away"),
            (Code::Internal, true, "away"),
            (Code::Unimplemented, false, "away"),
            (Code::ResourceExhausted, false, "away"),
        ] {
            let told = match refusal(Status::new(code, ""), is_recovered) {
                Told::Done(_) => "done",
                Told::Refused(_) => "refused",
                Told::Away(_) => "away",
            };
            assert_eq!(told, expect, "{code:?} {is_recovered}");
        }
    }
}

//! Tests of keys: which key is meant, and what was found.

use keyward_proto::router::v1 as proto;
use keyward_proto::vault::v1::CheckProviderKeyRequest;
use keyward_runtime::error::{Reason, metadata, status};
use tonic::Status;

use crate::app::{Subject, Tested};
use crate::domain::key_test::{Balance, Finding};

/// Which key is to be tested. What is not saved is taken apart, so that its secret is held once.
pub(super) fn subject(message: proto::TestProviderKeyRequest) -> Result<Subject, Status> {
    match (message.provider_key_id.is_empty(), message.unsaved) {
        (false, None) => Ok(Subject::Stored(message.provider_key_id)),
        (true, Some(unsaved)) => Ok(Subject::Unsaved(CheckProviderKeyRequest {
            owner: unsaved.owner,
            provider: unsaved.provider,
            key: unsaved.key,
            base_url: unsaved.base_url,
            settings: unsaved.settings,
        })),
        _ => {
            let message = "give the id of a stored key, or one that is not saved";
            let facts = vec![(metadata::PARAM, "provider_key_id".to_owned())];
            Err(status(Reason::InvalidRequest, message, facts))
        }
    }
}

pub(super) fn answer(tested: Tested) -> proto::TestProviderKeyResponse {
    let Tested { verdict, status } = tested;
    proto::TestProviderKeyResponse {
        valid: verdict.finding == Finding::Accepted,
        finding: finding(verdict.finding).into(),
        message: verdict.finding.message().to_owned(),
        status: status.into(),
        detail: verdict.said,
        models: verdict.models,
        balance: verdict.balance.map(balance),
    }
}

fn finding(finding: Finding) -> proto::KeyFinding {
    match finding {
        Finding::Accepted => proto::KeyFinding::Accepted,
        Finding::Rejected => proto::KeyFinding::Rejected,
        Finding::NoCredit => proto::KeyFinding::NoCredit,
        Finding::RateLimited => proto::KeyFinding::RateLimited,
        Finding::Unreachable => proto::KeyFinding::Unreachable,
        Finding::TimedOut => proto::KeyFinding::TimedOut,
        Finding::ProviderFailed => proto::KeyFinding::ProviderFailed,
        Finding::NotTold => proto::KeyFinding::NotTold,
    }
}

fn balance(balance: Balance) -> proto::KeyBalance {
    proto::KeyBalance {
        amount_nanos: balance.amount_nanos,
        currency: balance.currency,
        limit_nanos: balance.limit_nanos,
    }
}

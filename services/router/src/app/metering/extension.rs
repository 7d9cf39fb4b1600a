//! Raising a hold.

use keyward_money::Usage;
use keyward_proto::metering::v1::ExtendHoldRequest;
use keyward_runtime::ids;

use super::{CALL_TIMEOUT, Hold, MeteringPort, RouteError};

impl MeteringPort {
    /// Raises a hold to what its request is expected to use.
    pub(crate) async fn raise(
        &self,
        hold: &Hold,
        usage: &Usage,
        service_tier: &str,
    ) -> Result<(), RouteError> {
        let id = match hold {
            Hold::Leased(hold) => return self.leases.extend(hold, usage, service_tier).await,
            Hold::Placed { id } => id,
        };
        let request = ExtendHoldRequest {
            request_id: ids::new_text(),
            hold_id: id.clone(),
            estimate: Some((*usage).into()),
            service_tier: service_tier.to_owned(),
        };
        self.extend(request).await
    }

    /// Asks once for a hold to be raised. A stream may outlast its grant, so it is asked in the
    /// router's own name; the hold says whose it is.
    async fn extend(&self, request: ExtendHoldRequest) -> Result<(), RouteError> {
        let mut client = self.client.clone();
        let call = client.extend_hold(request);
        match tokio::time::timeout(CALL_TIMEOUT, call).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) => Err(RouteError::from_status(&status, "metering")),
            Err(_) => Err(RouteError::away("metering")),
        }
    }
}

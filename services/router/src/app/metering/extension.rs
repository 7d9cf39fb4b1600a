//! Raising a hold.

use keyward_proto::metering::v1::ExtendHoldRequest;

use super::{CALL_TIMEOUT, MeteringPort, RouteError};

impl MeteringPort {
    /// Asks once for a hold to be raised. A stream may outlast its grant, so it is asked in the
    /// router's own name; the hold says whose it is.
    pub(crate) async fn extend(&self, request: ExtendHoldRequest) -> Result<(), RouteError> {
        let mut client = self.client.clone();
        let call = client.extend_hold(request);
        match tokio::time::timeout(CALL_TIMEOUT, call).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) => Err(RouteError::from_status(&status, "metering")),
            Err(_) => Err(RouteError::away("metering")),
        }
    }
}

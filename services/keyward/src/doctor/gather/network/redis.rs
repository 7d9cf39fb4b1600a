//! Whether the Redis that routers share counts limits.

use keyward_limits::RedisLimiter;
use tokio::time::timeout;

use super::{LIMIT, root};
use crate::configs;
use crate::doctor::gather::Subject;
use crate::doctor::judge::redis::Facts;
use crate::roles::Role;

/// `None` where no router of this process shares limits.
pub(crate) async fn gather(subject: &Subject) -> Option<Facts> {
    let shared = configs::router(&subject.settings).ok()?.shared_limits;
    let shared = shared.filter(|_| subject.roles.has(Role::Router))?;
    let asked = async {
        let redis = RedisLimiter::new(&shared.redis)?;
        redis.connect().await?;
        redis.probe().await
    };
    Some(match timeout(LIMIT, asked).await {
        Ok(answered) => answered.err().map(|error| root(&error)),
        Err(_) => Some(format!("no answer within {} s", LIMIT.as_secs())),
    })
}

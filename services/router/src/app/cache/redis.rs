//! Stored answers in a Redis that several routers share. Each is sealed under a key that only its very
//! request gives, so that Redis, and who reads it, learns sizes and times and no word of it.

use std::time::Duration;

use ::redis::aio::ConnectionManager;
use keyward_limits::{RedisConfig, RedisError};
use ring::digest;

use super::{millis, now_ms};
use crate::app::sealing;
use crate::domain::cache::{Key, StoredAnswer};

/// How many answers are taken away in one step.
const PURGE_STEP: isize = 500;

/// The shelf in Redis. How many bytes it takes there is Redis' own setting.
pub(crate) struct RedisShelf {
    connection: ConnectionManager,
    timeout: Duration,
}

impl std::fmt::Debug for RedisShelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisShelf").finish_non_exhaustive()
    }
}

impl RedisShelf {
    /// It connects when it is first used.
    pub(crate) fn new(config: &RedisConfig) -> Result<Self, RedisError> {
        Ok(Self {
            connection: keyward_limits::redis_connection(config)?,
            timeout: config.timeout,
        })
    }

    /// What cannot be opened counts as not there.
    pub(super) async fn get(&self, key: &Key) -> Result<Option<StoredAnswer>, RedisError> {
        let mut command = ::redis::cmd("GET");
        command.arg(place(&key.tenant, &hex(&key.name)));
        let sealed: Option<Vec<u8>> = self
            .run(|mut c| async move { command.query_async(&mut c).await })
            .await?;
        Ok(sealed.and_then(|sealed| sealing::open(&key.seal, &key.name, sealed)))
    }

    pub(super) async fn put(
        &self,
        key: &Key,
        answer: &StoredAnswer,
        tags: &[String],
        lifetime: Duration,
    ) -> Result<(), RedisError> {
        let Some(sealed) = sealing::seal(&key.seal, &key.name, answer) else {
            return Ok(());
        };
        let (name, lifetime) = (hex(&key.name), millis(lifetime));
        let now = now_ms();
        let mut steps = ::redis::pipe();
        steps.atomic();
        let answer_place = place(&key.tenant, &name);
        steps
            .cmd("SET")
            .arg(answer_place)
            .arg(sealed)
            .arg("PX")
            .arg(lifetime)
            .ignore();
        for index in indexes(&key.tenant, tags) {
            steps
                .cmd("ZREMRANGEBYSCORE")
                .arg(&index)
                .arg("-inf")
                .arg(now)
                .ignore();
            steps
                .cmd("ZADD")
                .arg(&index)
                .arg(now.saturating_add(lifetime))
                .arg(&name)
                .ignore();
            // As long as the last of them is there: a list that nobody keeps purges nothing.
            for condition in ["NX", "GT"] {
                steps
                    .cmd("PEXPIRE")
                    .arg(&index)
                    .arg(lifetime)
                    .arg(condition)
                    .ignore();
            }
        }
        self.run(|mut c| async move { steps.query_async(&mut c).await })
            .await
    }

    pub(super) async fn purge(&self, tenant: &str, tag: Option<&str>) -> Result<u64, RedisError> {
        let index = index(tenant, tag);
        let mut purged = 0;
        loop {
            let mut command = ::redis::cmd("ZRANGE");
            command.arg(&index).arg(0).arg(PURGE_STEP - 1);
            let names: Vec<String> = self
                .run(|mut c| async move { command.query_async(&mut c).await })
                .await?;
            if names.is_empty() {
                return Ok(purged);
            }
            let mut steps = ::redis::pipe();
            steps.atomic();
            let places = names.iter().map(|name| place(tenant, name));
            steps.cmd("UNLINK").arg(places.collect::<Vec<_>>());
            steps.cmd("ZREM").arg(&index).arg(&names).ignore();
            let (unlinked,): (u64,) = self
                .run(|mut c| async move { steps.query_async(&mut c).await })
                .await?;
            purged += unlinked;
        }
    }

    /// Waits for a step as long as a request can.
    async fn run<T, F>(&self, step: impl FnOnce(ConnectionManager) -> F) -> Result<T, RedisError>
    where
        F: Future<Output = ::redis::RedisResult<T>>,
    {
        match tokio::time::timeout(self.timeout, step(self.connection.clone())).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(RedisError::Late(self.timeout)),
        }
    }
}

/// Where an answer lies. All of a tenant's lie in one place of a cluster.
fn place(tenant: &str, name: &str) -> String {
    format!("keyward:cache:{{{}}}:{name}", digested(tenant))
}

/// What lists a tenant's answers, all of them or those with a tag.
fn index(tenant: &str, tag: Option<&str>) -> String {
    let what = tag.map_or_else(|| "all".to_owned(), |tag| format!("tag:{}", digested(tag)));
    format!("keyward:cache:{{{}}}:{what}", digested(tenant))
}

/// The lists that an answer is in: of all, of each tag, and of each tag's name.
fn indexes(tenant: &str, tags: &[String]) -> Vec<String> {
    let name_of = |tag: &String| {
        tag.split_once('=')
            .map(|(name, _)| index(tenant, Some(name)))
    };
    let mut indexes = vec![index(tenant, None)];
    indexes.extend(tags.iter().map(|tag| index(tenant, Some(tag))));
    indexes.extend(tags.iter().filter_map(name_of));
    indexes
}

/// Names of tenants and tags are nobody's business either.
fn digested(text: &str) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    hex(digest.as_ref().get(..16).unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::domain::cache::Form;

    fn key(tenant: &str) -> Key {
        Key::of(tenant, "m", Form::Plain, r#"{"messages":["canary"]}"#).unwrap()
    }

    #[test]
    fn a_sealed_answer_opens_for_its_very_request_alone() {
        let answer = StoredAnswer {
            body: Bytes::from_static(b"canary"),
            ..StoredAnswer::default()
        };
        let (mine, other) = (key("users/a"), key("users/b"));
        let open = |key: &Key, sealed| sealing::open(&key.seal, &key.name, sealed);
        let sealed = sealing::seal(&mine.seal, &mine.name, &answer).unwrap();
        assert!(memchr::memmem::find(&sealed, b"canary").is_none());
        assert_eq!(open(&mine, sealed.clone()), Some(answer));
        assert_eq!(open(&other, sealed.clone()), None);
        let mut broken = sealed;
        *broken.last_mut().unwrap() ^= 1;
        assert_eq!(open(&mine, broken), None);
        assert_eq!(open(&mine, Vec::new()), None);
    }

    #[test]
    fn places_tell_neither_tenants_nor_tags() {
        let tags = ["team=search".to_owned()];
        let indexes = indexes("users/anna", &tags);
        assert_eq!(indexes.len(), 3);
        for index in indexes {
            assert!(
                !index.contains("anna") && !index.contains("search") && !index.contains("team")
            );
        }
    }
}

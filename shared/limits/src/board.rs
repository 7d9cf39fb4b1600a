//! A board in Redis: what one process posts is heard by the others at once, and lies there for those
//! that start later, for as long as it is to live. Hints only: a Redis that is away or slow delays
//! nobody, and what is not heard is missed.

use std::time::Duration;

use ::redis::aio::{ConnectionManager, PubSub};
use ::redis::{Client, Msg};
use futures::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;

use crate::redis::{RedisConfig, RedisError, connect};

/// The pause before Redis is tried again.
const PAUSE: Duration = Duration::from_millis(500);
/// How long connecting, or one step beside requests, may take.
const STEP: Duration = Duration::from_secs(2);
/// After so long without a word it is connected anew: a connection whose other end vanished never
/// fails by itself, and what was missed lies there.
const SILENCE: Duration = Duration::from_secs(30);
/// How many posts are asked for at a time.
const PAGE: usize = 500;
/// The most posts that are read when it is connected: a router remembers no more keys.
const POSTS_MAX: usize = 10_000;

/// Something to be known by others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// What it is about; a later one takes its place.
    pub name: String,
    /// What it says.
    pub text: String,
    /// How long it lives, in milliseconds.
    pub lives_ms: u64,
}

/// The board.
pub struct Board {
    client: Client,
    /// Begins the names of all posts, and is the channel's.
    topic: String,
    /// Who posts: its own posts are not heard.
    author: String,
}

impl std::fmt::Debug for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Board").finish_non_exhaustive()
    }
}

impl Board {
    /// A board of this name, for one author. It connects when it is run.
    pub fn new(config: &RedisConfig, topic: &str, author: String) -> Result<Self, RedisError> {
        Ok(Self {
            client: connect::client(config)?,
            topic: format!("keyward:{topic}"),
            author,
        })
    }

    /// Posts what comes from `posts`, and tells `heard` what others post and how many milliseconds it
    /// lives still, until the process stops.
    pub async fn run(
        &self,
        posts: impl Stream<Item = Post> + Unpin,
        heard: impl Fn(&str, u64),
        stopping: CancellationToken,
    ) {
        let both = async { tokio::join!(self.speak(posts), self.listen(heard)) };
        stopping.run_until_cancelled(both).await;
    }

    async fn speak(&self, mut posts: impl Stream<Item = Post> + Unpin) {
        let mut connection = None;
        while let Some(post) = posts.next().await {
            let posted = match &mut connection {
                Some(connection) => self.post(connection, &post).await,
                None => match connect::patiently(&self.client).await {
                    Ok(made) => self.post(connection.insert(made), &post).await,
                    Err(error) => Err(error),
                },
            };
            if let Err(error) = posted {
                tracing::debug!(%error, "other routers could not be told");
                connection = None;
            }
        }
    }

    async fn post(
        &self,
        connection: &mut ConnectionManager,
        post: &Post,
    ) -> Result<(), RedisError> {
        let text = format!("{} {}", self.author, post.text);
        let mut steps = ::redis::pipe();
        let name = format!("{}:{}", self.topic, post.name);
        let lives_ms = post.lives_ms.max(1);
        steps.pset_ex(name, &text, lives_ms).ignore();
        let told = format!("{lives_ms} {text}");
        steps.publish(&self.topic, told).ignore();
        in_time(steps.exec_async(connection)).await
    }

    async fn listen(&self, heard: impl Fn(&str, u64)) {
        loop {
            if let Err(error) = self.listen_once(&heard).await {
                tracing::debug!(%error, "other routers cannot be heard");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Hears what is posted until the connection is lost, or has been silent for long.
    async fn listen_once(&self, heard: &impl Fn(&str, u64)) -> Result<(), RedisError> {
        let mut channel: PubSub = in_time(self.client.get_async_pubsub()).await?;
        in_time(channel.subscribe(&self.topic)).await?;
        // Once it is subscribed, so that nothing falls in between.
        self.read(heard).await?;
        let mut messages = channel.into_on_message();
        while let Ok(Some(message)) = tokio::time::timeout(SILENCE, messages.next()).await {
            self.hear(&message, heard);
        }
        Ok(())
    }

    fn hear(&self, message: &Msg, heard: &impl Fn(&str, u64)) {
        let told: String = message.get_payload().unwrap_or_default();
        let Some((lives_ms, text)) = told.split_once(' ') else {
            return;
        };
        if let Ok(lives_ms) = lives_ms.parse() {
            self.tell(text, lives_ms, heard);
        }
    }

    fn tell(&self, text: &str, lives_ms: u64, heard: &impl Fn(&str, u64)) {
        if let Some((author, text)) = text.split_once(' ')
            && author != self.author
        {
            heard(text, lives_ms);
        }
    }

    /// Reads what lies there.
    async fn read(&self, heard: &impl Fn(&str, u64)) -> Result<(), RedisError> {
        let mut connection = connect::patiently(&self.client).await?;
        let (mut cursor, mut count) = (0_u64, 0);
        loop {
            let mut step = ::redis::cmd("SCAN");
            step.arg(cursor)
                .arg("MATCH")
                .arg(format!("{}:*", self.topic));
            step.arg("COUNT").arg(PAGE);
            let page: (u64, Vec<String>) = in_time(step.query_async(&mut connection)).await?;
            let names = page.1;
            count += names.len();
            for name in &names {
                self.read_one(name, &mut connection, heard).await?;
            }
            cursor = page.0;
            if cursor == 0 || count >= POSTS_MAX {
                return Ok(());
            }
        }
    }

    async fn read_one(
        &self,
        name: &str,
        connection: &mut ConnectionManager,
        heard: &impl Fn(&str, u64),
    ) -> Result<(), RedisError> {
        let mut steps = ::redis::pipe();
        steps.get(name).pttl(name);
        let (text, lives_ms): (Option<String>, i64) =
            in_time(steps.query_async(connection)).await?;
        if let (Some(text), Ok(lives_ms)) = (text, u64::try_from(lives_ms)) {
            self.tell(&text, lives_ms, heard);
        }
        Ok(())
    }
}

async fn in_time<T>(step: impl Future<Output = ::redis::RedisResult<T>>) -> Result<T, RedisError> {
    match tokio::time::timeout(STEP, step).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(RedisError::Late(STEP)),
    }
}

//! What can go wrong with Postgres. Of its messages only the first line is kept: details repeat
//! values of rows.

use std::error::Error;

use deadpool_postgres::{HookError, PoolError};
use tokio_postgres::error::SqlState;

/// A fault of Postgres, or on the way to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostgresError {
    /// It refused a statement or a connection.
    #[error("Postgres refused: {message} (SQLSTATE {code})")]
    Refused {
        /// The SQLSTATE, five characters.
        code: String,
        /// The violated constraint, where it is one.
        constraint: Option<String>,
        /// Its words.
        message: String,
    },
    /// It cannot be reached, or the connection broke.
    #[error("Postgres cannot be reached: {0}")]
    Unreachable(String),
    /// It did not answer in time.
    #[error("Postgres did not answer within {0}")]
    TimedOut(&'static str),
    /// Every connection is busy.
    #[error("no connection to Postgres became free within 2 s")]
    Busy,
    /// The certificates of the authorities to trust.
    #[error("the certificates that Postgres is to be checked with cannot be used: {0}")]
    Certificates(String),
    /// What it sent is not what was asked for.
    #[error("Postgres sent something unexpected: {0}")]
    Unexpected(String),
    /// It was closed.
    #[error("the connections to Postgres are closed")]
    Closed,
}

impl PostgresError {
    /// The SQLSTATE, if Postgres itself refused.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether it refused values, by the class of its code: data that is none of its type, a
    /// constraint, or more than a row or an index holds.
    pub(crate) fn is_of_values(&self) -> bool {
        const CLASSES: [&str; 3] = ["22", "23", "54"];
        let class = self.code().and_then(|code| code.get(..2));
        class.is_some_and(|class| CLASSES.contains(&class))
    }

    /// Whether the connection is of no use any more, or knows a schema that has changed since.
    pub(super) fn spoils_connection(&self) -> bool {
        match self {
            Self::Refused { code, .. } => {
                code == SqlState::FEATURE_NOT_SUPPORTED.code()
                    || code == SqlState::INVALID_SQL_STATEMENT_NAME.code()
            }
            _ => true,
        }
    }
}

/// How the client's own messages begin that tell of the way to the server.
const ON_THE_WAY: [&str; 3] = [
    "error connecting",
    "error performing TLS",
    "timeout waiting",
];

impl From<tokio_postgres::Error> for PostgresError {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(refusal) = error.as_db_error() {
            return Self::Refused {
                code: refusal.code().code().to_owned(),
                constraint: refusal.constraint().map(str::to_owned),
                message: refusal.message().to_owned(),
            };
        }
        let words = match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        // A value of the wrong type is a fault of the statement; these are of the way.
        let is_of_the_way = error.is_closed()
            || error
                .source()
                .is_some_and(<dyn Error>::is::<std::io::Error>)
            || ON_THE_WAY.iter().any(|start| words.starts_with(start));
        match is_of_the_way {
            true => Self::Unreachable(words),
            false => Self::Unexpected(words),
        }
    }
}

impl From<PoolError> for PostgresError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
                error.into()
            }
            PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => Self::Busy,
            PoolError::Timeout(_) => Self::TimedOut("5 s of connecting"),
            PoolError::Closed => Self::Closed,
            PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                Self::Unexpected("the pool cannot be used".to_owned())
            }
        }
    }
}

//! The file with answers to requests that came with an `Idempotency-Key`: of this router alone, made
//! when there is a first one. What lies in it is sealed by who puts it there.

use std::path::{Path, PathBuf};

use keyward_storage::{Database, Migration, StorageError};
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::OnceCell;

use crate::domain::repeatable::Place;

const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001_answers.sql",
    sql: include_str!("answers/0001_answers.sql"),
}];

const FORGET: &str = "DELETE FROM repeatable_answer WHERE expire_ms <= ?1";

const GET: &str = "SELECT matches, answer FROM repeatable_answer WHERE place = ?1";

const CLAIM: &str = "
    INSERT INTO repeatable_answer (place, matches, holder, expire_ms) VALUES (?1, ?2, ?3, ?4)";

const FINISH: &str = "
    UPDATE repeatable_answer SET answer = ?3, expire_ms = ?4
    WHERE place = ?1 AND holder = ?2 AND answer IS NULL";

const RELEASE: &str =
    "DELETE FROM repeatable_answer WHERE place = ?1 AND holder = ?2 AND answer IS NULL";

/// A request's place, and who wants it until when.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) place: Place,
    pub(crate) matches: [u8; 32],
    /// The request.
    pub(crate) holder: String,
    pub(crate) now_ms: i64,
    /// When the place is free again, if its holder says nothing more.
    pub(crate) expire_ms: i64,
}

/// What a request finds in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing: it is the first, and holds the place.
    Free,
    /// The first is under way.
    Running,
    /// Another request came under the same key.
    Other,
    /// The sealed answer to the first.
    Answer(Vec<u8>),
}

/// The file.
#[derive(Debug)]
pub(crate) struct Answers {
    path: PathBuf,
    database: OnceCell<Database>,
}

impl Answers {
    /// In the file at that path, which need not be there.
    pub(crate) fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            database: OnceCell::new(),
        }
    }

    /// Takes a place, if it is free.
    pub(crate) async fn claim(&self, claim: Claim) -> Result<Found, StorageError> {
        let database = self.database().await?;
        database
            .write(move |connection| take(connection, &claim))
            .await
    }

    /// Puts the answer into a place that is held.
    pub(crate) async fn finish(
        &self,
        place: Place,
        holder: String,
        answer: Vec<u8>,
        expire_ms: i64,
    ) -> Result<(), StorageError> {
        let database = self.database().await?;
        let put = move |connection: &Connection| {
            let values = params![place, holder, answer, expire_ms];
            connection.prepare_cached(FINISH)?.execute(values)?;
            Ok(())
        };
        database.write(put).await
    }

    /// Frees a place that is held.
    pub(crate) async fn release(&self, place: Place, holder: String) -> Result<(), StorageError> {
        let database = self.database().await?;
        let free = move |connection: &Connection| {
            connection
                .prepare_cached(RELEASE)?
                .execute(params![place, holder])?;
            Ok(())
        };
        database.write(free).await
    }

    /// Closes the file, if it was opened.
    pub(crate) async fn close(&self) {
        if let Some(database) = self.database.get() {
            database.close().await;
        }
    }

    async fn database(&self) -> Result<&Database, StorageError> {
        let open = async || Database::open(&self.path, MIGRATIONS);
        self.database.get_or_try_init(open).await
    }
}

fn take(connection: &Connection, claim: &Claim) -> Result<Found, StorageError> {
    connection.prepare_cached(FORGET)?.execute([claim.now_ms])?;
    let columns = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let found: Option<(Vec<u8>, Option<Vec<u8>>)> = connection
        .prepare_cached(GET)?
        .query_row([claim.place], columns)
        .optional()?;
    Ok(match found {
        Some((matches, _)) if matches != claim.matches => Found::Other,
        Some((_, Some(answer))) => Found::Answer(answer),
        Some((_, None)) => Found::Running,
        None => {
            let values = params![claim.place, claim.matches, claim.holder, claim.expire_ms];
            connection.prepare_cached(CLAIM)?.execute(values)?;
            Found::Free
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(holder: &str, now_ms: i64) -> Claim {
        Claim {
            place: [1; 32],
            matches: [2; 32],
            holder: holder.to_owned(),
            now_ms,
            expire_ms: now_ms + 100,
        }
    }

    fn open() -> (Answers, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Answers::at(&folder.path().join("answers.db")), folder)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_first_holds_the_place_until_it_is_answered() {
        let (answers, _folder) = open();
        assert_eq!(answers.claim(claim("a", 0)).await.unwrap(), Found::Free);
        assert_eq!(answers.claim(claim("b", 1)).await.unwrap(), Found::Running);
        let other = Claim {
            matches: [3; 32],
            ..claim("b", 1)
        };
        assert_eq!(answers.claim(other).await.unwrap(), Found::Other);
        // Who does not hold it changes nothing.
        answers.release([1; 32], "b".to_owned()).await.unwrap();
        answers
            .finish([1; 32], "b".to_owned(), vec![9], 1_000)
            .await
            .unwrap();
        assert_eq!(answers.claim(claim("b", 1)).await.unwrap(), Found::Running);
        answers
            .finish([1; 32], "a".to_owned(), vec![7], 1_000)
            .await
            .unwrap();
        answers.release([1; 32], "a".to_owned()).await.unwrap();
        let found = answers.claim(claim("b", 999)).await.unwrap();
        assert_eq!(found, Found::Answer(vec![7]));
        assert_eq!(answers.claim(claim("b", 1_000)).await.unwrap(), Found::Free);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_place_that_is_given_back_or_forgotten_is_free() {
        let (answers, _folder) = open();
        assert_eq!(answers.claim(claim("a", 0)).await.unwrap(), Found::Free);
        answers.release([1; 32], "a".to_owned()).await.unwrap();
        assert_eq!(answers.claim(claim("b", 1)).await.unwrap(), Found::Free);
        assert_eq!(answers.claim(claim("c", 101)).await.unwrap(), Found::Free);
    }
}

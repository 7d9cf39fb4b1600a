//! The stores: there, readable, of a version that this program knows, sound.

use keyward_storage::postgres::SchemaFacts;
use keyward_storage::{Integrity, StoreFacts};

use crate::doctor::report::Check;

/// A write-ahead log larger than this is not being folded back into its database: in normal running
/// it is about 4 MiB.
const WAL_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// One store.
#[derive(Debug)]
pub(crate) struct Facts {
    /// Whose it is, such as `vault`.
    pub(crate) service: &'static str,
    /// Where it is, and what was found.
    pub(crate) place: Place,
}

/// Where a store is, and what was found there; an error where it cannot be read.
#[derive(Debug)]
pub(crate) enum Place {
    /// A file; `None` where there is none yet.
    File(String, Option<Result<StoreFacts, String>>),
    /// Postgres, by its address without the password.
    Postgres(String, Result<SchemaFacts, String>),
}

pub(crate) fn judge(facts: &Facts) -> Check {
    let name = format!("store.{}", facts.service);
    match &facts.place {
        Place::File(file, None) => Check::skip(
            name,
            format!("{file} is not there yet: the first start makes it"),
        ),
        Place::File(file, Some(Err(problem))) => Check::fail(
            name,
            format!("{file} cannot be read: {problem}"),
            "see that the file belongs to the gateway's user; restore a backup if it is damaged",
        ),
        Place::File(file, Some(Ok(store))) => judge_store(name, file, store),
        Place::Postgres(url, Err(problem)) => Check::fail(
            name,
            format!("{url}: {problem}"),
            "see that the address is right, that Postgres runs, and that it lets this role in",
        ),
        Place::Postgres(url, Ok(schema)) => judge_schema(name, url, schema),
    }
}

/// A start refuses any version but its own.
fn judge_schema(name: String, url: &str, schema: &SchemaFacts) -> Check {
    let (found, known, role) = (schema.found, schema.known, &schema.role);
    if found > known {
        let message = format!("{url} has schema {found}; this program knows up to {known}");
        let mend = "run the version of Keyward that upgraded it, or a later one";
        return Check::fail(name, message, mend);
    }
    if found < known {
        let message = format!("{url} has schema {found}; this program needs {known}");
        return Check::fail(name, message, "back it up, then run `keyward migrate`");
    }
    let message = format!("{url}: schema {found}, as the role `{role}`");
    match schema.superuser {
        true => Check::warn(
            name,
            format!("{message}, a superuser"),
            "give it a role of its own: deploy/postgres/roles.sql",
        ),
        false => Check::ok(name, message),
    }
}

fn judge_store(name: String, file: &str, store: &StoreFacts) -> Check {
    let (found, known) = (store.found, store.known);
    if found > known {
        let message = format!("{file} has schema {found}; this program knows up to {known}");
        return Check::fail(
            name,
            message,
            "run the version of Keyward that upgraded it, or a later one",
        );
    }
    if let Integrity::Damaged(words) = &store.integrity {
        let message = format!("{file} is damaged: {words}");
        return Check::fail(
            name,
            message,
            "stop the gateway and restore a backup of the file",
        );
    }
    if found < known {
        let message = format!("{file} has schema {found}; this program brings it to {known}");
        return Check::warn(
            name,
            message,
            "back it up, then run `keyward migrate`, or just start",
        );
    }
    if store.wal_bytes > WAL_BYTES_MAX {
        let message = format!("{file}-wal has grown to {} MiB", store.wal_bytes >> 20);
        return Check::warn(
            name,
            message,
            "end what reads the file for long, or restart the gateway",
        );
    }
    let integrity = match store.integrity {
        Integrity::NotFinished => "too large to be checked whole in this time",
        _ => "sound",
    };
    Check::ok(name, format!("{file}: schema {found}, {integrity}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Status;

    fn store(found: u32, known: u32, integrity: Integrity, wal_bytes: u64) -> StoreFacts {
        StoreFacts {
            found,
            known,
            integrity,
            wal_bytes,
        }
    }

    #[test]
    fn a_store_is_as_this_program_knows_it_and_sound() {
        let damaged = || Integrity::Damaged("row 7 missing from index".to_owned());
        let sound = Integrity::Sound;
        for (found, expect, says) in [
            (None, Status::Skip, "the first start makes it"),
            (
                Some(Err("file is not a database".to_owned())),
                Status::Fail,
                "not a database",
            ),
            (
                Some(Ok(store(2, 2, sound.clone(), 0))),
                Status::Ok,
                "schema 2, sound",
            ),
            (
                Some(Ok(store(3, 2, sound.clone(), 0))),
                Status::Fail,
                "knows up to 2",
            ),
            (
                Some(Ok(store(1, 2, sound.clone(), 0))),
                Status::Warn,
                "brings it to 2",
            ),
            (
                Some(Ok(store(2, 2, damaged(), 0))),
                Status::Fail,
                "row 7 missing",
            ),
            (
                Some(Ok(store(1, 2, damaged(), 0))),
                Status::Fail,
                "row 7 missing",
            ),
            (
                Some(Ok(store(2, 2, sound.clone(), 1 << 30))),
                Status::Warn,
                "1024 MiB",
            ),
            (
                Some(Ok(store(2, 2, sound, WAL_BYTES_MAX))),
                Status::Ok,
                "sound",
            ),
            (
                Some(Ok(store(2, 2, Integrity::NotFinished, 0))),
                Status::Ok,
                "too large",
            ),
        ] {
            check(Place::File("data/vault.db".to_owned(), found), expect, says);
        }
    }

    fn check(place: Place, expect: Status, says: &str) {
        let service = "vault";
        let facts = Facts { service, place };
        let check = judge(&facts);
        assert_eq!(check.name, "store.vault");
        assert_eq!(check.status, expect, "{facts:?}");
        assert!(check.message.contains(says), "{check:?}");
    }

    #[test]
    fn a_schema_is_the_one_that_a_start_takes_and_of_a_role_of_its_own() {
        let place = |found| Place::Postgres("postgres://v@db:5432/k".to_owned(), found);
        let away = "Postgres cannot be reached: refused";
        check(place(Err(away.to_owned())), Status::Fail, away);
        let schema = |found, superuser| SchemaFacts {
            found,
            known: 2,
            role: "keyward_vault".to_owned(),
            superuser,
        };
        for (schema, expect, says) in [
            (
                schema(2, false),
                Status::Ok,
                "schema 2, as the role `keyward_vault`",
            ),
            (schema(2, true), Status::Warn, "a superuser"),
            (
                schema(0, false),
                Status::Fail,
                "schema 0; this program needs 2",
            ),
            (schema(1, true), Status::Fail, "needs 2"),
            (schema(3, false), Status::Fail, "knows up to 2"),
        ] {
            check(place(Ok(schema)), expect, says);
        }
    }
}

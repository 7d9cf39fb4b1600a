//! Copies everything that a service owns from one store to another, whichever engines they are: one
//! consistent read, one transaction of writing, and what arrived is compared with what was sent.

mod sum;
mod table;
mod target;

use std::path::PathBuf;

use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::{Database, Postgres, PostgresUrl, StorageError, Value};
use sum::Sums;
pub use sum::TableSum;
pub use table::{Layout, Partitions, Table};
use target::Target;

/// How many rows travel together: enough to spread the cost of a step, few enough to fit in memory
/// whatever they hold.
const BATCH_ROWS: usize = 500;
/// How many batches may wait for the slower side.
const BATCHES_MAX: usize = 4;

/// A store, wherever it is.
#[derive(Debug, Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "there are two of it in a process"
)]
pub enum Place {
    /// A file.
    Sqlite(PathBuf),
    /// A schema in Postgres.
    Postgres(PostgresUrl),
}

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// There is no store to copy.
    #[error("there is no store at {}", .0.display())]
    Missing(PathBuf),
    /// The other one is in use already, or was.
    #[error("the target is not empty (table `{0}`): copy into a new one")]
    NotEmpty(&'static str),
    /// What arrived is not what was sent.
    #[error("table `{0}` is not the same in both stores: do not use the target")]
    Differs(&'static str),
    /// Either store failed; nothing stays in the target.
    #[error("a store failed")]
    Store(#[from] StorageError),
}

/// What travels: rows of a table by its place in the list, or the end of it all.
enum Piece {
    Rows(usize, Vec<Vec<Value>>),
    End,
}

/// Copies; `progress` is told after each batch which table it was of, and how many rows there were.
///
/// The source must be of this program's version. An embedded one is locked against the service; with
/// Postgres all of them must have stopped, or what they write meanwhile stays behind.
///
/// # Errors
/// [`CopyError`]. But for [`CopyError::Differs`], the target is as it was.
pub async fn copy(
    layout: &'static Layout,
    from: &Place,
    to: &Place,
    mut progress: impl FnMut(&'static str, usize),
) -> Result<Vec<TableSum>, CopyError> {
    let source = open_source(layout, from).await?;
    let target = Target::open(layout, to).await?;
    target.must_be_empty().await?;
    let mut sent = Sums::new(layout);
    let (out, mut read) = mpsc::channel(BATCHES_MAX);
    let (pass, written) = mpsc::channel(BATCHES_MAX);
    let relay = async {
        while let Some(piece) = read.recv().await {
            if let Piece::Rows(table, rows) = &piece {
                sent.add(*table, rows);
                progress(layout.tables[*table].name, rows.len());
            }
            // Whoever writes has failed: whoever reads must not wait for it.
            if pass.send(piece).await.is_err() {
                read.close();
            }
        }
        drop(pass);
    };
    let (reading, (), writing) = tokio::join!(source.read(out), relay, target.write(written));
    // Where one side fails the other only hears that nobody is there any more.
    match (reading, writing) {
        (Err(error), Err(StorageError::Closed) | Ok(())) | (_, Err(error)) => {
            return Err(error.into());
        }
        (Ok(()), Ok(())) => {}
    }
    compare(&sent, &sums_of(target.source()).await?)?;
    source.close().await;
    target.source().close().await;
    Ok(sent.tables())
}

fn compare(sent: &Sums, arrived: &Sums) -> Result<(), CopyError> {
    let tables = sent.tables().into_iter().zip(arrived.tables());
    match tables.into_iter().find(|(sent, arrived)| sent != arrived) {
        Some((table, _)) => Err(CopyError::Differs(table.name)),
        None => Ok(()),
    }
}

/// What a store holds, table by table.
async fn sums_of(store: Source<'_>) -> Result<Sums, StorageError> {
    let (out, mut read) = mpsc::channel(BATCHES_MAX);
    let mut sums = Sums::new(store.layout);
    let add = async {
        while let Some(piece) = read.recv().await {
            if let Piece::Rows(table, rows) = piece {
                sums.add(table, &rows);
            }
        }
    };
    let (reading, ()) = tokio::join!(store.read(out), add);
    reading?;
    Ok(sums)
}

async fn open_source(layout: &'static Layout, from: &Place) -> Result<Opened, CopyError> {
    match from {
        Place::Sqlite(path) if !path.exists() => Err(CopyError::Missing(path.clone())),
        other => Ok(Opened::open(layout, other).await?),
    }
}

/// An open store.
#[derive(Debug)]
struct Opened {
    layout: &'static Layout,
    engine: Engine,
}

#[derive(Debug)]
enum Engine {
    Sqlite(Database),
    Postgres(Postgres),
}

/// A store that is read.
type Source<'a> = &'a Opened;

impl Opened {
    async fn open(layout: &'static Layout, place: &Place) -> Result<Self, StorageError> {
        let engine = match place {
            Place::Sqlite(path) => Engine::Sqlite(Database::open(path, layout.migrations)?),
            Place::Postgres(url) => Engine::Postgres(Postgres::open(url, &layout.schema).await?),
        };
        Ok(Self { layout, engine })
    }

    /// Sends all rows of all tables as they are at one moment.
    async fn read(&self, out: Sender<Piece>) -> Result<(), StorageError> {
        match &self.engine {
            Engine::Sqlite(database) => read_sqlite(self.layout, database, out).await,
            Engine::Postgres(postgres) => read_postgres(self.layout, postgres, out).await,
        }
    }

    async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(database) => database.close().await,
            Engine::Postgres(postgres) => postgres.close(),
        }
    }
}

async fn read_sqlite(
    layout: &'static Layout,
    database: &Database,
    out: Sender<Piece>,
) -> Result<(), StorageError> {
    let read = move |connection: &rusqlite::Connection| {
        let snapshot = connection.unchecked_transaction()?;
        for (index, table) in layout.tables.iter().enumerate() {
            let mut statement = snapshot.prepare(table.select)?;
            let width = statement.column_count();
            let mut rows = statement.query([])?;
            let mut batch = Vec::with_capacity(BATCH_ROWS);
            while let Some(row) = rows.next()? {
                let values = (0..width).map(|column| row.get(column));
                batch.push(values.collect::<rusqlite::Result<Vec<Value>>>()?);
                if batch.len() == BATCH_ROWS {
                    send_blocking(&out, Piece::Rows(index, std::mem::take(&mut batch)))?;
                }
            }
            send_blocking(&out, Piece::Rows(index, batch))?;
        }
        send_blocking(&out, Piece::End)
    };
    database.read(read).await
}

fn send_blocking(out: &Sender<Piece>, piece: Piece) -> Result<(), StorageError> {
    out.blocking_send(piece).map_err(|_| StorageError::Closed)
}

async fn read_postgres(
    layout: &'static Layout,
    postgres: &Postgres,
    out: Sender<Piece>,
) -> Result<(), StorageError> {
    let snapshot = postgres.snapshot().await?;
    for (index, table) in layout.tables.iter().enumerate() {
        let send = async |rows| {
            let sent = out.send(Piece::Rows(index, rows)).await;
            sent.map_err(|_| StorageError::Closed)
        };
        let read = snapshot.read_batches(table.select_postgres, BATCH_ROWS, send);
        read.await?;
    }
    let ended = out.send(Piece::End).await;
    snapshot.end(ended.map_err(|_| StorageError::Closed)).await
}

/// What comes next; that nothing does before the end is a fault of whoever sends.
fn expected(piece: Option<Piece>) -> Result<Piece, StorageError> {
    piece.ok_or(StorageError::Closed)
}

type Pieces = Receiver<Piece>;

//! Rows of many owners, sealed as the vault seals them, and written many at a time: through the vault
//! each key would be a call and a commit of its own.

mod rows;

use anyhow::Context as _;
use bytes::Bytes;
use futures::SinkExt as _;
use keyward_runtime::time;
use keyward_vault::PostgresUrl;
use keyward_vault::domain::envelope::{
    Binding, Purpose, open_record, record_generation, unwrap_data_key,
};
use keyward_vault::domain::master_key::MasterKeyRing;
use keyward_vault::domain::owner::Owner;
use keyward_vault::domain::row_state::StateKey;
use keyward_vault::store::SealStore as _;
use keyward_vault::store::postgres::PostgresStore;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use rows::{Maker, Rows};

/// How many owners' rows are written in one go.
const CHUNK: usize = 500;

/// An owner, and what its router needs.
pub(super) struct Tenant {
    pub(super) access_key: String,
    pub(super) keys: Vec<Uuid>,
}

/// Fills the store, which a vault has begun already.
pub(super) async fn fill(
    url: &str,
    ring: &MasterKeyRing,
    owners: usize,
    keys: usize,
) -> anyhow::Result<Vec<Tenant>> {
    let states = states(&PostgresStore::open(&PostgresUrl::parse(url)?).await?, ring).await?;
    let maker = Maker {
        master: ring.current(),
        states: &states,
        now: time::from_millis(time::now().as_millisecond()),
    };
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let (ended, filled) = tokio::join!(connection, fill_with(client, &maker, owners, keys));
    ended?;
    filled
}

async fn fill_with(
    client: Client,
    maker: &Maker<'_>,
    owners: usize,
    keys: usize,
) -> anyhow::Result<Vec<Tenant>> {
    let mut tenants = Vec::with_capacity(owners);
    while tenants.len() < owners {
        let mut rows = Rows::default();
        for number in tenants.len()..owners.min(tenants.len() + CHUNK) {
            tenants.push(maker.tenant(number, keys, &mut rows)?);
        }
        write(&client, rows).await?;
    }
    // What a server does by itself, a minute after so much was written.
    client.batch_execute("ANALYZE").await?;
    Ok(tenants)
}

/// The key of the MACs of this vault's rows.
async fn states(store: &PostgresStore, ring: &MasterKeyRing) -> anyhow::Result<StateKey> {
    const NAME: &str = "row-state";
    let secret = store.system_secret_get(NAME).await?;
    let (uid, version, record) = secret.context("no vault has begun this store")?;
    let generation = record_generation(&record)?;
    let stored = store.data_key_get(Owner::SYSTEM, Some(generation)).await?;
    let stored = stored.context("the platform has no data key")?;
    let data_key = unwrap_data_key(ring, Owner::SYSTEM, generation, &stored.wrapped)?;
    let binding = Binding {
        owner: Owner::SYSTEM,
        record_id: uid,
        version,
        purpose: Purpose {
            provider: "keyward",
            base_url: "",
            api_version: "",
            account: NAME,
            scope: "*",
        },
    };
    Ok(StateKey::new(&open_record(&data_key, &binding, &record)?))
}

async fn write(client: &Client, rows: Rows) -> anyhow::Result<()> {
    for (statement, text) in rows.tables() {
        let sink = client.copy_in::<_, Bytes>(statement).await?;
        let mut sink = std::pin::pin!(sink);
        sink.send(Bytes::from(text)).await?;
        sink.finish().await?;
    }
    Ok(())
}

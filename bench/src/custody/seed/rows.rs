//! The rows of one owner, in the text form of `COPY`.

use std::fmt::Write as _;

use jiff::Timestamp;
use keyward_auth::access_key;
use keyward_vault::domain::envelope::{
    DATA_KEY_BYTES, DataKey, NONCE_BYTES, SALT_BYTES, seal_record, wrap_data_key,
};
use keyward_vault::domain::fingerprint::Fingerprint;
use keyward_vault::domain::key_filters::KeyFilters;
use keyward_vault::domain::master_key::MasterKey;
use keyward_vault::domain::owner::Owner;
use keyward_vault::domain::provider_key::{Health, KeySettings, Origin, ProviderKey};
use keyward_vault::domain::row_state::{Floor, StateKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Tenant;

const ACCOUNTS: &str = "
    COPY keyward_vault.accounts (uid, kind, id, tier, display_name, create_time, update_time, revision)
    FROM STDIN";

const ACCESS_KEYS: &str = "
    COPY keyward_vault.access_keys (uid, id, hash, user_uid, label, scopes, allowed_models,
        requests_per_minute, tokens_per_minute, concurrency, masked, create_time)
    FROM STDIN";

const DATA_KEYS: &str = "
    COPY keyward_vault.data_keys (owner_kind, owner_uid, generation, master_key_id, wrapped, create_time,
        seals)
    FROM STDIN";

const FLOORS: &str = "
    COPY keyward_vault.data_key_floors (owner_kind, owner_uid, newest, minimum, mac)
    FROM STDIN";

const PROVIDER_KEYS: &str = "
    COPY keyward_vault.provider_keys (uid, owner_kind, owner_uid, provider, label, masked, fingerprint,
        enabled, health, health_reason, version, base_url, endpoint, api_version, deployments,
        skip_format_check, weight, origin, create_time, update_time, secret_time, revision, record,
        state_mac)
    FROM STDIN";

/// Rows of all tables.
#[derive(Default)]
pub(super) struct Rows {
    accounts: String,
    access_keys: String,
    data_keys: String,
    floors: String,
    provider_keys: String,
}

impl Rows {
    /// With the statement that takes them, those first to which others refer.
    pub(super) fn tables(self) -> [(&'static str, String); 5] {
        [
            (ACCOUNTS, self.accounts),
            (ACCESS_KEYS, self.access_keys),
            (DATA_KEYS, self.data_keys),
            (FLOORS, self.floors),
            (PROVIDER_KEYS, self.provider_keys),
        ]
    }
}

/// Makes rows.
pub(super) struct Maker<'a> {
    pub(super) master: &'a MasterKey,
    pub(super) states: &'a StateKey,
    pub(super) now: Timestamp,
}

impl Maker<'_> {
    /// The rows of the owner of that number: an account, an access key, a data key, and so many
    /// provider keys.
    pub(super) fn tenant(
        &self,
        number: usize,
        keys: usize,
        rows: &mut Rows,
    ) -> anyhow::Result<Tenant> {
        let owner = Owner::user(keyward_runtime::ids::new());
        let data_key = DataKey::new(owner, 1, Zeroizing::new(random::<DATA_KEY_BYTES>()?));
        let access_key = access_key::generate()?;
        self.account(owner, number, rows)?;
        self.access_key(owner, number, access_key.expose(), rows)?;
        self.data_key(&data_key, keys, rows)?;
        let keys = (0..keys).map(|_| self.provider_key(&data_key, rows));
        Ok(Tenant {
            keys: keys.collect::<anyhow::Result<_>>()?,
            access_key: access_key.expose().to_owned(),
        })
    }

    fn account(&self, owner: Owner, number: usize, rows: &mut Rows) -> anyhow::Result<()> {
        let (uid, kind, now) = (owner.uid, owner.kind.number(), self.now.as_millisecond());
        let rows = &mut rows.accounts;
        writeln!(
            rows,
            "{uid}\t{kind}\towner-{number}\tfree\t\t{now}\t{now}\t1"
        )?;
        Ok(())
    }

    fn access_key(
        &self,
        owner: Owner,
        number: usize,
        key: &str,
        rows: &mut Rows,
    ) -> anyhow::Result<()> {
        let (uid, user, now) = (
            keyward_runtime::ids::new(),
            owner.uid,
            self.now.as_millisecond(),
        );
        let hash = hex::encode(access_key::hash(key));
        writeln!(
            rows.access_keys,
            "{uid}\tak{number}\t\\\\x{hash}\t{user}\t\tinference keys\t[]\t0\t0\t0\tkw_…\t{now}"
        )?;
        Ok(())
    }

    fn data_key(&self, key: &DataKey, seals: usize, rows: &mut Rows) -> anyhow::Result<()> {
        let (owner, generation) = (key.owner, key.generation);
        let (uid, kind, now) = (owner.uid, owner.kind.number(), self.now.as_millisecond());
        let wrapped = hex::encode(wrap_data_key(self.master, key, random::<NONCE_BYTES>()?)?);
        let master = self.master.id();
        writeln!(
            rows.data_keys,
            "{kind}\t{uid}\t{generation}\t{master}\t\\\\x{wrapped}\t{now}\t{seals}"
        )?;
        let floor = Floor {
            owner,
            newest: generation,
            minimum: generation,
        };
        let mac = hex::encode(self.states.sign_floor(&floor));
        let rows = &mut rows.floors;
        writeln!(
            rows,
            "{kind}\t{uid}\t{generation}\t{generation}\t\\\\x{mac}"
        )?;
        Ok(())
    }

    fn provider_key(&self, data_key: &DataKey, rows: &mut Rows) -> anyhow::Result<Uuid> {
        let key = self.new_key(data_key.owner)?;
        let secret = format!("sk-proj-{}{}", key.id.simple(), key.id.simple());
        let (salt, nonce) = (random::<SALT_BYTES>()?, random::<NONCE_BYTES>()?);
        let record = seal_record(data_key, &key.binding(), secret.as_bytes(), salt, nonce)?;
        let state = hex::encode(self.states.sign_key(&key, &record));
        let (id, kind, owner) = (key.id, key.owner.kind.number(), key.owner.uid);
        let (provider, masked) = (&key.provider, &key.masked);
        let (fingerprint, record) = (hex::encode(key.fingerprint.0), hex::encode(record));
        let now = self.now.as_millisecond();
        writeln!(
            rows.provider_keys,
            "{id}\t{kind}\t{owner}\t{provider}\t\t{masked}\t\\\\x{fingerprint}\tt\t0\t\t1\t\t\t\t{{}}\tf\t1\t0\t\
             {now}\t{now}\t{now}\t1\t\\\\x{record}\t\\\\x{state}"
        )?;
        Ok(key.id)
    }

    fn new_key(&self, owner: Owner) -> anyhow::Result<ProviderKey> {
        Ok(ProviderKey {
            id: keyward_runtime::ids::new(),
            owner,
            owner_id: String::new(),
            provider: "openai".to_owned(),
            label: String::new(),
            masked: "sk-proj-…".to_owned(),
            fingerprint: Fingerprint(random()?),
            enabled: true,
            health: Health::Untested,
            health_reason: String::new(),
            version: 1,
            base_url: String::new(),
            settings: KeySettings::default(),
            filters: KeyFilters::default(),
            weight: 1,
            origin: Origin::Caller,
            create_time: self.now,
            update_time: self.now,
            secret_time: self.now,
            failing_since: None,
            expire_time: None,
            last_used_time: None,
            last_tested_time: None,
            revision: 1,
        })
    }
}

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| anyhow::anyhow!("the system gives no randomness"))?;
    Ok(bytes)
}

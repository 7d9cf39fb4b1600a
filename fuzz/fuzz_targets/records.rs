//! Sealed records and wrapped data keys: nothing opens that was not sealed.
#![no_main]

use keyward_vault::domain::envelope::{
    Binding, DataKey, Purpose, external_blob, keep_external, open_record, seal_record,
    unwrap_data_key, wrap_data_key, wrapped_by,
};
use keyward_vault::domain::master_key::{MasterKey, MasterKeyRing};
use keyward_vault::domain::owner::Owner;
use libfuzzer_sys::fuzz_target;
use uuid::Uuid;
use zeroize::Zeroizing;

const OWNER: Owner = Owner::user(Uuid::from_u128(7));
const KEY_BYTES: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";

fn data_key() -> DataKey {
    DataKey::new(OWNER, 3, Zeroizing::new(KEY_BYTES))
}

fn master() -> MasterKey {
    // A pattern would be refused as weak.
    let digest = ring::digest::digest(&ring::digest::SHA256, b"fuzz");
    MasterKey::new("fuzz", digest.as_ref().try_into().unwrap()).unwrap()
}

fn binding() -> Binding<'static> {
    Binding {
        owner: OWNER,
        record_id: Uuid::from_u128(9),
        version: 1,
        purpose: Purpose {
            provider: "openai",
            base_url: "",
            api_version: "",
            account: "",
            scope: "*",
        },
    }
}

/// Changes one byte, which one and how being the first two bytes of the input.
fn changed(sealed: &[u8], data: &[u8]) -> Vec<u8> {
    let mut bytes = sealed.to_vec();
    let index = usize::from(data[0]) % bytes.len();
    bytes[index] ^= data[1].max(1);
    bytes
}

fn records(data: &[u8]) {
    assert!(open_record(&data_key(), &binding(), data).is_err());
    let salt = [data[0]; 16];
    let nonce = [data[1]; 12];
    let record = seal_record(&data_key(), &binding(), data, salt, nonce).unwrap();
    let opened = open_record(&data_key(), &binding(), &record).unwrap();
    assert_eq!(opened.as_slice(), data);
    assert!(open_record(&data_key(), &binding(), &changed(&record, data)).is_err());
    let elsewhere = Binding {
        version: 2,
        ..binding()
    };
    assert!(open_record(&data_key(), &elsewhere, &record).is_err());
}

fn data_keys(data: &[u8]) {
    let ring = MasterKeyRing::new(vec![master()]).unwrap();
    assert!(unwrap_data_key(&ring, OWNER, 3, data).is_err());
    let _ = wrapped_by(data);
    let wrapped = wrap_data_key(&master(), &data_key(), [data[0]; 12]).unwrap();
    assert_eq!(wrapped_by(&wrapped), Ok("fuzz"));
    assert!(unwrap_data_key(&ring, OWNER, 3, &wrapped).is_ok());
    assert!(unwrap_data_key(&ring, OWNER, 3, &changed(&wrapped, data)).is_err());
    let kept = keep_external("fuzz", data).unwrap();
    assert_eq!(external_blob("fuzz", &kept), Ok(data));
    assert!(unwrap_data_key(&ring, OWNER, 3, &kept).is_err());
    let _ = external_blob("fuzz", data);
}

fuzz_target!(|data: &[u8]| {
    if data.len() >= 2 {
        records(data);
        data_keys(data);
    }
});

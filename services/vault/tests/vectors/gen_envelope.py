#!/usr/bin/env python3
"""Known answers for the vault's sealed records, made with Python's `cryptography`, independently of
the code they test. All values are fixed test values, not secrets. Run it in this folder after a
change of layout; it writes envelope.json.

Owner kinds: user 1, organisation 2, project 3, system 4."""
import hashlib
import hmac
import json
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

OWNER = {"user": 1, "organization": 2, "project": 3, "system": 4}
META = ("provider", "base_url", "api_version", "account", "scope")


def fixed(label, length):
    return hashlib.shake_256(("keyward-vector:" + label).encode()).digest(length)


def prefixed(data):
    return struct.pack(">I", len(data)) + data


def data_key_aad(kind, uid, generation, master_id):
    return (b"keyward-vault/v1/dek\0" + bytes([OWNER[kind]]) + uid
            + struct.pack(">I", generation) + prefixed(master_id.encode()))


def wrap(master, master_id, kind, uid, generation, data_key, nonce):
    sealed = AESGCM(master).encrypt(nonce, data_key, data_key_aad(kind, uid, generation, master_id))
    return b"\x01\x01" + bytes([len(master_id)]) + master_id.encode() + nonce + sealed


def purpose_digest(meta):
    fields = b"".join(prefixed(meta[name].encode()) for name in META)
    return hashlib.sha256(b"keyward-vault/v1/meta\0" + fields).digest()


def seal(data_key, generation, kind, uid, record_id, version, meta, plaintext, salt, nonce):
    header = b"\x01\x01" + struct.pack(">I", generation) + salt
    key = HKDF(algorithm=hashes.SHA256(), length=32, salt=salt,
               info=b"keyward-vault/v1/record-key\0" + header).derive(data_key)
    aad = (b"keyward-vault/v1/secret\0" + header + bytes([OWNER[kind]]) + uid + record_id
           + struct.pack(">Q", version) + purpose_digest(meta))
    return header + nonce + AESGCM(key).encrypt(nonce, plaintext, aad)


def fingerprint(key, uid, provider, secret):
    message = b"keyward-vault/v1/fp\0" + uid + prefixed(provider.encode()) + secret
    return hmac.new(key, message, hashlib.sha256).digest()[:16]


def main():
    master, master_id, data_key = fixed("master", 32), "2026-11-a", fixed("data-key", 32)
    out = {"master_key_id": master_id, "master_key": master.hex(), "data_key": data_key.hex(),
           "wrapped": [], "records": [], "fingerprints": []}
    for kind, generation in (("user", 1), ("organization", 7), ("project", 2**32 - 1),
                             ("system", 1)):
        uid = b"\0" * 16 if kind == "system" else fixed("uid-" + kind, 16)
        nonce = fixed("wrap-nonce-" + kind, 12)
        out["wrapped"].append({
            "owner_kind": OWNER[kind], "owner_uid": uid.hex(), "generation": generation,
            "nonce": nonce.hex(),
            "wrapped": wrap(master, master_id, kind, uid, generation, data_key, nonce).hex()})
    plain = dict(zip(META, ("openai", "", "", "", "*")))
    azure = dict(zip(META, ("azure", "", "2024-10-21", "https://acme.openai.azure.com", "*")))
    hosted = dict(zip(META, ("openai", "https://llm.example/v1", "", "", "gpt-4o")))
    for number, (kind, version, generation, meta, plaintext) in enumerate((
            ("user", 1, 1, plain, b"sk-proj-KNOWNANSWERKNOWNANSWERKNOWNANSWER"),
            ("organization", 3, 2, azure, b"0123456789abcdef0123456789abcdef"),
            ("project", 2**40, 2**32 - 1, hosted, "schlüssel".encode()),
            ("system", 2**64 - 1, 1, plain, b""))):
        uid = b"\0" * 16 if kind == "system" else fixed("uid-" + kind, 16)
        record_id = fixed(f"record-{number}", 16)
        salt, nonce = fixed(f"salt-{number}", 16), fixed(f"nonce-{number}", 12)
        out["records"].append({
            "owner_kind": OWNER[kind], "owner_uid": uid.hex(), "record_id": record_id.hex(),
            "version": version, "generation": generation, "purpose": meta, "salt": salt.hex(),
            "nonce": nonce.hex(), "plaintext": plaintext.hex(),
            "record": seal(data_key, generation, kind, uid, record_id, version, meta, plaintext,
                           salt, nonce).hex()})
    key, secret = fixed("fingerprint-key", 32), b"sk-proj-KNOWNANSWERKNOWNANSWERKNOWNANSWER"
    for kind, provider in (("user", "openai"), ("organization", "openai"), ("user", "anthropic")):
        uid = fixed("uid-" + kind, 16)
        out["fingerprints"].append({
            "key": key.hex(), "owner_uid": uid.hex(), "provider": provider,
            "secret": secret.hex(), "fingerprint": fingerprint(key, uid, provider, secret).hex()})
    with open("envelope.json", "w", encoding="utf-8") as file:
        json.dump(out, file, indent=1)
        file.write("\n")


main()

#!/usr/bin/env python3
"""Known answers for the audit log's chain and checkpoints, made with Python's `hashlib` and
`cryptography`, independently of the code they test. All values are fixed test values, not secrets.
Run it in this folder after a change of form; it writes audit.json."""
import base64
import hashlib
import json
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

INSTANCE = "vault-known"
MEMBERS = ("id", "time", "action", "outcome", "reason", "peer", "access_key_id", "user", "user_uid",
           "organization", "organization_uid", "resource_id", "resource_version", "record_sha256",
           "purpose", "inference_id", "lease_id", "trace_id")


def fixed(label, length):
    return hashlib.shake_256(("keyward-vector:" + label).encode()).digest(length)


def uid(label):
    text = fixed(label, 16).hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def event(number, action, **members):
    body = dict.fromkeys(MEMBERS, "")
    body.update(id=uid(f"event{number}"), time=f"2026-11-21T12:00:0{number}.0{number}0Z", action=action,
                outcome="ok", user_uid=None, organization_uid=None, resource_version=0, **members)
    return body


def body_of(members):
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()


def link(previous, sequence, body):
    length = struct.pack(">I", len(body))
    return hashlib.sha256(b"keyward-vault/v1/audit\0" + previous + struct.pack(">Q", sequence)
                          + length + body).digest()


key = uid("key")
bodies = [
    event(1, "provider_key.create", peer="edge", user="bob", access_key_id="ak_1", resource_id=key,
          record_sha256=fixed("record", 32).hex()),
    event(2, "provider_key.unseal", peer="router", user="bob", resource_id=key, purpose="serve",
          inference_id="i-1", lease_id=uid("lease"), trace_id=fixed("trace", 16).hex()),
    event(3, "provider_key.delete", peer="edge", user="b\u00f6b \"x\" \\ \t \u0001 \u2028", resource_id=key),
]
bodies[0].update(user_uid=uid("bob"), resource_version=1)
bodies[1].update(organization="acme", organization_uid=uid("acme"), resource_version=2**53 + 1)
bodies[2].update(outcome="refused", reason="not yours")

head = hashlib.sha256(b"keyward-vault/v1/audit-genesis\0" + INSTANCE.encode()).digest()
out = {"instance": INSTANCE, "genesis": head.hex(), "lines": []}
for sequence, members in enumerate(bodies, 1):
    head = link(head, sequence, body_of(members))
    line = {"instance": INSTANCE, "sequence": sequence, "hash": head.hex(), "event": members}
    out["lines"].append(body_of(line).decode())

seed = fixed("audit-signing", 32)
private = Ed25519PrivateKey.from_private_bytes(seed)
public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
origin = "keyward-vault/audit/" + INSTANCE
text = f"{origin}\n{len(bodies)}\n{base64.b64encode(head).decode()}\n"
key_id = hashlib.sha256(origin.encode() + b"\n\x01" + public).digest()[:4]
signed = base64.b64encode(key_id + private.sign(text.encode())).decode()
out["checkpoint"] = {"seed": seed.hex(), "public_key": public.hex(),
                     "note": f"{text}\n\u2014 {origin} {signed}\n"}
with open("audit.json", "w", encoding="utf-8") as file:
    json.dump(out, file, indent=1)
    file.write("\n")

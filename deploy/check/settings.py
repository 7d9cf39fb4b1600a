"""Every KEYWARD_ variable of the compose files is a setting: the binary itself is asked, by a start
whose ops port is taken, so that it goes no further than its settings."""

import json
import re
import secrets
import socket
import subprocess
import tempfile
from base64 import b64encode
from pathlib import Path

import compose

# Exit code of settings that were refused.
REFUSED = 3


def check(binary):
    """All that is wrong, a line each."""
    wrong = []
    files = {"plain": [], "with secrets": ["deploy/compose.secrets.yml"]}
    for what, more in files.items():
        for variables in ({}, example()):
            project = compose.load("docker-compose.yml", *more, variables=variables)
            for name, service in project["services"].items():
                if compose.is_keyward(service) and service["command"][0] == "serve":
                    environment = compose.environment(service, variables)
                    wrong += [f"{name} ({what}): {fault}" for fault in start(binary, service, environment)]
    return wrong


def example():
    """The variables of .env.example, as if every line counted."""
    text = (compose.ROOT / ".env.example").read_text(encoding="utf-8")
    return dict(re.findall(r"^#([A-Z_]+)=(.*)$", text, re.MULTILINE))


def start(binary, service, environment):
    """Starts one service far enough to judge its settings."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as taken:
        own = {
            "KEYWARD_DATA_DIR": f"{folder}/data",
            "KEYWARD_OPS__LISTEN": f"127.0.0.1:{taken.getsockname()[1]}",
            "KEYWARD_EDGE__LISTEN": "127.0.0.1:0",
        }
        own |= certificates(binary, folder, service, environment)
        given = {name: made_secret(name, folder) for name in environment if name.endswith("_FILE")}
        ran = subprocess.run(
            [binary, *service["command"]],
            env={**environment, **own, **given},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    said = ran.stdout + ran.stderr
    if ran.returncode == REFUSED:
        return [said.strip().splitlines()[-1]]
    if "is no setting of Keyward" in said:
        return [line for line in said.splitlines() if "is no setting" in line]
    if ran.returncode != 1:
        return [f"exit code {ran.returncode}, expected 1 for a port that is taken: {said}"]
    return []


def certificates(binary, folder, service, environment):
    """Certificates of the role where it is told of some, made as they are made there."""
    if "KEYWARD_TLS__CERT" not in environment:
        return {}
    out = f"{folder}/certificates"
    subprocess.run([binary, "certs", "dev", "--folders", "--out", out], check=True, capture_output=True)
    role = service["command"][-1]
    return {f"KEYWARD_TLS__{name.upper()}": f"{out}/{role}/{name}.pem" for name in ("cert", "key", "ca")}


def made_secret(name, folder):
    """A file with a secret of the right form."""
    path = Path(folder) / name
    keys = json.dumps([{"id": "check", "key": b64encode(secrets.token_bytes(32)).decode()}])
    path.write_text(keys if "MASTER_KEYS" in name else f"kw_{secrets.token_hex(24)}", encoding="utf-8")
    return str(path)

"""Runs schemathesis against a gateway of its own, and ends with its verdict.

`DURATION` says for how long, such as `60s` (the default) or `8m`; what is named as arguments goes to
schemathesis as it is.
"""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

from gateway import Gateway

HERE = Path(__file__).resolve().parent

# Providers that would be called over the network: without them only the sandbox is left.
ELSEWHERE = [
    "openai", "anthropic", "google", "openrouter", "groq", "deepseek", "mistral", "azure",
    "xai", "together", "fireworks", "cerebras", "perplexity", "cohere",
]

SECONDS_DEFAULT = "60s"


def seconds(text):
    """A duration such as `90`, `90s` or `8m`, in seconds."""
    found = re.fullmatch(r"([1-9][0-9]*)(s|m|h|)", text)
    if not found:
        sys.exit(f"test-api: DURATION is {text!r}; expected something like 60s or 8m")
    return int(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


def call(gateway, key, method, path, body=None):
    """One call of the management API; its answer."""
    request = urllib.request.Request(
        gateway.url + path,
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def make_tester(gateway):
    """An admin for schemathesis to be: one that the gateway does not need. Its access key."""
    admin = gateway.admin_key
    call(gateway, admin, "POST", "/api/v1/users", {"id": "api-tester", "tier": "enterprise"})
    scopes = ["inference", "keys", "usage", "billing", "admin"]
    return call(
        gateway, admin, "POST", "/api/v1/access-keys", {"user": "api-tester", "scopes": scopes}
    )


def make_world(gateway, key):
    """Something to find: credits, a key, usage, an organization with a member and a project."""
    def post(path, body):
        return call(gateway, key, "POST", path, body)

    post("/api/v1/credits/grants",
         {"account": "users/api-tester", "amount": "100", "idempotency_key": "start"})
    post("/api/v1/users", {"id": "bob"})
    post("/api/v1/organizations", {"id": "acme", "tier": "enterprise"})
    post("/api/v1/organizations/acme/members", {"user": "bob", "role": "member"})
    post("/api/v1/projects", {"id": "search", "user": "api-tester"})
    post("/api/v1/provider-keys", {"provider": "sandbox", "key": "sk-sandbox-api-test"})
    for number in range(3):
        ask = {"model": "sandbox/echo", "messages": [{"role": "user", "content": f"n {number}"}]}
        post("/v1/chat/completions", ask)


def main():
    """The run; its exit code is schemathesis's."""
    duration = seconds(os.environ.get("DURATION") or SECONDS_DEFAULT)
    disabled = {f"KEYWARD_PROVIDERS__{name.upper()}__ENABLED": "false" for name in ELSEWHERE}
    gateway = Gateway(settings=disabled)
    try:
        tester = make_tester(gateway)
        make_world(gateway, tester["secret"])
        environment = dict(
            os.environ,
            SCHEMATHESIS_HOOKS="hooks",
            PYTHONPATH=str(HERE),
            API_TESTER_KEY_ID=tester["id"],
        )
        command = [
            str(Path(sys.executable).parent / "schemathesis"),
            f"--config-file={HERE / 'schemathesis.toml'}",
            "run", gateway.url + "/api/openapi.json",
            f"--header=Authorization: Bearer {tester['secret']}",
            f"--max-time={duration}",
            *sys.argv[1:],
        ]
        verdict = subprocess.run(command, env=environment, cwd=gateway.folder.name).returncode
        # Whoever ended the run early by taking its access key away would leave nothing to test.
        call(gateway, tester["secret"], "GET", "/api/v1/users/api-tester")
    finally:
        code = gateway.stop()
    if code != 0:
        sys.exit(f"test-api: the gateway exited with {code}")
    sys.exit(verdict)


if __name__ == "__main__":
    main()

"""A gateway of its own for the SDKs' tests, in front of the project's scripted upstream: free ports, a
data folder that goes away, a user with keys of its own, and one with neither keys nor credits."""

import json
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

# How long a start may take on a busy machine, in seconds.
START_SECONDS_MAX = 30

# Of their providers' forms; the upstream takes any.
OWN_KEYS = {
    "openai": "sk-proj-" + "a1B2" * 14,
    "anthropic": "sk-ant-" + "a1B2" * 25,
    "google": "AIza" + "a1B2c" * 7,
}


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Upstream:
    """The scripted upstream: models named `scenario-…` do what their names say."""

    def __init__(self):
        binary = Path(os.environ["SCRIPTED_UPSTREAM"]).resolve()
        self.process = subprocess.Popen([binary], stdout=subprocess.PIPE, text=True)
        self.origin = self.process.stdout.readline().strip()

    def stop(self):
        """Ends it: it keeps nothing."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Gateway:
    """Started on construction, stopped with `stop`."""

    def __init__(self, upstream):
        self.folder = tempfile.TemporaryDirectory(prefix="keyward-sdk-")
        self.admin_key = "kw_" + secrets.token_urlsafe(32)
        self.url = f"http://127.0.0.1:{free_port()}"
        self.ops_url = f"http://127.0.0.1:{free_port()}"
        self.grpc = f"127.0.0.1:{free_port()}"
        self.log = open(Path(self.folder.name) / "keyward.log", "wb")
        environment = {
            "PATH": os.environ["PATH"],
            "KEYWARD_DATA_DIR": str(Path(self.folder.name) / "data"),
            "KEYWARD_EDGE__LISTEN": self.url.removeprefix("http://"),
            "KEYWARD_OPS__LISTEN": self.ops_url.removeprefix("http://"),
            "KEYWARD_GRPC__LISTEN": self.grpc,
            "KEYWARD_BOOTSTRAP__ADMIN_KEY": self.admin_key,
            "KEYWARD_PROVIDERS__OPENAI__BASE_URL": upstream.origin + "/v1",
            "KEYWARD_PROVIDERS__ANTHROPIC__BASE_URL": upstream.origin,
            "KEYWARD_PROVIDERS__GOOGLE__BASE_URL": upstream.origin,
        }
        binary = Path(os.environ["KEYWARD_BINARY"]).resolve()
        self.process = subprocess.Popen(
            [binary, "serve"],
            env=environment,
            cwd=self.folder.name,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        self._wait()
        self.own_key_user = self._user("ada")
        self.poor_user = self._user("bob")
        for provider, key in OWN_KEYS.items():
            body = {"provider": provider, "key": key, "user": "ada"}
            self._post("/api/v1/provider-keys", body)

    def _wait(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(self.ops_url + "/readyz", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        log = Path(self.log.name).read_text(errors="replace")
        self.process.kill()
        raise RuntimeError(f"the gateway is not ready; its log:\n{log[-3000:]}")

    def _user(self, name):
        """An access key of a new user."""
        self._post("/api/v1/users", {"id": name, "tier": "professional"})
        body = {"user": name, "scopes": ["inference", "keys", "usage"]}
        return self._post("/api/v1/access-keys", body)["secret"]

    def _post(self, path, body):
        request = urllib.request.Request(
            self.url + path,
            data=json.dumps(body).encode(),
            headers={
                "authorization": f"Bearer {self.admin_key}",
                "content-type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def stop(self):
        """Stops it, and says what it exited with."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=40)
        finally:
            self.process.kill()
            self.log.close()
            self.folder.cleanup()

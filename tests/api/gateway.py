"""A gateway of its own: free ports, a data folder that goes away, the sandbox."""

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


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Gateway:
    """Started on construction, stopped with `stop`."""

    def __init__(self, settings):
        self.folder = tempfile.TemporaryDirectory(prefix="keyward-api-")
        self.admin_key = "kw_" + secrets.token_urlsafe(32)
        self.url = f"http://127.0.0.1:{free_port()}"
        self.ops_url = f"http://127.0.0.1:{free_port()}"
        self.log = open(Path(self.folder.name) / "keyward.log", "wb")
        environment = {
            "PATH": os.environ["PATH"],
            "KEYWARD_DATA_DIR": str(Path(self.folder.name) / "data"),
            "KEYWARD_EDGE__LISTEN": self.url.removeprefix("http://"),
            "KEYWARD_OPS__LISTEN": self.ops_url.removeprefix("http://"),
            "KEYWARD_GRPC__LISTEN": f"127.0.0.1:{free_port()}",
            "KEYWARD_BOOTSTRAP__ADMIN_KEY": self.admin_key,
            **settings,
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

    def stop(self):
        """Stops it, and says what it exited with."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=40)
        finally:
            self.process.kill()
            self.log.close()
            self.folder.cleanup()

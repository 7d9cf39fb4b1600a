"""Runs the Python client of docs/grpc.md as it stands there, with stubs made by the command that stands
there, against a gateway of its own."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "sdk"))

from gateway import Gateway, Upstream  # noqa: E402 (what it needs is beside the other tests)


def block(language, mark):
    """The one block of the page in a language that has a mark in it."""
    page = (ROOT / "docs" / "grpc.md").read_text()
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if mark in block]
    return found


def prepare(folder):
    """Makes the stubs, and the client beside them."""
    (folder / "proto").symlink_to(ROOT / "proto")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = "set -e\n" + block("sh", "grpc_tools.protoc")
    subprocess.run(["bash", "-c", command], cwd=folder, env={"PATH": path}, check=True)
    (folder / "client.py").write_text(block("python", "RouterServiceStub"))


def main():
    """Exits with 0 if every test passed and the gateway stopped cleanly."""
    with tempfile.TemporaryDirectory(prefix="keyward-grpc-") as folder:
        prepare(Path(folder))
        upstream = Upstream()
        gateway = Gateway(upstream)
        environment = os.environ | {
            "GRPC_CLIENT": str(Path(folder) / "client.py"),
            "KEYWARD_ACCESS_KEY": gateway.own_key_user,
            "KEYWARD_GRPC": gateway.grpc,
            "PYTHONPATH": str(Path(folder) / "stubs"),
        }
        command = [sys.executable, "-m", "unittest", "--verbose", "test_chat"]
        try:
            tests = subprocess.run(command, env=environment, cwd=Path(__file__).parent)
        finally:
            code = gateway.stop()
            upstream.stop()
        if code != 0:
            print(f"the gateway exited with {code}", file=sys.stderr)
        return tests.returncode or code


if __name__ == "__main__":
    sys.exit(main())

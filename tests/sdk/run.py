"""Runs the tests of one SDK after the other against one gateway, and says how many passed."""

import os
import subprocess
import sys

from gateway import Gateway, Upstream


def main():
    """Exits with 0 if every test passed and the gateway stopped cleanly."""
    commands = [
        ("python", [sys.executable, "-m", "unittest", "--verbose", "test_openai"]),
        ("node", ["node", "--test", "--test-reporter=spec", "openai.test.mjs"]),
    ]
    folders = {"python": os.path.dirname(os.path.abspath(__file__)), "node": os.environ["SDK_NODE"]}
    upstream = Upstream()
    gateway = Gateway(upstream)
    environment = os.environ | {
        "SDK_URL": gateway.url + "/v1",
        "SDK_KEY": gateway.own_key_user,
        "SDK_POOR_KEY": gateway.poor_user,
        "SDK_ADMIN_KEY": gateway.admin_key,
    }
    # What these libraries read by themselves is not for them.
    for name in [name for name in environment if name.startswith("OPENAI_")]:
        del environment[name]
    failed = []
    try:
        for name, command in commands:
            print(f"== OpenAI SDK for {name}", flush=True)
            if subprocess.run(command, env=environment, cwd=folders[name]).returncode != 0:
                failed.append(name)
    finally:
        code = gateway.stop()
        upstream.stop()
    if code != 0:
        failed.append(f"the gateway, which exited with {code}")
    print("== failed: " + ", ".join(failed) if failed else "== both passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Runs the tests of one SDK after the other against one gateway, and says how many passed."""

import os
import re
import subprocess
import sys
import time

from gateway import Gateway, Upstream

PYTHON = ("openai", "anthropic", "google", "langchain", "litellm")
NODE = ("openai", "anthropic", "ai")

# Where the two runners say how many tests there were, and how many did not pass.
TESTS = re.compile(r"^(?:Ran (\d+) tests?|. tests (\d+))", re.MULTILINE)
FAILED = re.compile(r"(?:failures|errors)=(\d+)|^. (?:fail|cancelled) (\d+)", re.MULTILINE)


def suites():
    """Name, command and folder of each."""
    here = os.path.dirname(os.path.abspath(__file__))
    for name in PYTHON:
        yield f"{name}, Python", [sys.executable, "-m", "unittest", "-v", f"test_{name}"], here
    for name in NODE:
        command = ["node", "--test", "--test-reporter=spec", f"{name}.test.mjs"]
        yield f"{name}, Node", command, os.environ["SDK_NODE"]


def run(name, command, folder, environment):
    """Runs one, and gives how many tests there were and how many failed."""
    print(f"== {name}", flush=True)
    start = time.monotonic()
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = []
    for line in process.stdout:
        said.append(line)
        print(line, end="", flush=True)
    whole = "".join(said)
    count = sum(int(a or b) for a, b in TESTS.findall(whole))
    failed = sum(int(a or b) for a, b in FAILED.findall(whole))
    if process.wait() != 0:
        failed = max(failed, 1)
    return name, count, failed, time.monotonic() - start


def environment_of(gateway):
    """What the tests are told; what these libraries read by themselves is not for them."""
    foreign = (
        "OPENAI_",
        "ANTHROPIC_",
        "GOOGLE_",
        "GEMINI_",
        "LANGCHAIN_",
        "LANGSMITH_",
        "LITELLM_",
    )
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return inherited | {
        "SDK_URL": gateway.url,
        "SDK_KEY": gateway.own_key_user,
        "SDK_POOR_KEY": gateway.poor_user,
        "SDK_ADMIN_KEY": gateway.admin_key,
    }


def main():
    """Exits with 0 if every test passed and the gateway stopped cleanly."""
    upstream = Upstream()
    gateway = Gateway(upstream)
    wanted = sys.argv[1:]
    try:
        environment = environment_of(gateway)
        chosen = [suite for suite in suites() if not wanted or suite[0].split(",")[0] in wanted]
        rows = [run(*suite, environment) for suite in chosen]
    finally:
        code = gateway.stop()
        upstream.stop()
    print("==")
    for name, count, failed, seconds in rows:
        print(f"{name:20} {count - failed:4} passed {failed:4} failed {seconds:6.1f} s")
    passed = sum(count - failed for _, count, failed, _ in rows)
    failed = sum(failed for _, _, failed, _ in rows)
    # A runner that found nothing to run has shown nothing.
    empty = [name for name, count, _, _ in rows if count == 0]
    print(f"{'all':20} {passed:4} passed {failed:4} failed", flush=True)
    if code != 0:
        print(f"the gateway exited with {code}")
    return 1 if failed or empty or code != 0 or not rows else 0


if __name__ == "__main__":
    sys.exit(main())

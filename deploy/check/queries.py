"""Every query of the dashboard and the alerts, asked of a real Prometheus that scrapes a live gateway
with some traffic: it must parse, name only metrics that there are, and answer with something."""

import json
import re
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import compose
import yaml

DASHBOARDS = compose.ROOT / "deploy" / "grafana" / "dashboards"
ALERTS = compose.ROOT / "deploy" / "prometheus" / "alerts.yml"
# What Grafana puts in for it here: a few scrapes.
RATE_INTERVAL = "10s"
# Long enough for a rate.
TRAFFIC_SECONDS = 8
# Longest wait for anything to come up, in seconds.
PATIENCE = 30
# Metrics that a well gateway has no series of, each with where it is counted.
NEEDS_MISFORTUNE = {
    "keyward_metering_events_quarantined_total": "tests of metering",
    "keyward_router_breakers_opened_total": "tests of the router",
    "keyward_router_hedges_total": "hedging is off unless it is turned on; tests of the router",
    "keyward_router_probes_total": "tests of the router",
    "keyward_tls_certificate_expiry_seconds": "a gateway in one process has no certificate; tests/it/certificates",
}
NOT_OURS = {"up"}


def check(binary):
    """All that is wrong, a line each."""
    with tempfile.TemporaryDirectory(prefix="keyward-queries-") as folder:
        edge, ops, grpc, page = ports(4)
        gateway = begin([binary, "serve"], Path(folder) / "gateway.log", settings(folder, edge, ops, grpc))
        prometheus = begin(prometheus_command(folder, ops, page), Path(folder) / "prometheus.log")
        try:
            wait(f"http://127.0.0.1:{ops}/readyz")
            wait(f"http://127.0.0.1:{page}/-/ready")
            key = (Path(folder) / "data" / "admin-key").read_text(encoding="utf-8").strip()
            until = time.monotonic() + TRAFFIC_SECONDS
            while time.monotonic() < until:
                traffic(f"http://127.0.0.1:{edge}", key)
            names = set(re.findall(r"^(keyward_\w+)", fetch(f"http://127.0.0.1:{ops}/metrics"), re.MULTILINE))
            return [fault for what, query in queries() for fault in ask(page, what, query, names)]
        finally:
            for process in (prometheus, gateway):
                process.terminate()
                process.wait(40)


def queries():
    """Where each query stands, and the query."""
    for file in sorted(DASHBOARDS.glob("*.json")):
        dashboard = json.loads(file.read_text(encoding="utf-8"))
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                yield f"{file.name}: {panel['title']}", target["expr"]
    for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            yield f"alert {rule['alert']}", rule["expr"]


def ask(page, what, query, names):
    """What is wrong with one query."""
    used = set(re.findall(r"\bkeyward_\w+", query))
    faults = [f"{what}: there is no metric {name}" for name in used - names - NEEDS_MISFORTUNE.keys()]
    asked = urllib.parse.urlencode({"query": query.replace("$__rate_interval", RATE_INTERVAL)})
    answer = json.loads(fetch(f"http://127.0.0.1:{page}/api/v1/query?{asked}"))
    if answer["status"] != "success":
        return [*faults, f"{what}: {answer.get('error')}"]
    is_alert = what.startswith("alert")
    if not answer["data"]["result"] and not is_alert and not used & NEEDS_MISFORTUNE.keys():
        faults.append(f"{what}: no answer to {query}")
    return faults


def traffic(edge, key):
    """Calls that end in every way the sandbox has: on credits, with a key that fails, streamed."""
    post(edge, "/api/v1/provider-keys", key, {"provider": "sandbox", "key": "sk-sandbox-revoked"})
    for model in ("echo", "lorem", "status-500", "status-404", "echo"):
        post(edge, "/v1/chat/completions", key, chat(model, stream=model == "lorem"))
    fetch(f"{edge}/v1/models", {"authorization": f"Bearer {key}"})
    time.sleep(0.2)


def chat(model, stream):
    messages = [{"role": "user", "content": "one two three"}]
    return {"model": f"sandbox/{model}", "messages": messages, "stream": stream}


def settings(folder, edge, ops, grpc):
    return {
        "KEYWARD_DATA_DIR": f"{folder}/data",
        "KEYWARD_EDGE__LISTEN": f"127.0.0.1:{edge}",
        "KEYWARD_OPS__LISTEN": f"127.0.0.1:{ops}",
        "KEYWARD_GRPC__LISTEN": f"127.0.0.1:{grpc}",
    }


def prometheus_command(folder, ops, page):
    """Prometheus with the scrape settings of the deployment, faster, and another target."""
    config = yaml.safe_load((compose.ROOT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(ALERTS)]
    target = {"job_name": "keyward", "static_configs": [{"targets": [f"127.0.0.1:{ops}"]}]}
    config["scrape_configs"] = [target]
    file = Path(folder) / "prometheus.yml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    listen = f"--web.listen-address=127.0.0.1:{page}"
    return ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder}/tsdb", listen]


def begin(command, log, environment=None):
    with log.open("wb") as out:
        return subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)


def ports(count):
    """Ports that are free now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    numbers = [taken.getsockname()[1] for taken in sockets]
    for taken in sockets:
        taken.close()
    return numbers


def wait(url):
    """Waits until an address answers with 200."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def post(base, path, key, body):
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    fetch(base + path, headers, json.dumps(body).encode())


def fetch(url, headers=None, body=None):
    """The text of an answer, whatever its status."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers or {}), timeout=15) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()

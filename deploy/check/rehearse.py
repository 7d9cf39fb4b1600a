"""Both topologies of the compose file, brought up with the real binary in namespaces of their own, with
exactly the settings, addresses, volumes and health checks that the file gives: they come up in order,
serve, keep what they were told over a restart, and the vault is out of reach for everybody else."""

import json
import stat

import compose
from containers import USER, Engine

SPLIT = ["vault", "metering", "router", "edge"]
CHAT = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "Hello, Keyward!"}]}


def check(binary):
    """All that is wrong, a line each."""
    alone = topology(binary, ["keyward"], "keyward", "keyward")
    return alone + topology(binary, SPLIT, "vault", "edge", before=["certificates"])


def topology(binary, services, keeper, door, before=()):
    """One topology: `keeper` has the admin key, `door` is published; `before` end by themselves."""
    project = compose.load()
    with Engine(project, binary) as engine:
        for service in [*before, *services, "prometheus"]:
            engine.attach(service, compose.networks(project["services"][service]))
        engine.attach("caller", {"front": {}})
        try:
            for service in [*before, *services]:
                engine.start(service)
            wrong = serves(engine, keeper, door)
            wrong += reach(engine, services)
            wrong += [f"{name}: exit code {code}" for name in reversed(services) if (code := engine.stop(name))]
            for service in [*before, *services]:
                engine.start(service)
            wrong += remembers(engine, keeper, door)
        except RuntimeError as error:
            wrong = [str(error)]
    return [f"{'+'.join(services)}: {fault}" for fault in wrong]


def serves(engine, keeper, door):
    """A call on credits, a key, a call with it: from outside, through the published port."""
    wrong = []
    file = engine.folder / "volumes" / volume_of(engine, keeper) / "admin-key"
    mode = file.stat()
    if (stat.S_IMODE(mode.st_mode), mode.st_uid) != (0o600, USER):
        wrong.append(f"admin-key has mode {mode.st_mode:o} and owner {mode.st_uid}")
    wrong += called(engine, keeper, door, {"x-keyward-key-source": "system"})
    key = {"provider": "sandbox", "key": "sk-sandbox-rehearsal"}
    status, _, text = api(engine, keeper, door, "POST", "/api/v1/provider-keys", key)
    if status != 201:
        wrong.append(f"a provider key is not taken: {status} {text}")
    own = {"x-keyward-key-source": "user", "x-credits-charged": "0.00"}
    return wrong + called(engine, keeper, door, own)


def remembers(engine, keeper, door):
    """After a restart the key serves still, and what was charged stays charged."""
    wrong = called(engine, keeper, door, {"x-keyward-key-source": "user"})
    balance = json.loads(api(engine, keeper, door, "GET", "/api/v1/credits")[2])["balance"]
    if not balance.startswith("9.99"):
        wrong.append(f"the balance after a restart is {balance}")
    return wrong


def reach(engine, services):
    """Who gets through to what."""
    wrong = []
    for service in services:
        if engine.ask("prometheus", "GET", address(engine, service, "ops", 9464, "/metrics"))[0] != 200:
            wrong.append(f"{service}: Prometheus gets no metrics")
        for network in engine.addresses[service]:
            for stranger in ("prometheus", "caller"):
                if knocks(engine, stranger, service, network):
                    wrong.append(f"{service}: {stranger} gets through to its gRPC on {network}")
    if "vault" in services:
        for friend in ("metering", "router", "edge"):
            if not knocks(engine, friend, "vault", "inside"):
                wrong.append(f"vault: {friend} does not get through")
        for host in ("127.0.0.1:8080", address(engine, "edge", "front", 8080, "")[7:]):
            if engine.ask("vault", "GET", f"http://{host}/")[0] != 0:
                wrong.append(f"vault: has a way to {host}")
    return wrong


def knocks(engine, caller, service, network):
    """Whether a TCP connection to the gRPC port is taken. HTTP/1.1 is no gRPC, so what answers at
    all, if only by hanging up, is there; no route and a refusal are not."""
    status, _, text = engine.ask(caller, "GET", address(engine, service, network, 50051, "/"))
    return status != 0 or not any(word in text for word in ("refused", "unreachable", "timed out"))


def called(engine, keeper, door, expected):
    """Calls a model; what of its headers is not as expected."""
    status, headers, text = api(engine, keeper, door, "POST", "/v1/chat/completions", CHAT)
    if status != 200:
        return [f"a call ends in {status}: {text}"]
    return [f"{name} is {headers.get(name)}, not {value}" for name, value in expected.items() if headers.get(name) != value]


def api(engine, keeper, door, method, path, body=None):
    key = (engine.folder / "volumes" / volume_of(engine, keeper) / "admin-key").read_text().strip()
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    return engine.ask("caller", method, address(engine, door, "front", 8080, path), headers, body)


def address(engine, service, network, port, path):
    return f"http://{engine.addresses[service][network]}:{port}{path}"


def volume_of(engine, service):
    """The volume at /data."""
    volumes = engine.project["services"][service]["volumes"]
    return next(volume.split(":")[0] for volume in volumes if volume.endswith(":/data"))

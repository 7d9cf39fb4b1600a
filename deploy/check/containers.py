"""Stands in for a container engine: a network namespace for each service, a bridge for each network,
a read-only root with the binary and the C library in it and nothing else, no capabilities, the user of
the image. What it does not stand in for: the image itself, its labels and its layers."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import compose

USER = 65532
# How long a service may take until its health check passes, in seconds.
HEALTHY_WITHIN = 30

# Runs in a mount namespace of its own: $1 is the root, the rest is the command.
ENTER = """
root=$1; shift
mount --make-rprivate /
mount --bind "$root" "$root"
mount --bind /usr/lib "$root/usr/lib"
mount --rbind /dev "$root/dev"
while read -r from to; do mount --bind "$from" "$root$to"; done <"$root/etc/volumes"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs chroot --userspec=%d:%d "$root" "$@"
""" % (USER, USER)

# Asks over HTTP from inside a namespace: method, URL, headers and body as JSON on standard input.
ASK = """
import http.client, json, sys, urllib.request, urllib.error
method, url, headers, body = json.load(sys.stdin)
data = json.dumps(body).encode() if body is not None else None
request = urllib.request.Request(url, data, headers, method=method)
try:
    answer = urllib.request.urlopen(request, timeout=10)
except urllib.error.HTTPError as error:
    answer = error
except (OSError, http.client.HTTPException) as error:
    print(json.dumps([0, {}, str(error)])); sys.exit()
named = {name.lower(): value for name, value in answer.headers.items()}
print(json.dumps([answer.status, named, answer.read().decode()]))
"""


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


class Engine:
    """All namespaces and processes of one project; gone with the `with` block."""

    def __init__(self, project, binary):
        self.project, self.binary = project, binary
        self.folder = Path(tempfile.mkdtemp(prefix="keyward-rehearsal-"))
        self.prefix = f"kw{os.getpid()}"
        self.addresses, self.processes, self.namespaces = {}, {}, []

    def __enter__(self):
        self.folder.chmod(0o755)
        self.hub = self.namespace("hub")
        self.subnets = {name: self.bridge(number, name) for number, name in enumerate(self.project["networks"])}
        return self

    def __exit__(self, *_):
        for process in self.processes.values():
            process.kill()
            process.wait()
        for name in self.namespaces:
            subprocess.run(["ip", "netns", "delete", name], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def namespace(self, name):
        full = f"{self.prefix}-{name}"
        run("ip", "netns", "add", full)
        self.namespaces.append(full)
        run("ip", "-n", full, "link", "set", "lo", "up")
        return full

    def bridge(self, number, name):
        run("ip", "-n", self.hub, "link", "add", f"br{number}", "type", "bridge")
        run("ip", "-n", self.hub, "link", "set", f"br{number}", "up")
        given = (self.project["networks"][name] or {}).get("ipam", {}).get("config", [{}])[0].get("subnet")
        subnet = given or f"10.77.{number}.0/24"
        return number, subnet.rsplit(".", 1)[0], subnet.rsplit("/", 1)[1]

    def attach(self, service, networks):
        """A namespace for a service, with a leg in each of its networks."""
        space = self.namespace(service)
        self.addresses[service] = {}
        for leg, (name, settings) in enumerate(networks.items()):
            bridge, prefix, bits = self.subnets[name]
            taken = len([1 for of in self.addresses.values() if name in of])
            address = (settings or {}).get("ipv4_address") or f"{prefix}.{2 + taken}"
            outer = f"v{len(self.namespaces)}x{leg}"
            run("ip", "-n", self.hub, "link", "add", outer, "type", "veth", "peer", f"eth{leg}", "netns", space)
            run("ip", "-n", self.hub, "link", "set", outer, "master", f"br{bridge}", "up")
            run("ip", "-n", space, "address", "add", f"{address}/{bits}", "dev", f"eth{leg}")
            run("ip", "-n", space, "link", "set", f"eth{leg}", "up")
            self.addresses[service][name] = address

    def hosts(self, service):
        """The names that a service can resolve: those on its own networks."""
        lines = ["127.0.0.1 localhost"]
        for other, legs in self.addresses.items():
            settings = compose.networks(self.project["services"].get(other, {}))
            for network in legs.keys() & self.addresses[service].keys():
                aliases = (settings.get(network) or {}).get("aliases", [])
                lines.append(f"{legs[network]} {' '.join([other, *aliases])}")
        return "\n".join(lines) + "\n"

    def root(self, service):
        """The root file system of a service, as in the image, and its volumes."""
        root = self.folder / service
        targets = [target.lstrip("/") for _, target in self.mounts(service)]
        for name in ("usr/lib", "usr/local/bin", "etc", "dev", "data", *targets):
            (root / name).mkdir(parents=True, exist_ok=True)
        for name in ("lib", "lib64"):
            if not (root / name).is_symlink():
                (root / name).symlink_to("usr/lib" if name == "lib" else "usr/lib/x86_64-linux-gnu")
        if not (root / "usr/local/bin/keyward").exists():
            shutil.copy2(self.binary, root / "usr/local/bin/keyward")
        (root / "etc/hosts").write_text(self.hosts(service))
        (root / "etc/nsswitch.conf").write_text("hosts: files\n")
        (root / "etc/volumes").write_text("".join(f"{self.volume(*pair)}\n" for pair in self.mounts(service)))
        self.nest(service)
        return root

    def nest(self, service):
        """Folders in volumes for volumes that are mounted within them."""
        mounts = self.mounts(service)
        for name, outer in mounts:
            for _, inner in mounts:
                if inner.startswith(f"{outer}/"):
                    folder = self.folder / "volumes" / name / inner[len(outer) + 1 :]
                    folder.mkdir(mode=0o700, exist_ok=True)
                    os.chown(folder, USER, USER)

    def mounts(self, service):
        settings = self.project["services"][service]
        named = [volume.split(":")[:2] for volume in settings.get("volumes", [])]
        return named + [[f"tmpfs-of-{service}", mount.split(":")[0]] for mount in settings.get("tmpfs", [])]

    def volume(self, name, target):
        folder = self.folder / "volumes" / name
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o700)
            os.chown(folder, USER, USER)
        return f"{folder} {target}"

    def start(self, service):
        """Starts a service as compose would, and waits until its health check passes, or until it has
        ended where it is one that ends."""
        self.begin(service)
        if self.project["services"][service].get("x-ends"):
            code = self.processes.pop(service).wait(HEALTHY_WITHIN)
            if code != 0:
                raise RuntimeError(f"{service} ends with {code}:\n{self.log(service)}")
            return
        until = time.monotonic() + HEALTHY_WITHIN
        while not self.is_healthy(service):
            if time.monotonic() > until or self.processes[service].poll() is not None:
                raise RuntimeError(f"{service} is not healthy:\n{self.log(service)}")
            time.sleep(0.1)

    def begin(self, service):
        settings = self.project["services"][service]
        root = self.root(service)
        command = ["sh", "-euc", ENTER, "enter", root, "/usr/local/bin/keyward", *settings["command"]]
        environment = {"PATH": os.environ["PATH"], **compose.environment(settings)}
        self.processes[service] = subprocess.Popen(
            ["ip", "netns", "exec", f"{self.prefix}-{service}", "unshare", "--mount", *command],
            env=environment,
            stdout=(self.folder / f"{service}.log").open("ab"),
            stderr=subprocess.STDOUT,
        )

    def is_healthy(self, service):
        """Runs the health check of the compose file inside."""
        check = self.project["services"][service]["healthcheck"]["test"][1:]
        process = self.processes[service].pid
        enter = ["nsenter", "--target", str(process), "--mount", "--net"]
        inside = ["chroot", f"--userspec={USER}:{USER}", self.folder / service, *check]
        return subprocess.run([*enter, *inside], capture_output=True, check=False).returncode == 0

    def stop(self, service):
        """SIGTERM; gives the exit code."""
        process = self.processes.pop(service)
        process.send_signal(signal.SIGTERM)
        return process.wait(self.grace(service))

    def grace(self, service):
        return int(self.project["services"][service]["stop_grace_period"].rstrip("s"))

    def log(self, service):
        return (self.folder / f"{service}.log").read_text(encoding="utf-8")

    def ask(self, service, method, url, headers=None, body=None):
        """Asks from where a service is: status (0 where there is no way), headers, text."""
        space = ["nsenter", f"--net=/run/netns/{self.prefix}-{service}"]
        asked = json.dumps([method, url, headers or {}, body])
        return json.loads(run(*space, sys.executable, "-c", ASK, input=asked))

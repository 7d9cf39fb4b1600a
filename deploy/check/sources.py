"""What the Dockerfile copies is there, and what the builder is sent is only that."""

import re
import tomllib

import compose

DOCKERFILE = compose.ROOT / "deploy" / "Dockerfile"


def check():
    """All that is wrong, a line each."""
    copied = [source for line in copies() for source in line]
    wrong = [f"COPY {source}: is not there" for source in copied if not (compose.ROOT / source).exists()]
    ignore = (compose.ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sent = {line[1:] for line in ignore if line.startswith("!")}
    wrong += [f"COPY {source}: .dockerignore keeps it back" for source in copied if source not in sent]
    wrong += [f".dockerignore sends {name}, which nothing copies" for name in sorted(sent - set(copied))]
    if "*" not in ignore:
        wrong.append(".dockerignore does not begin with keeping everything back")
    return wrong + versions()


def versions():
    """Image, compose and workspace say the same version."""
    manifest = tomllib.loads((compose.ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    version = manifest["workspace"]["package"]["version"]
    labelled = re.search(r"^ARG VERSION=(.*)$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)[1]
    image = compose.load()["services"]["keyward"]["image"]
    said = {"deploy/Dockerfile": labelled, "docker-compose.yml": image.partition(":")[2]}
    return [f"{file}: version {found}, not {version}" for file, found in said.items() if found != version]


def copies():
    """The sources of every COPY from the tree."""
    for line in DOCKERFILE.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words[:1] == ["COPY"] and not words[1].startswith("--from"):
            yield words[1:-1]

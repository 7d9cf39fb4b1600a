"""Reads compose files as compose does, as far as these need it: defaults of variables, merge keys,
and one file over another."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def load(*names, variables=None):
    """The files as one, with these variables, and the defaults of all others."""
    merged = {}
    for name in names or ("docker-compose.yml",):
        text = (ROOT / name).read_text(encoding="utf-8")
        merged = merge(merged, yaml.safe_load(interpolate(text, variables or {})))
    return merged


def interpolate(text, variables):
    """Puts values in for `${NAME}` and `${NAME:-default}`."""
    return VARIABLE.sub(lambda found: variables.get(found[1]) or found[2] or "", text)


def merge(under, over):
    """What is in `over` wins; mappings are merged, lists joined."""
    if isinstance(under, dict) and isinstance(over, dict):
        merged = dict(under)
        for name, value in over.items():
            merged[name] = merge(under[name], value) if name in under else value
        return merged
    if isinstance(under, list) and isinstance(over, list):
        return under + over
    return over


def environment(service, variables=None):
    """What a container is given: a name without a value only where it is set outside."""
    given = {}
    for name, value in (service.get("environment") or {}).items():
        value = (variables or {}).get(name) if value is None else value
        if value is not None:
            given[name] = str(value)
    return given


def is_keyward(service):
    """Whether a service runs our image."""
    return "build" in service


def networks(service):
    """The networks of a service, each with its settings."""
    named = service.get("networks") or {}
    return {name: {} for name in named} if isinstance(named, list) else named

"""Sends recorded conversations through a gateway in the two forms that they were not recorded in,
reads the answers with the SDKs of those forms, and compares text, tool calls, stop and usage with
the recording.

    crosswise.py DIR --gateway URL --admin KEY --upstream URL [--only TEXT] [-v]

DIR holds one exchange in each `<provider>/<id>.json`:

    {"id", "provider", "api", "model", "stream",
     "request": {"path", "body"},
     "response": {"status", "body" or "sse_chunks": [texts of events with their ends]}}

where `api` is `chat.completions`, `messages`, `generateContent` or `streamGenerateContent`; others
are counted as no conversation. The upstream answers with recordings: `POST /_keys` with
`{provider: [keys]}` makes it accept keys, `POST /_script` with `{"key", "ids"}` says which
recordings the next requests with a key get, `POST /_reset` forgets. The gateway's providers are set
to it, `providers.allow_private_base_urls` is on, and it prefers providers (`routing.prefer`).

What a form cannot tell of a request is left out and counted by name, and so is what the gateway
refuses (`unsupported_parameter`). What was recorded as a failure must fail with the same words.
Exit status 1 if an answer differs.
"""

import argparse
import collections
import functools
import json
import secrets
import sys
import urllib.request
from pathlib import Path

from forms import FORMS, retold
from recorded import Failed, answer_of, form_of
from speakers import Refused, speakers

# Names of recordings' providers that the gateway calls otherwise.
NAMES = {"gemini": "google"}


def call(url, body=None, key=None, method=None):
    """JSON from an address."""
    headers = {"content-type": "application/json"} | (
        {"authorization": f"Bearer {key}"} if key else {}
    )
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        raw = answer.read()
        return json.loads(raw) if raw else None


class Replayed:
    """A gateway, with a user of its own whose keys the upstream knows."""

    def __init__(self, options):
        self.gateway, self.upstream, self.admin = options.gateway, options.upstream, options.admin
        self.keys = {}

    def user_of(self, provider):
        """The access key of a user who has a key of this provider and no other, and that key."""
        if provider not in self.keys:
            name = NAMES.get(provider, provider)
            # A gateway may be asked more than once.
            user = f"crosswise-{name}-{secrets.token_hex(4)}"
            call(f"{self.gateway}/api/v1/users", {"id": user, "tier": "professional"}, self.admin)
            body = {"user": user, "scopes": ["inference", "keys", "usage"]}
            access_key = call(f"{self.gateway}/api/v1/access-keys", body, self.admin)["secret"]
            key = f"sk-crosswise-{name}-" + "a1B2" * 16
            settings = {"skip_format_check": True}
            if provider == "azure":
                settings |= {"endpoint": f"{self.upstream}/azure", "api_version": "2024-10-21"}
            stored = {"provider": name, "key": key, "settings": settings}
            call(f"{self.gateway}/api/v1/provider-keys", stored, access_key)
            call(f"{self.upstream}/_keys", {provider: [key]})
            self.keys[provider] = access_key, key
        return self.keys[provider]

    def script(self, provider, recording):
        """Says what the next requests are answered with."""
        _, key = self.user_of(provider)
        call(f"{self.upstream}/_reset", {})
        call(f"{self.upstream}/_keys", {provider: [key]})
        call(f"{self.upstream}/_script", {"key": key, "ids": [recording] * 3})


def model_of(exchange):
    """The model as the gateway names it."""
    path, body = exchange["request"]["path"], exchange["request"].get("body") or {}
    provider = NAMES.get(exchange["provider"], exchange["provider"])
    if "/deployments/" in path:
        return f"{provider}/{path.split('/deployments/')[1].split('/')[0]}"
    if "/models/" in path:
        return f"{provider}/{path.split('/models/')[1].rsplit(':', 1)[0]}"
    return f"{provider}/{body.get('model', exchange['model'])}"


def differences(heard, recorded):
    """What of an answer is not as it was recorded."""
    found = []
    for member in ("text", "calls", "stop", "usage"):
        got, want = getattr(heard, member), getattr(recorded, member)
        # Other forms tell a refusal as a text, and one of them has a word for its end.
        if (member, want) == ("stop", "refused") and got in ("end", "filter"):
            continue
        if got != want:
            found.append(f"{member}: {str(got)[:160]!r}, recorded {str(want)[:160]!r}")
    return found


def check(exchange, form, replayed):
    """Whether an exchange is equal in a form: outcome, and what is to be told of it."""
    provider = exchange["provider"]
    body, left_out = retold(exchange, form)
    access_key, _ = replayed.user_of(provider)
    replayed.script(provider, exchange["id"])
    speaker = speakers(replayed.gateway, access_key)[form]
    ask = functools.partial(speaker, model_of(exchange), body, exchange["stream"])
    try:
        recorded = answer_of(exchange)
    except Failed as failed:
        return fails(ask, str(failed)), [str(failed)], left_out
    try:
        heard = ask()
    except Refused as refused:
        return "refused", [refused.param], left_out
    found = differences(heard, recorded)
    return ("differs" if found else "equal"), found, left_out


def fails(ask, message):
    """What was recorded failed: an SDK must raise that."""
    try:
        ask()
    except Exception as error:
        return "equal failure" if message in str(error) else "differs"
    return "differs"


def main():
    """Counts by provider, form and outcome."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments.add_argument("dir", type=Path)
    for name in ("gateway", "admin", "upstream"):
        arguments.add_argument(f"--{name}", required=True)
    arguments.add_argument("--only", default="")
    arguments.add_argument("-v", "--verbose", action="store_true")
    options = arguments.parse_args()
    replayed = Replayed(options)
    tally, names = collections.defaultdict(collections.Counter), collections.Counter()
    for file in sorted(options.dir.glob("*/*.json")):
        exchange = json.loads(file.read_text())
        if options.only not in exchange["id"]:
            continue
        own = form_of(exchange)
        row = f"{exchange['provider']} {exchange['api']}"
        if own is None or exchange["response"]["status"] >= 400:
            tally[row]["no conversation" if own is None else "an error"] += 1
            continue
        for form in FORMS:
            if form == own:
                continue
            try:
                outcome, said, left_out = check(exchange, form, replayed)
            except Exception as error:
                outcome, said, left_out = "differs", [f"{type(error).__name__}: {error}"[:400]], ()
            tally[f"{row} as {form}"][outcome] += 1
            names.update(f"left out in {form}: {name}" for name in left_out)
            if outcome == "refused":
                names.update(f"refused in {form}: {name}" for name in said)
            if outcome == "differs" or options.verbose:
                print(
                    f"{outcome.upper()} {exchange['id']} as {form}: {'; '.join(said)}", flush=True
                )
    total = collections.Counter()
    for row, counts in sorted(tally.items()):
        total.update(counts)
        print(f"{row:50} " + "  ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    for name, count in sorted(names.items()):
        print(f"{name:50} {count}")
    print(", ".join(f"{count} {name}" for name, count in sorted(total.items())))
    return 1 if total["differs"] or not total["equal"] else 0


if __name__ == "__main__":
    sys.exit(main())

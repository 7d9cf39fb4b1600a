"""Keeps a run going: who runs it is not deleted in it."""

import os

import schemathesis

# Who runs the tests.
TESTER = "api-tester"
# The access key that they are run with.
KEY_ID = os.environ.get("API_TESTER_KEY_ID", "")
# What is deleted instead: nothing.
NOBODY = "nobody-at-all"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Takes aim at nothing, instead of at who runs the tests."""
    parameters = case.path_parameters or {}
    if case.method.upper() == "DELETE":
        for name, own in (("user", TESTER), ("id", KEY_ID)):
            if parameters.get(name) == own:
                parameters[name] = NOBODY

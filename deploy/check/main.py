"""One check of what is deployed: `main.py sources|rules|settings|queries|rehearse --binary FILE`.
Prints what is wrong, a line each, and exits 1 if there is something."""

import argparse
import importlib
import sys
from pathlib import Path

CHECKS = {"sources": False, "rules": False, "settings": True, "queries": True, "rehearse": True}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("check", choices=CHECKS)
    parser.add_argument("--binary", default="target/debug/keyward", type=Path)
    arguments = parser.parse_args()
    check = importlib.import_module(arguments.check).check
    wrong = check(arguments.binary.resolve()) if CHECKS[arguments.check] else check()
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

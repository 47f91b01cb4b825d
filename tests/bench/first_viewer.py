"""A new user's way: the page at the beginning of docs/gateway.md, block by block, as it stands.

    .venv/bin/python tests/bench/first_viewer.py

Copies what git knows of the project into a folder, and runs the page's blocks there in one shell,
in an environment of its own. Says how long each took, until the first viewer was counted. Ends with
1 if a block failed or no viewer was. The page's ports must be free: 9092, 9630, 9640, 9641, 1935.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "gateway.md"
HEADING = "## From nothing to the first counted viewer"
#: What a block ends with, and what a failed one says: programs behind it keep the pipe open.
DONE, FAILED = "the-block-is-done", "the-block-has-failed"


def blocks():
    """The page's shell blocks, and how many words it has."""
    text = PAGE.read_text().partition(HEADING)[2]
    text = text[: text.index("\n| command ")]
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL), len(text.split())


def checkout(folder):
    """Copy what git knows of the project, as it stands here."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())


def walk(folder, patience):
    """Run the blocks; returns what the last one printed."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("AUDIENCE_")}
    clean.pop("VIRTUAL_ENV", None)
    with subprocess.Popen(
        ["bash"],
        cwd=folder,
        env=clean,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as shell:
        signal.signal(signal.SIGALRM, lambda *_: os.killpg(shell.pid, signal.SIGKILL))
        signal.alarm(patience)
        try:
            shell.stdin.write(f"trap 'echo {FAILED} $BASH_COMMAND; exit 1' ERR\n")
            for block in blocks()[0]:
                began = time.monotonic()
                shell.stdin.write(f"{block}\necho {DONE}\n")
                shell.stdin.flush()
                said = []
                for line in shell.stdout:
                    said.append(line)
                    if DONE in line or FAILED in line:
                        break
                if not said or DONE not in said[-1]:
                    print("".join(said))
                    sys.exit(f"a block failed:\n{block}")
                first = block.splitlines()[0]
                print(f"{time.monotonic() - began:6.1f} s  {first[:80]}", flush=True)
            return "".join(said)
        finally:
            signal.alarm(0)
            os.killpg(shell.pid, signal.SIGKILL)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patience", type=int, default=900, help="seconds until it gives up")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkout(folder)
        began = time.monotonic()
        said = walk(folder, options.patience)
        took = time.monotonic() - began
    print(said)
    words = blocks()[1]
    print(
        f"{took:.0f} s to the first viewer; the page has {words} words, {words / 200:.1f} minutes"
    )
    counted = re.search(r'"viewers": 1\b', said) and '"venue": "louvre"' in said
    sys.exit(0 if counted else "no viewer was counted")


if __name__ == "__main__":
    main()

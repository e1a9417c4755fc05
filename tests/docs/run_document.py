"""Runs the commands of a document and compares what they print with what the document says they print.

Blocks marked `sh` are run, in one shell and a folder of their own; so are those in a comment (<!--sh … -->), which only
prepare. A block marked `text` right after one says what it prints: these lines, in this order, perhaps among others;
`…` stands for anything. A block marked `cpp` whose first line names a file must be in that file. Ports are exchanged for
free ones.

usage: run_document.py ROOT DOCUMENT
"""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(sh|text|cpp)\n(.*?)^```$|^<!--sh\n(.*?)^-->$", re.M | re.S)
SECONDS = 120


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def words(text):
    return " ".join(text.split())


def missing(expected, printed):
    """The first expected line that is not printed, in order."""
    lines = iter([words(line) for line in printed.splitlines()])
    for line in filter(None, map(words, expected.splitlines())):
        pattern = ".*".join(map(re.escape, line.split("…")))
        if not any(re.fullmatch(pattern, candidate) for candidate in lines):
            return line
    return None


def run(commands):
    script = "set -eu\n" + "".join(f"{block}\necho '@@@@'\n" for block in commands)
    for port in sorted(set(re.findall(r"127\.0\.0\.1:(\d+)|--port (\d+)", script))):
        script = re.sub(r"\b" + "".join(port) + r"\b", free_port(), script)
    with tempfile.TemporaryDirectory() as folder:
        shell = subprocess.Popen(
            ["bash", "-c", script], cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            printed, _ = shell.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)
            printed, _ = shell.communicate()
            sys.exit(f"not done after {SECONDS} s; so far:\n{printed}")
    if shell.returncode != 0:
        sys.exit(f"a command failed; all output:\n{printed}")
    return printed.split("@@@@\n")


def main(root, document):
    blocks = [(kind or "sh", body or hidden) for kind, body, hidden in BLOCK.findall(pathlib.Path(document).read_text())]
    for kind, body in blocks:
        first, _, rest = body.partition("\n")
        if kind == "cpp" and first.startswith("// ") and first.endswith(".cpp"):
            if words(rest) not in words((pathlib.Path(root) / first[3:]).read_text()):
                sys.exit(f"{first[3:]} does not hold:\n{rest}")
    commands = [body for kind, body in blocks if kind == "sh"]
    if not commands:
        sys.exit("nothing to run")
    printed = run(commands)
    block = -1
    for index, (kind, body) in enumerate(blocks):
        block += kind == "sh"
        if kind == "text" and (line := missing(body, printed[block])) is not None:
            sys.exit(f"block {block + 1} does not print\n  {line}\nbut\n{printed[block]}")


if __name__ == "__main__":
    main(*sys.argv[1:])

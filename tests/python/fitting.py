"""What commands print in terminals of 80 and 40 columns, beside what they print where there is none.

usage: fitting.py PROGRAM ADMIN VERB...
ADMIN: the operators' API of a server that has a user `ann` with something to explain. VERB: which to run.
"""

import subprocess
import sys

from terminals import Terminal

PROGRAM, ADMIN, *VERBS = sys.argv[1:]
REMOTE = ["--admin", ADMIN]
# With what must be in them, and whether they are prose: a table's row may be cut.
COMMANDS = [
    (["status", *REMOTE], "ranked by", True),
    (["why", "ann", *REMOTE], " at ", True),
    (["users", *REMOTE], "PRESSURE", False),
    (["user", "ann", *REMOTE], "STANDING", False),
    (["policy", "list", *REMOTE], "FALLBACK", False),
    (["status", "--admin", "127.0.0.1:9"], "cannot reach the operators' API", True),
    (["policy", "inspect", "lru"], "lru", False),
    (["policy", "check", "no-such-file.wasm"], "no-such-file.wasm", True),
    (["demo", "--managers", "8", "--silent", "3"], "Without it, at a plain limit", False),
    (["config", "default"], "# ", False),
    (["serve", "--help"], "Examples:", False),
    (["--help"], "Exit codes:", False),
]
LONG = 34


def is_machine(line):
    """A value of a configuration file, or how a command is called: they are left as they are."""
    return " = " in line or line.startswith("Usage: ") or line.lstrip().startswith(("{", "[", '"'))


def unbroken(text):
    """The words that fit a line of 40 columns, in order."""
    return [word for word in text.split() if len(word) <= LONG and word not in ("#", "…")]


chosen = [command for command in COMMANDS if command[0][0] in VERBS]
if {command[0][0] for command in chosen} != set(VERBS):
    raise SystemExit(f"there are no commands for some of {VERBS}")
for arguments, expected, is_prose in chosen:
    piped = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60)
    plain = piped.stdout + piped.stderr
    if expected not in plain or "\x1b" in plain:
        raise SystemExit(f"{arguments}, piped:\n{plain}")
    known = set(unbroken(plain))
    for columns in (80, 40):
        # So high that nothing scrolls away.
        terminal = Terminal([PROGRAM, *arguments], columns=columns, lines=1500)
        code = terminal.ended()
        terminal.close()
        where = f"{arguments} in {columns} columns"
        if code != piped.returncode:
            raise SystemExit(f"{where} ends with {code}, and {piped.returncode} without a terminal")
        if b"\x1b[" in terminal.output and arguments[0] != "demo" and "help" not in arguments[-1]:
            raise SystemExit(f"{where}: {terminal.output!r}")
        told = terminal.output.decode()
        for escape in ("\x1b[1;32m", "\x1b[31m", "\x1b[2m", "\x1b[0m", "\x1b[1m", "\x1b[4m"):
            told = told.replace(escape, "")
        lines = told.replace("\r", "").split("\n")
        for line in lines:
            words = line.split()
            too_wide = len(line) > columns
            # One word that fits nowhere, with what is before it in its column.
            if too_wide and not any(len(word) > columns // 2 for word in words) and not is_machine(line):
                raise SystemExit(f"{where}: a line of {len(line)} columns:\n{line}")
        if is_prose:
            shown = unbroken(told)
            if shown != unbroken(plain):
                lost = [word for word in shown if word not in known]
                # Times go on between the two runs.
                if any(not any(c.isdigit() for c in word) for word in lost):
                    raise SystemExit(f"{where}: words that are none: {lost}\n{told}")
    if arguments[0] == "demo":
        colours = terminal.screen.colours
        if not {31, 32} <= colours:
            raise SystemExit(f"the demonstration is not in colour: {colours}")
        plain = Terminal([PROGRAM, *arguments], environment={"NO_COLOR": "1"})
        if plain.ended() != 0 or b"\x1b[" in plain.output:
            raise SystemExit(f"colours where none are wanted: {plain.output!r}")
        plain.close()
print("all as it should be")

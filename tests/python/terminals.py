"""A program in a pseudo-terminal, and what a person would see of it there."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import unicodedata

PATIENCE_S = 30
# Moves, clearing, modes, and all else that begins with an escape.
PART = re.compile(rb"\x1b\[([?>=]?)([0-9;]*)([ -/]*)([@-~])|\x1b[()][A-Z0-9]|\x1b[=>78cDEHM]|[\x00-\x1f]|[^\x1b\x00-\x1f]+")
BEGUN = re.compile(rb"\x1b(\[[0-9;?>=]*)?$")


class Screen:
    """As much of a terminal as the programs here use."""

    def __init__(self, columns, lines):
        self.columns, self.lines = columns, lines
        self.modes = {}
        self.colours = set()
        self.rest = b""
        self.clear()

    def clear(self):
        self.cells = [[" "] * self.columns for _ in range(self.lines)]
        self.row = self.column = 0

    def feed(self, data):
        data = self.rest + data
        # What may go on in the next read: an escape, or a character of several bytes.
        begun = BEGUN.search(data)
        end = begun.start() if begun else len(data)
        while end and len(data) - end < 4 and not whole(data[:end]):
            end -= 1
        self.rest = data[end:]
        for part in PART.finditer(data[:end]):
            self.part(part)

    def part(self, part):
        text = part.group(0)
        if part.group(4):
            self.control(part.group(1), part.group(2), part.group(4))
        elif text == b"\r":
            self.column = 0
        elif text == b"\n":
            self.row += 1
            if self.row >= self.lines:
                self.cells = self.cells[1:] + [[" "] * self.columns]
                self.row = self.lines - 1
        elif not text.startswith(b"\x1b") and text >= b" ":
            for character in text.decode():
                self.put(character)

    def control(self, private, numbers, letter):
        values = [int(number or 0) for number in numbers.split(b";")]
        if letter == b"H":
            values += [1] * (2 - len(values))
            self.row, self.column = max(values[0], 1) - 1, max(values[1], 1) - 1
        elif letter == b"J" and values[0] in (2, 3):
            self.cells = [[" "] * self.columns for _ in range(self.lines)]
        elif letter == b"m":
            self.colours |= {value for value in values if 30 <= value <= 38 or 40 <= value <= 48 or 90 <= value <= 107}
        elif private == b"?" and letter in b"hl":
            self.modes[values[0]] = letter == b"h"

    def put(self, character):
        wide = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if unicodedata.combining(character):
            return
        if self.column + wide > self.columns:
            self.row, self.column = min(self.row + 1, self.lines - 1), 0
        if self.row < self.lines:
            self.cells[self.row][self.column] = character
        self.column += wide

    def text(self):
        return "\n".join("".join(row).rstrip() for row in self.cells)


def whole(data):
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.reason != "unexpected end of data"
    return True


class Terminal:
    """A program with a terminal of its own."""

    def __init__(self, arguments, columns=100, lines=30, environment=None):
        self.master, self.slave = pty.openpty()
        self.size(columns, lines)
        self.before = termios.tcgetattr(self.slave)
        self.output = b""
        known = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
        self.program = subprocess.Popen(
            arguments,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**known, "TERM": "xterm-256color", **(environment or {})},
        )

    def size(self, columns, lines):
        """Gives the terminal another size; the kernel tells the program."""
        self.screen = Screen(columns, lines)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys):
        os.write(self.master, keys.encode())

    def read(self, wait_s):
        ready, _, _ = select.select([self.master], [], [], wait_s)
        if not ready:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.output += data
        self.screen.feed(data)
        return bool(data)

    def until(self, what, shows):
        """Reads until the screen shows something."""
        end = time.monotonic() + PATIENCE_S
        while not shows(self.screen.text()):
            left = end - time.monotonic()
            if left <= 0:
                raise SystemExit(f"waited in vain for {what}; the screen:\n{self.screen.text()}")
            if self.program.poll() is not None and not self.read(0):
                raise SystemExit(f"the program ended instead of {what}:\n{self.screen.text()}")
            self.read(min(left, 0.5))

    def shows(self, *texts):
        self.until(" and ".join(texts), lambda screen: all(text in screen for text in texts))

    def ended(self):
        """Its exit code, once it ended and everything that it wrote is read."""
        end = time.monotonic() + PATIENCE_S
        while self.program.poll() is None and time.monotonic() < end:
            self.read(0.1)
        if self.program.poll() is None:
            raise SystemExit(f"the program does not end:\n{self.screen.text()}")
        while self.read(0.1):
            pass
        return self.program.returncode

    def is_as_before(self):
        """Whether the terminal is in the mode that the program found, with the screen and the cursor of before."""
        modes = self.screen.modes
        return termios.tcgetattr(self.slave) == self.before and not modes.get(1049) and modes.get(25, True)

    def close(self):
        if self.program.poll() is None:
            self.program.kill()
            self.program.wait()
        os.close(self.master)
        os.close(self.slave)

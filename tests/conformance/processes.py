"""Programs that are started, waited for by what they say or by connecting, and stopped by their id."""

import json
import socket
import subprocess
import time

# Far longer than anything here takes to start, also on a busy machine.
START_SECONDS = 60


class Program:
    """A program that runs inside a `with`."""

    def __init__(self, *command, log):
        self.command = [str(part) for part in command]
        self.log = log

    def __enter__(self):
        self.output = open(self.log, "wb")
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.output)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.output.close()

    def line(self):
        """Its next line."""
        line = self.process.stdout.readline().decode().strip()
        if not line:
            self.process.wait()
            raise SystemExit(f"error: {self.command[0]} ended; see {self.log}")
        return line


def gateway(program, config, log, upstream=None):
    """Our server, in front of `upstream` if there is one. Its first line says where it listens."""
    arguments = ["serve", "--config", config, "--listen", "127.0.0.1:0", "--admin", "off", "--json"]
    if upstream:
        arguments += ["--upstream", upstream]
    return Program(program, *arguments, log=log)


def url_of(gateway):
    return json.loads(gateway.line())["url"] + "?user=ann&key=k"


def free_port():
    """A port that the suite's server can have; it takes none of the system's choice."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for_port(port, process):
    """Until somebody listens there."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit(f"error: the suite's server ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            # Refused at once; giving up the processor is all that this is for.
            time.sleep(0.05)
    raise SystemExit(f"error: nobody listens on port {port}")

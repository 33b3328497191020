"""The program under test as a process, clients of it, and requests to its operators' API."""

import base64
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.parse

from websockets.sync.client import connect

HERE = pathlib.Path(__file__).parent
TOKEN = "the-operators-token-of-this-test"
READER = "a-token-that-may-only-read-0001"
WITHIN_S = 20


def engine_of_a_cluster():
    """A redis-server that keeps nothing, and its address: with it one gateway is a cluster of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(["redis-server", *words], stdout=subprocess.DEVNULL)
    return process, f"redis://127.0.0.1:{port}"


class Server:
    """One server with a state directory of its own, on ports of the system's choice: the only node of a cluster."""

    def __init__(self, program):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="wastegate-openapi-"))
        tokens = self.folder / "tokens"
        tokens.touch(mode=0o600)
        tokens.write_text(f"reader read {READER}\n")
        settings = [
            f"policy.rollout.state_dir={self.folder / 'state'}",
            f"admin.tokens_file={tokens}",
        ]
        command = [program, "serve", "--config", str(HERE / "wastegate.toml")]
        command += ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--json"]
        command += [word for setting in settings for word in ("--set", setting)]
        self.log = open(self.folder / "log", "w")
        self.engine, address = engine_of_a_cluster()
        env = {
            **os.environ,
            "WASTEGATE_ADMIN__TOKEN": TOKEN,
            "WASTEGATE_CLUSTER__ENGINE": address,
            "WASTEGATE_CLUSTER__SECRET": "a secret of this test",
        }
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, env=env, text=True)
        first = self.process.stdout.readline()
        if not first:
            raise RuntimeError(f"the server ended: {(self.folder / 'log').read_text()}")
        said = json.loads(first)
        self.url, self.admin = said["url"], said["admin"]
        self.clients = []
        self.until("the engine answers", lambda: json.loads(self.ask("GET", "/readyz").content)["cluster"] == "up")

    def enter(self, user, key):
        """A client that answers pings."""
        query = urllib.parse.urlencode({"user": user, "key": key})
        client = connect(f"{self.url}?{query}", open_timeout=WITHIN_S, proxy=None)
        self.clients.append(client)
        return client

    def enter_silent(self, user, key):
        """A client that connects and then reads nothing."""
        url = urllib.parse.urlsplit(self.url)
        query = urllib.parse.urlencode({"user": user, "key": key})
        client = socket.create_connection((url.hostname, url.port), timeout=WITHIN_S)
        nonce = base64.b64encode(os.urandom(16)).decode()
        head = [f"GET {url.path or '/'}?{query} HTTP/1.1", f"host: {url.netloc}", "connection: Upgrade"]
        head += ["upgrade: websocket", "sec-websocket-version: 13", f"sec-websocket-key: {nonce}", "", ""]
        client.sendall("\r\n".join(head).encode())
        status = client.recv(64).split(b" ")[1]
        assert status == b"101", f"{user} {key} is answered {status}"
        self.clients.append(client)

    def ask(self, method, path, body=None, headers=None, token=TOKEN):
        """One request; returns the answer with its body read. `body` is bytes, or becomes JSON."""
        headers = {name.lower(): value for name, value in (headers or {}).items()}
        if token:
            headers.setdefault("authorization", f"Bearer {token}")
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("content-type", "application/json")
        host, port = self.admin.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=WITHIN_S)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.content = answer.read()
        connection.close()
        return answer

    def events(self, query=""):
        """The stream of events as lines, as they come."""
        host, port = self.admin.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=WITHIN_S)
        connection.request("GET", f"/v1/events{query}", headers={"authorization": f"Bearer {TOKEN}"})
        return connection.getresponse()

    def until(self, what, holds):
        """Waits until something holds, and returns it."""
        end = time.monotonic() + WITHIN_S
        while not (found := holds()):
            assert time.monotonic() < end, f"waited in vain: {what}"
            time.sleep(0.025)
        return found

    def stop(self):
        """Ends the server; true if it still ran."""
        ran = self.process.poll() is None
        self.process.kill()
        self.process.wait()
        self.engine.kill()
        self.engine.wait()
        for client in self.clients:
            client.close()
        self.log.close()
        if ran:
            shutil.rmtree(self.folder)
        else:
            print((self.folder / "log").read_text()[-4000:])
        return ran

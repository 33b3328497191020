"""A gateway that runs out of local ports: prints, as JSON, how many clients are in, what the next one is
answered, what operators see, and the log.

    few_ports.py GATEWAY_PROGRAM

Run it in a network namespace of its own, with a small net.ipv4.ip_local_port_range. Its own sockets have
ports outside of that.
"""

import base64
import hashlib
import itertools
import json
import socket
import subprocess
import sys
import tempfile
import threading

BACKEND = ("127.0.0.1", 9000)
GATEWAY = ("127.0.0.1", 8080)
OPERATORS = ("127.0.0.1", 9090)
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CLIENTS_MAX = 20

own_ports = itertools.count(50_000)


def head(stream):
    read = b""
    while not read.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)
        if not byte:
            raise OSError("the end, after %r" % read)
        read += byte
    return read.decode("latin-1")


def upgrade(stream):
    try:
        asked = head(stream).lower().split("sec-websocket-key: ")
        lines = asked[1].split("\r\n") if len(asked) > 1 else [""]
    except OSError:
        return
    # The key is case-sensitive; the client below sends one without letters that matter.
    accept = base64.b64encode(hashlib.sha1((KEY + GUID).encode()).digest()).decode()
    assert lines[0] == KEY.lower()
    stream.sendall(
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            f"sec-websocket-accept: {accept}\r\n\r\n"
        ).encode()
    )


KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def backend():
    listener = socket.create_server(BACKEND)
    held = []

    def serve():
        while True:
            stream, _ = listener.accept()
            held.append(stream)
            threading.Thread(target=upgrade, args=(stream,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()


def connect(address):
    stream = socket.socket()
    stream.settimeout(30)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    stream.bind(("127.0.0.1", next(own_ports)))
    stream.connect(address)
    return stream


def client(number):
    stream = connect(GATEWAY)
    stream.sendall(
        (
            f"GET /ws?user=u{number}&key=k HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\n"
            "connection: upgrade\r\nsec-websocket-version: 13\r\n"
            f"sec-websocket-key: {KEY}\r\n\r\n"
        ).encode()
    )
    return int(head(stream).split(" ")[1]), stream


def upstreams():
    stream = connect(OPERATORS)
    stream.sendall(b"GET /v1/upstreams HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
    read = b"".join(iter(lambda: stream.recv(65536), b""))
    return json.loads(read.split(b"\r\n\r\n", 1)[1])


def main(program):
    backend()
    with tempfile.TemporaryFile() as log:
        gateway = subprocess.Popen(
            [program, "serve", "--json", "--upstream", "ws://%s:%d" % BACKEND,
             "--listen", "%s:%d" % GATEWAY, "--admin", "%s:%d" % OPERATORS],
            stdout=subprocess.PIPE,
            stderr=log,
        )
        try:
            gateway.stdout.readline()
            held, then = [], None
            for number in range(CLIENTS_MAX):
                status, stream = client(number)
                held.append(stream)
                if status != 101:
                    then = status
                    break
            told = {"in": len(held) - 1, "then": then, "upstreams": upstreams()}
            log.seek(0)
            told["log"] = log.read().decode()
            print(json.dumps(told))
        finally:
            gateway.kill()


main(*sys.argv[1:])

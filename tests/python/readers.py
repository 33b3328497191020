"""Clients that read whatever comes and answer nothing, in a process that a test can stop.

    readers.py HOST PORT COUNT USER [tls] [deflate]

Prints "ready" once all are connected and have said one thing. Only the standard library.
"""

import socket
import ssl
import sys
import threading


def connect(host, port, user, number, tls, deflate):
    stream = socket.create_connection((host, port))
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        stream = context.wrap_socket(stream)
    offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n" if deflate else ""
    stream.sendall(
        (
            f"GET /ws?user={user}&key=reader-{number}&device=reader-{number} HTTP/1.1\r\n"
            f"Host: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"{offer}\r\n"
        ).encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)
        assert byte, head
        head += byte
    assert head.startswith(b"HTTP/1.1 101 "), head
    # A text of two letters, under a mask of zeros.
    stream.sendall(b"\x81\x82\0\0\0\0hi")
    return stream


def read(stream):
    try:
        while stream.recv(65536):
            pass
    except OSError:
        pass


def main():
    host, port, count, user = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    tls, deflate = "tls" in sys.argv[5:], "deflate" in sys.argv[5:]
    streams = [connect(host, port, user, number, tls, deflate) for number in range(count)]
    readers = [threading.Thread(target=read, args=(stream,)) for stream in streams]
    for reader in readers:
        reader.start()
    print("ready", flush=True)
    for reader in readers:
        reader.join()


main()

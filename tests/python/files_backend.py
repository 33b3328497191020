"""Python's own file server, as it is: HTTP/1.0, one answer a connection. Prints its address."""

import functools
import http.server
import sys

handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
host, port = server.server_address
print(f"{host}:{port}", flush=True)
server.serve_forever()

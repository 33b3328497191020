"""A page in a real browser talks through the gateway to a server behind it.

    page_through.py CHROMIUM WS-URL

The page comes from a server of this script. The user at the URL may hold one session, and the server
behind the gateway echoes and closes as `tests/node/echo_backend.js` does. Prints as JSON what the page saw.
"""

import asyncio
import http.server
import json
import sys
import threading

from devtools import browser

PATIENCE_S = 50
PAGE = b"""<!doctype html><title>A page</title><script>
const next = (socket, name) => new Promise((resolve, reject) => {
    socket.addEventListener(name, resolve, { once: true });
    if (name !== "close") {
        socket.addEventListener("close", ({ code, reason }) => reject(`closed ${code} ${reason}`), { once: true });
    }
});
const open = async (url) => {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    await next(socket, "open");
    return socket;
};
const ask = async (socket, question) => {
    const answer = next(socket, "message");
    socket.send(question);
    return (await answer).data;
};
const ended = async (socket, end) => {
    const closed = next(socket, "close");
    await end();
    const { code, reason, wasClean } = await closed;
    return [code, reason, wasClean];
};
const story = async (url) => {
    const saw = {};
    let socket = await open(`${url}&key=talks`);
    saw.extensions = socket.extensions.split(";")[0];
    const text = "so and so \u00fc ".repeat(4000);
    saw.text = await ask(socket, text) === text;
    const bytes = crypto.getRandomValues(new Uint8Array(50000));
    const back = new Uint8Array(await ask(socket, bytes));
    saw.binary = back.length === bytes.length && back.every((byte, at) => byte === bytes[at]);
    saw.closes = await ended(socket, () => socket.close(4321, "enough"));
    socket = await open(`${url}&key=told`);
    saw.is_closed = await ended(socket, () => socket.send("close 4322 as told"));
    socket = await open(`${url}&key=evicted`);
    let newcomer;
    saw.is_evicted = await ended(socket, async () => { newcomer = await open(`${url}&key=new`); });
    // The reference that support asks for is another one each time.
    saw.is_evicted[1] = saw.is_evicted[1].replace(/ \(why [0-9A-HJKMNP-TV-Z]{6}\)$/, "");
    saw.newcomer = await ask(newcomer, "in");
    newcomer.close();
    return saw;
};
const tell = (url) => story(url).then(
    saw => { window.saw = JSON.stringify(saw); },
    error => { window.saw = JSON.stringify({ failed: String(error) }); },
);
</script>"""


class Serve(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_):
        pass


async def story(chromium, url):
    pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Serve)
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    async with browser(chromium) as tools:
        session = await tools.open(f"http://127.0.0.1:{pages.server_port}/page")
        await tools.value(session, f"void tell({json.dumps(url)})")
        await tools.until(session, "typeof window.saw", "string")
        print(await tools.value(session, "window.saw"))


async def main(*arguments):
    await asyncio.wait_for(story(*arguments), PATIENCE_S)


asyncio.run(main(*sys.argv[1:]))

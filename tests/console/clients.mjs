// WebSocket clients for the console's test, by hand: one that answers pings, and one that falls silent with its
// socket open, which no library does.
import net from 'node:net';
import crypto from 'node:crypto';

const OPCODE = { text: 1, close: 8, ping: 9, pong: 10 };

export class Client {
  /** Connects, and resolves to a client that is in, or has `refused` with the status. */
  static open(url, { silent = false } = {}) {
    const { hostname, port, pathname, search } = new URL(url);
    const client = new Client();
    client.silent = silent;
    return new Promise((done, failed) => {
      const socket = net.connect(Number(port), hostname);
      client.socket = socket;
      let rest = Buffer.alloc(0);
      let isOpen = false;
      socket.on('error', failed);
      socket.on('close', () => { client.ended?.(); failed(new Error('closed')); });
      socket.on('connect', () => socket.write([
        `GET ${pathname}${search} HTTP/1.1`, `Host: ${hostname}:${port}`, 'Upgrade: websocket', 'Connection: Upgrade',
        `Sec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}`, 'Sec-WebSocket-Version: 13', '', '',
      ].join('\r\n')));
      socket.on('data', (bytes) => {
        rest = Buffer.concat([rest, bytes]);
        if (!isOpen) {
          const end = rest.indexOf('\r\n\r\n');
          if (end < 0) return;
          client.status = Number(rest.subarray(9, 12).toString());
          rest = rest.subarray(end + 4);
          isOpen = true;
          if (client.status !== 101) socket.destroy();
          done(client);
        }
        rest = client.#take(rest);
      });
    });
  }

  #take(rest) {
    for (;;) {
      if (rest.length < 2) return rest;
      let length = rest[1] & 127;
      let at = 2;
      if (length === 126) { if (rest.length < 4) return rest; length = rest.readUInt16BE(2); at = 4; }
      if (length === 127) { if (rest.length < 10) return rest; length = Number(rest.readBigUInt64BE(2)); at = 10; }
      if (rest.length < at + length) return rest;
      const payload = rest.subarray(at, at + length);
      const opcode = rest[0] & 15;
      if (!this.silent && opcode === OPCODE.ping) this.#send(OPCODE.pong, payload);
      if (opcode === OPCODE.close) {
        this.code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
        if (!this.silent) { this.#send(OPCODE.close, payload); this.socket.end(); }
      }
      rest = rest.subarray(at + length);
    }
  }

  #send(opcode, payload) {
    const mask = crypto.randomBytes(4);
    const body = Buffer.from(payload);
    for (let at = 0; at < body.length; at += 1) body[at] ^= mask[at & 3];
    const head = body.length < 126 ? Buffer.from([128 | opcode, 128 | body.length]) : Buffer.from([128 | opcode, 254, body.length >> 8, body.length & 255]);
    if (!this.socket.destroyed) this.socket.write(Buffer.concat([head, mask, body]));
  }

  say(text) { this.#send(OPCODE.text, text); }

  leave() { this.socket.destroy(); }

  /** Gone without a word: a reset, as of a client whose machine is gone. */
  vanish() { this.socket.resetAndDestroy(); }
}

// Tabs of one user, each with a client of its own, and the slots that the gateway has given out.
import { WastegateSocket } from "/client.js";

const LOOK_MS = 500;
const LINES_MAX = 6;
const { url } = await (await fetch("/gateway")).json();
let tabs = 0;

function element(name, text = "") {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function openTab() {
  const name = `tab-${++tabs}`;
  const card = element("article");
  const state = element("p");
  const log = element("ol");
  const buttons = element("p");
  card.append(element("h2", name), state, buttons, log);
  document.querySelector("#tabs").append(card);

  const socket = new WastegateSocket(`${url}?user=ann`, [], { key: name, notices: true });
  const show = (kind, text) => {
    card.className = kind;
    state.textContent = text;
  };
  const note = (text) => {
    log.prepend(element("li", text));
    while (log.children.length > LINES_MAX) log.lastChild.remove();
  };
  const button = (text, press) => {
    const made = element("button", text);
    made.onclick = press;
    buttons.append(made, " ");
  };
  button("Say something", () => {
    if (socket.readyState === WebSocket.OPEN) socket.send("hello");
    else note("not sent: there is no connection");
  });
  button("Use it here", () => {
    show("waiting", "connecting");
    socket.reconnect();
  });
  button("Close", () => socket.close());

  show("waiting", "connecting");
  socket.addEventListener("open", () => {
    show("open", "open");
    note("open");
  });
  socket.addEventListener("message", ({ data }) => note(`received: ${data}`));
  socket.addEventListener("pressure", ({ detail }) => note(`pressure ${detail.level}: ${detail.held} of ${detail.limit}`));
  socket.addEventListener("evicting", ({ detail }) => note(`about to be evicted (${detail.cause})`));
  socket.addEventListener("lost", ({ detail }) => {
    show("waiting", `waits ${(detail.retryInMs / 1000).toFixed(1)} s, then tries again`);
    note(`${detail.code}: ${detail.reason || "lost"}`);
  });
  socket.addEventListener("close", ({ code, reason }) => {
    show("away", code === 1000 ? "closed" : "stays away, until you ask it to return");
    note(`${code}: ${reason || "closed"}`);
  });
}

async function look() {
  const { limit, managers } = await (await fetch("/slots")).json();
  const slots = document.querySelector("#slots");
  slots.replaceChildren("Slots: ");
  for (const { key } of managers) slots.append(element("span", key));
  for (let free = managers.length; free < limit; free++) {
    const slot = element("span", "free");
    slot.className = "free";
    slots.append(slot);
  }
  setTimeout(look, LOOK_MS);
}

document.querySelector("#add").onclick = openTab;
look();

/**
 * Names that stay: a key for each tab and socket, a device for each browser profile. Elsewhere than in a
 * page both are made up, and last as long as the process.
 */

/** How long a tab waits for its own name: a reload has it at once, a duplicated tab never gets it. */
const DUPLICATE_MS_MAX = 300;
const KEY = "wastegate.key";
const DEVICE = "wastegate.device";

/** A name that no other client has. `crypto.randomUUID` is only there for pages over https. */
export function randomName(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A name in a storage, made on first use. Where the browser forbids storage, it lasts as long as the page. */
function stored(storage: () => Storage, name: string, fresh?: string): string {
  try {
    const kept = fresh ?? storage().getItem(name) ?? randomName();
    storage().setItem(name, kept);
    return kept;
  } catch {
    return fresh ?? randomName();
  }
}

/** Whether this page gets a lock of the browser, which it then keeps until it ends. */
function holds(lock: string): Promise<boolean> {
  return new Promise((resolve) => {
    navigator.locks
      .request(lock, { signal: AbortSignal.timeout(DUPLICATE_MS_MAX) }, () => {
        resolve(true);
        return new Promise(() => {});
      })
      .catch(() => resolve(false));
  });
}

/**
 * The tab's name. "Duplicate tab" copies `sessionStorage`, and two tabs of one name would take over from each
 * other (4500), so a tab holds a lock of its name, and one that cannot get it takes another.
 */
async function tabName(): Promise<string> {
  const name = stored(() => sessionStorage, KEY);
  if (!navigator.locks || (await holds(KEY + name))) return name;
  const other = stored(() => sessionStorage, KEY, randomName());
  await holds(KEY + other);
  return other;
}

const isPage = typeof document !== "undefined";
let tab: Promise<string> | undefined;
let device: string | undefined;
/** The sockets of this tab that use its name, by number. The first has none, as most tabs have one socket. */
const owners = new Map<number, OwnKey>();

/** The key of one socket that was given none. */
export class OwnKey {
  #number = 0;
  #name: string | undefined;

  /** The key: the same as before, unless another socket of the tab has taken it since `release`. */
  async take(): Promise<string> {
    if (!isPage) return (this.#name ??= randomName());
    if (owners.get(this.#number) !== this) {
      let number = this.#number || 1;
      while (owners.has(number)) number++;
      this.#number = number;
      owners.set(number, this);
    }
    const name = await (tab ??= tabName());
    return this.#number === 1 ? name : `${name}.${this.#number}`;
  }

  /** Lets another socket have it. */
  release(): void {
    if (owners.get(this.#number) === this) owners.delete(this.#number);
  }
}

/** The device's name. */
export function deviceName(): string {
  return (device ??= isPage ? stored(() => localStorage, DEVICE) : randomName());
}

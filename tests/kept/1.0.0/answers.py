"""Where `questions.json` and `answers.json` came from.

The formulas of the policies, written a second time and without looking at the first: what the
binaries must answer was computed, not recorded. Kept as evidence. Running it in this directory
writes both files again, byte for byte the same.
"""

import json
import math

MASK = (1 << 64) - 1
GAMMA = 0x9E3779B97F4A7C15


def scramble(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def mix(seed, value):
    return scramble((scramble((seed + GAMMA) & MASK) + value + GAMMA) & MASK)


def bits(value):
    import struct

    return struct.unpack("<Q", struct.pack("<d", value))[0]


# ---- questions

MS = ["age-ms", "idle-ms", "second-last-idle-ms", "silence-ms", "pong-age-ms", "rtt-ms",
      "probe-age-ms", "detached-ms", "queue-head-age-ms"]
BYTES = ["queued-bytes", "buffered-bytes", "bytes-in", "bytes-out", "bytes-growth-1m"]
SMALL = ["activity-count", "missed-pongs", "connections", "connections-alive", "in-flight",
         "errors", "reconnects", "evictions-before", "returns-before"]
SCALES = ["activity-rate-1m", "activity-decayed-1h", "phi"]
CODES = {"health": 7, "protection": 3, "visibility": 2, "device-class": 4, "taken-over": 2}
OFTEN_UNKNOWN = ["second-last-idle-ms", "detached-ms", "queue-head-age-ms", "pong-age-ms", "rtt-ms",
                 "visibility", "probe-age-ms", "phi", "bytes-growth-1m", "in-flight"]


def rows(seed, count, node):
    """Made-up managers, the longest idle first as the host lists them."""
    made = []
    for i in range(count):
        draw = iter(range(1, 1 << 30))

        def lot(below):
            return mix(seed * 1_000 + next(draw), i) % below

        row = {}
        for name in MS:
            row[name] = lot(86_400) * 100 + i
        for name in BYTES:
            row[name] = lot(400) * 1_024 + i
        row["bytes-growth-1m"] -= 200 * 1_024
        for name in SMALL:
            row[name] = lot(5)
        for name in SCALES:
            row[name] = lot(4_096) / 64
        for name, codes in CODES.items():
            row[name] = lot(codes)
        if lot(4):
            row["health"], row["taken-over"] = 1, 0
        row["priority"] = [0, 0, 0, 1, -1][lot(5)]
        if node:
            row["user-held"], row["user-limit"] = 1 + lot(20), 20
        for name in OFTEN_UNKNOWN:
            if lot(3) == 0:
                del row[name]
        made.append(row)
    return sorted(made, key=lambda row: -row["idle-ms"])


def question(name, tier, scope, needed, limit, held, seed, asked, params=None):
    return {"name": name, "tier": tier, "scope": scope, "needed": needed, "limit": limit,
            "held": held, "now-ms": 1_000_000 + seed, "seed": seed, "params": params or {},
            "rows": asked}


ties = [{"idle-ms": 5_000, "age-ms": 9_000, "bytes-in": 7, "queued-bytes": 40_000,
         "health": 1, "protection": 0, "priority": 0, "taken-over": 0} for _ in range(5)]
unknown = [{}, {"idle-ms": 10_000}, {"age-ms": 20_000}, {"health": 6}, {"detached-ms": 700_000},
           {"health": 99, "protection": 7, "visibility": 5}, {"protection": 2, "idle-ms": 1e300},
           {"idle-ms": 0, "age-ms": 0, "queued-bytes": 0, "priority": -3}, {}]
QUESTIONS = [
    question("a full house", "force", "user", 1, 20, 20, 11, rows(1, 20, False)),
    question("in the background", "proactive", "user", 4, 20, 18, 12, rows(2, 18, False)),
    question("the node is short", "force", "node", 7, 150, 150, 13, rows(3, 150, True)),
    question("all of many", "aggressive", "node", 40, 1_000, 990, 14, rows(4, 40, True)),
    question("alike", "moderate", "user", 2, 5, 5, 15, ties),
    question("hardly anything is known", "conservative", "user", 3, 9, 9, 16, unknown),
    question("nobody", "force", "user", 1, 0, 1, 17, []),
    question("other parameters", "force", "user", 3, 20, 17, 18, rows(5, 17, False), {
        "largest-first": {"floor-bytes": 200_000},
        "scaled-idle-timeout": {"max-ms": 5_000_000, "min-ms": 1_000, "scale": 0.5,
                                "saturation": 1},
        "talkative": {"times": 5}}),
    question("parameters that contradict each other", "force", "user", 1, 20, 20, 19,
             rows(6, 3, False), {
                 "scaled-idle-timeout": {"max-ms": 1, "min-ms": 2},
                 "talkative": {"refuse": 1}}),
]

# ---- policies

NAN = math.nan


def known(row, name):
    return row.get(name)


def score_of(value):
    return 0.0 if math.isnan(value) else value


def lru(ask, params, row):
    idle = row.get("idle-ms", NAN)
    return [idle], score_of(idle), "least recently used"


def fifo(ask, params, row):
    age = row.get("age-ms", NAN)
    return [age], score_of(age), "oldest"


def largest_first(ask, params, row):
    held = row.get("queued-bytes", 0) + row.get("buffered-bytes", 0)
    large = held >= params.get("floor-bytes", 32_768)
    bucket = max(1, int(held)).bit_length() - 1 if large else 0
    reason = "holds the most memory" if large else "small and least recently used"
    return [bucket, row.get("idle-ms", NAN)], held, reason


def qos(ask, params, row):
    health, taken = row.get("health", 0), row.get("taken-over", 0)
    protection = row.get("protection", NAN)
    if protection == 2:
        return None
    if health == 6:
        rank, reason = 8, "dead"
    elif taken:
        rank, reason = 7, "taken over by a newer connection"
    elif health in (2, 3, 4, 5):
        rank, reason = {4: (6, "stuck"), 5: (5, "half-open"), 3: (4, "not reading"),
                        2: (3, "suspect")}[health]
    elif "detached-ms" in row:
        rank, reason = 2, "nobody connected"
    elif row.get("visibility") == 0:
        rank, reason = 1, "in the background"
    else:
        rank, reason = 0, "least recently used"
    evictable = 1 if protection == 0 else 0
    at_rest = 0 if row.get("in-flight", 0) else 1
    key = [rank, evictable, -row.get("priority", 0), at_rest, row.get("idle-ms", NAN)]
    return key, rank, reason


def random(ask, params, row):
    def value(name):
        return bits(float(row[name])) if name in row else MASK

    lot = (mix(mix(ask["seed"], value("age-ms")), value("bytes-in")) >> 11) * 2.0**-53
    return [lot], lot, "drawn by lot"


def scaled(ask, params, row):
    most, least = params.get("max-ms", 600_000.0), params.get("min-ms", 2_000.0)
    scale, saturation = params.get("scale", 0.85), params.get("saturation", 0.95)
    if least > most:
        raise ValueError("`min-ms` must not be more than `max-ms`")
    occupancy = ask["held"] / ask["limit"] if ask["limit"] else math.inf
    room = min(1.0, max(0.0, (saturation - occupancy) / (saturation - scale)))
    ttl = least + (most - least) * room
    idle = row.get("idle-ms", row.get("detached-ms"))
    if idle is None or idle - ttl <= 0 or row.get("in-flight", 0):
        return None
    detached = "detached-ms" in row
    what = "nobody connected" if detached else "idle"
    return [idle - ttl], idle - ttl, what + " for longer than the scaled timeout"


def talkative(ask, params, row):
    if params.get("refuse"):
        raise ValueError("told to refuse")
    age, replaced = row.get("age-ms", NAN), 1 if row.get("taken-over", 0) else 0
    return [replaced, age], score_of(age), "replaced" if replaced else "old"


def answer(policy, ask, params):
    bids = []
    for at, row in enumerate(ask["rows"]):
        bid = policy(ask, params, row)
        if bid:
            key, score, reason = bid
            bids.append(([-math.inf if math.isnan(part) else part for part in key], at, score, reason))
    # Python's sort is stable, so equal keys stay in the order of their rows.
    bids.sort(key=lambda bid: bid[0], reverse=True)
    count, needed = len(ask["rows"]), ask["needed"]
    enough = count if count <= 64 else min(count, needed + max(16, needed // 4))
    return [[at, score, reason] for _, at, score, reason in bids[:enough]]


POLICIES = {"fifo": fifo, "largest-first": largest_first, "lru": lru, "qos-lexicographic": qos,
            "random": random, "scaled-idle-timeout": scaled, "talkative": talkative}
ANSWERS = {}
for name, policy in POLICIES.items():
    ANSWERS[name] = {}
    for ask in QUESTIONS:
        if name == "talkative" and ask["scope"] != "user":
            continue
        try:
            said = answer(policy, ask, ask["params"].get(name, {}))
        except ValueError as error:
            said = {"error": str(error)}
        ANSWERS[name][ask["name"]] = said


def lines(value, depth):
    """JSON with one line for each thing of interest."""
    if depth == 0 or not isinstance(value, (dict, list)) or not value:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        inner = (json.dumps(key) + ": " + lines(item, depth - 1) for key, item in value.items())
        return "{\n" + ",\n".join(inner) + "\n}"
    return "[\n" + ",\n".join(lines(item, depth - 1) for item in value) + "\n]"


with open("questions.json", "w", encoding="utf-8") as file:
    file.write(lines(QUESTIONS, 3) + "\n")
with open("answers.json", "w", encoding="utf-8") as file:
    file.write(lines(ANSWERS, 2) + "\n")

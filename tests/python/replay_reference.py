"""An independent simulator of per-user limits on a message log `src dst unixtime`.

Says in JSON what LRU, FIFO and Belady's MIN come to: evictions, reopen-misses, and regrets at five horizons.
It shares nothing with the gateway but the definitions, so that the two can be held against each other.
A user's accesses are a sequence: of those of one second, the one of the lower peer comes first.

    replay_reference.py FILE LIMIT
"""

import collections
import json
import sys

HORIZONS = {"10s": 10, "60s": 60, "10m": 600, "1h": 3600, "24h": 86400}
NEVER = 10**18


def accesses(path):
    users = collections.defaultdict(list)
    for line in open(path):
        src, dst, when = (int(field) for field in line.split())
        users[src].append((when, dst))
        if src != dst:
            users[dst].append((when, src))
    return {user: sorted(log) for user, log in users.items()}


def next_places(log):
    later, following = {}, []
    for place, (_, peer) in reversed(list(enumerate(log))):
        following.append(later.get(peer, NEVER))
        later[peer] = place
    return following[::-1]


ORDERS = {
    "lru": lambda held: lambda peer: held[peer]["used"],
    "fifo": lambda held: lambda peer: held[peer]["since"],
    "oracle": lambda held: lambda peer: (-held[peer]["next"], held[peer]["used"]),
}


def simulate(users, limit, order):
    evictions = misses = 0
    regret = dict.fromkeys(HORIZONS, 0)
    for log in users.values():
        held, lost = {}, set()
        for place, ((when, peer), following) in enumerate(zip(log, next_places(log))):
            if peer not in held:
                if len(held) >= limit:
                    victim = min(held, key=order(held))
                    following_of_victim = held.pop(victim)["next"]
                    away = NEVER
                    if following_of_victim != NEVER:
                        away = log[following_of_victim][0] - when
                    lost.add(victim)
                    evictions += 1
                    for name, horizon in HORIZONS.items():
                        regret[name] += away <= horizon
                if peer in lost:
                    lost.discard(peer)
                    misses += 1
                held[peer] = {"since": place}
            held[peer].update(used=place, next=following)
    return {"evictions": evictions, "reopen_misses": misses, "regret": regret}


def main():
    users = accesses(sys.argv[1])
    limit = int(sys.argv[2])
    print(json.dumps({name: simulate(users, limit, order) for name, order in ORDERS.items()}))


main()

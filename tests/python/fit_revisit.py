"""How the powers of `policies/revisit` were fitted, and how they are judged on users that the fit has not seen.

    python3 fit_revisit.py --cap 20 LOG...              judge the formula that ships
    python3 fit_revisit.py --cap 20 --fit 150 LOG...    search for powers first, on half of the users

A log is `src dst unixtime`, one message a line, as `wastegate replay` reads it: each message is an access of both
sides' managers, and no manager closes. Users are halved by the CRC-32 of their name. For developers; no test needs
it, and it is no part of the program.
"""

import argparse
import random
import zlib
from collections import defaultdict
from math import log

NEVER = float("inf")
FLOOR_S = 60
# Of uses, of one more than the returns, and of the age; that of the idle time is 1.
SHIPPED = (-0.25, -0.75, -0.5)


def users(path):
    """Accesses of each user, `(time, manager, time of the next access)`, in order of time and manager."""
    found = defaultdict(list)
    with open(path) as lines:
        for src, dst, at in (line.split() for line in lines if line.strip()):
            found[src].append((int(at), dst))
            if src != dst:
                found[dst].append((int(at), src))
    for user, accesses in found.items():
        accesses.sort()
        following, ahead = {}, []
        for at, peer in reversed(accesses):
            ahead.append((at, peer, following.get(peer, NEVER)))
            following[peer] = at
        found[user] = ahead[::-1]
    return found


def misses(accesses, cap, worth):
    """How often a manager is wanted again that was evicted. The largest `worth` goes; among equals the one whose
    last access is longest ago."""
    held, lost, returns, missed = {}, set(), defaultdict(int), 0
    for at, peer, following in accesses:
        if peer not in held:
            if len(held) >= cap:
                order = sorted(held, key=lambda one: (held[one][1], one))
                victim = max(order, key=lambda one: worth(at, *held[one], returns[one]))
                del held[victim]
                lost.add(victim)
            if peer in lost:
                lost.remove(peer)
                returns[peer] += 1
                missed += 1
            held[peer] = (at, at, 0, NEVER)
        born, _, count, _ = held[peer]
        held[peer] = (born, at, count + 1, following)
    return missed


def lru(at, born, last, count, following, returns):
    return at - last


def oracle(at, born, last, count, following, returns):
    return following


def revisit(powers):
    uses, returned, age = powers

    def worth(at, born, last, count, following, returns):
        idle = log(at - last + FLOOR_S)
        return idle + uses * log(count) + returned * log(1 + returns) + age * log(at - born + FLOOR_S)

    return worth


class Log:
    """One half of a log's users, with what `lru` and the oracle lose of it."""

    def __init__(self, name, people, cap):
        self.name, self.cap = name, cap
        self.people = [it for it in people if len({peer for _, peer, _ in it}) > cap]
        self.lru, self.oracle = self.misses(lru), self.misses(oracle)

    def misses(self, worth):
        return sum(misses(accesses, self.cap, worth) for accesses in self.people)

    def closed(self, powers):
        """The share of the gap between `lru` and the oracle."""
        return (self.lru - self.misses(revisit(powers))) / max(1, self.lru - self.oracle)


def fitted(logs, steps):
    """A random walk that keeps what is better. To lose against `lru` anywhere counts three times."""
    draw, best, powers = random.Random(1), float("-inf"), (0.0, 0.0, 0.0)
    for step in range(steps):
        width = 0.4 * (1 - step / steps) + 0.05
        tried = tuple(power + draw.gauss(0, width) * (step > 0) for power in powers)
        shares = [one.closed(tried) for one in logs]
        value = sum(share if share > 0 else 3 * share for share in shares) / len(shares)
        if value > best:
            best, powers = value, tried
            print(f"step {step}: {best:.4f} by {', '.join(f'{power:.2f}' for power in powers)}", flush=True)
    return powers


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="+", metavar="LOG")
    parser.add_argument("--cap", type=int, default=20)
    parser.add_argument("--fit", type=int, default=0, metavar="STEPS")
    arguments = parser.parse_args()
    seen, unseen = [], []
    for path in arguments.logs:
        halves = ([], [])
        for user, accesses in users(path).items():
            halves[zlib.crc32(user.encode()) % 2].append(accesses)
        for half, logs in zip(halves, (seen, unseen)):
            logs.append(Log(path, half, arguments.cap))
    powers = fitted(seen, arguments.fit) if arguments.fit else SHIPPED
    print("log,half,lru,revisit,oracle,closed")
    for half, logs in (("fitted on", seen), ("held out", unseen)):
        for one in logs:
            lost, share = one.misses(revisit(powers)), one.closed(powers)
            print(f"{one.name},{half},{one.lru},{lost},{one.oracle},{share:.3f}", flush=True)


if __name__ == "__main__":
    main()

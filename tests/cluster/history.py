"""The record of a story, and what judges it. Times are of the driver's monotonic clock.

A record is from the clients' side: each try, each admission, refusal and end; and what the story did: spans in which a
node was down, and spans in which nodes and engine were apart."""

import dataclasses

# Wastegate's own budget for an admission, and what a connection takes, s.
ADMISSION = 2.0
CONNECT = 1.0
# How long users may be above their limits after nodes and engine are together again, s: a beat (1), everything asserted
# (3), the rest before a surplus is looked at (4), a turn of each node before the last (2 and 2), its look (2), a Close (1).
SETTLE = 15.0
# How long who goes for a newcomer may stand beside it until the client has read its Close, s.
CLOSING = 1.0
# How long a surplus of a moment may take while nothing is apart: a victim that was spared, its successor, its Close.
SURPLUS = 6.0
# From when on each node knows of a silent manager: heartbeats missed, and the publication of a class, s.
KNOWN = 8.0
# A node says `away` at most this long after the first call failed, and some of its answers are older, s.
AWAY_EDGE = 2.0
# Ended, did not answer (twice), and was in use while others had to be: docs/protocol.md.
EVICTED = {4000, 4001, 4006, 4501}


@dataclasses.dataclass
class Life:
    """One try of one client, and what became of it."""

    user: str
    key: str
    node: int
    tried: float
    silent: bool = False
    admitted: float | None = None
    refused: float | None = None
    answer: str = ""
    ended: float | None = None
    code: int | None = None
    # The client ended it.
    left: bool = False
    # No answer at all, or none of HTTP: when it was given up.
    failed: float | None = None


@dataclasses.dataclass
class Span:
    begin: float
    end: float

    def meets(self, begin, end):
        return self.begin <= end and begin <= self.end


@dataclasses.dataclass
class History:
    limit: int
    lives: list = dataclasses.field(default_factory=list)
    # By node: killed, frozen or starting.
    down: dict = dataclasses.field(default_factory=dict)
    # Nodes and engine, any of them.
    apart: list = dataclasses.field(default_factory=list)
    # How many parts count for themselves meanwhile.
    parts: int = 1
    # The last moment of the story, and what was found then: (what, clients say, node or ledger says).
    end: float = 0.0
    counts: list = dataclasses.field(default_factory=list)
    # How late the driver itself was at worst, s.
    lag: float = 0.0


@dataclasses.dataclass
class Verdict:
    lockouts: list
    by_rule: int
    longest: float
    slow: list
    excess: int
    excess_for: float
    above: list
    live_kills: list
    unequal: list
    dropped: list
    admissions: int

    def faults(self):
        rules = {
            "a user was locked out": self.lockouts,
            "an admission took too long": self.slow,
            "a user was above its limit": self.above,
            "a client that answers went while something gone was held": self.live_kills,
            "counts differ": self.unequal,
            "a socket was dropped without an eviction": self.dropped,
        }
        return [f"{rule}: {case}" for rule, cases in rules.items() for case in cases]


def judge(history):
    longest, slow = admissions(history)
    excess, excess_for, above = excesses(history)
    lockouts, by_rule = refusals(history)
    return Verdict(
        lockouts=lockouts,
        by_rule=by_rule,
        longest=longest,
        slow=slow,
        excess=excess,
        excess_for=excess_for,
        above=above,
        live_kills=live_kills(history),
        unequal=[row for row in history.counts if row[1] != row[2]],
        dropped=dropped(history),
        admissions=sum(life.admitted is not None for life in history.lives),
    )


def was_down(history, node, begin, end):
    return any(span.meets(begin, end) for span in history.down.get(node, []))


def was_apart(history, begin, end):
    return any(span.meets(begin - AWAY_EDGE, end + AWAY_EDGE) for span in history.apart)


def holds(life, moment):
    return life.admitted is not None and life.admitted <= moment and (life.ended is None or moment < life.ended)


def refusals(history):
    """`force` makes room for each newcomer, so none is refused. By the rule of `away = "static"` one exception: a node
    that does not reach the engine makes room from what it holds itself, and here the user has nothing it may take."""
    lockouts, by_rule = [], 0
    for life in history.lives:
        if life.refused is None:
            continue
        here = [other for other in history.lives if (other.user, other.node) == (life.user, life.node)]
        if was_apart(history, life.tried, life.refused) and not any(holds(other, life.tried) for other in here):
            by_rule += 1
        else:
            lockouts.append(f"{life.user}/{life.key} at node {life.node + 1} at {life.refused:.2f}: {life.answer}")
    return lockouts, by_rule


def admissions(history):
    longest, slow = 0.0, []
    for life in history.lives:
        end = life.admitted or life.refused or life.failed
        if end is None:
            end = history.end
        if was_down(history, life.node, life.tried, end):
            continue
        longest = max(longest, end - life.tried)
        if life.failed is not None or end - life.tried > ADMISSION + CONNECT + history.lag:
            slow.append(f"{life.user}/{life.key} at node {life.node + 1}: {end - life.tried:.2f} s {life.answer}")
    return longest, slow


def excesses(history):
    """The largest excess, the longest time of any, and what is more or longer than stated."""
    largest, longest, above = 0, 0.0, []
    for user in sorted({life.user for life in history.lives}):
        steps = []
        for life in history.lives:
            if life.user == user and life.admitted is not None:
                steps.append((life.admitted, 1))
                steps.append((life.ended if life.ended is not None else history.end, -1))
        # Who leaves at the same moment as one comes has left.
        steps.sort()
        held, since, too_many_since = 0, None, None
        for at, step in steps:
            held += step
            excess = held - history.limit
            largest = max(largest, excess)
            apart = [span for span in history.apart if span.begin <= at <= span.end + SETTLE]
            too_many = excess > history.limit * (history.parts - 1) and bool(apart)
            if too_many_since is not None and at - too_many_since > CLOSING + history.lag:
                above.append(f"{user} from {too_many_since:.2f} to {at:.2f}: more than {history.parts} parts allow")
            too_many_since = (too_many_since or at) if too_many else None
            if excess > 0 and since is None:
                since = at
            if excess <= 0 and since is not None:
                longest = max(longest, at - since)
                if at - allowed_until(history, since, at) > history.lag:
                    above.append(f"{user} from {since:.2f} to {at:.2f}")
                since = None
    return largest, longest, above


def allowed_until(history, since, until):
    """Until when an excess that began at `since` may last."""
    allowed = since + SURPLUS
    for span in sorted(history.apart, key=lambda span: span.begin):
        if span.begin <= min(allowed, until):
            allowed = max(allowed, span.end + SETTLE)
    return allowed


def live_kills(history):
    """Evictions of who answers while a silent one was held, as its node could know: anywhere; while nodes and engine
    are apart and until they have asserted again, on the same node."""
    found = []
    for life in history.lives:
        if life.silent or life.code not in EVICTED or life.ended is None or life.left:
            continue
        moment = life.ended
        near = any(span.meets(moment - SETTLE, moment + AWAY_EDGE) for span in history.apart)
        for other in history.lives:
            known = other.silent and holds(other, moment + history.lag) and other.user == life.user
            if not known or other.admitted > moment - KNOWN:
                continue
            if was_down(history, other.node, moment - KNOWN - SETTLE, moment):
                continue
            if other.node == life.node or not near:
                found.append(f"{life.user}/{life.key} for {other.key} at {moment:.2f}")
    return found


def dropped(history):
    """Sockets that ended otherwise than by an eviction or by their client, while their node ran."""
    return [
        f"{life.user}/{life.key} at node {life.node + 1} at {life.ended:.2f}: {life.code}"
        for life in history.lives
        if life.ended is not None and not life.left and life.code not in EVICTED
        and not was_down(history, life.node, life.ended - 1, life.ended + 1)
    ]

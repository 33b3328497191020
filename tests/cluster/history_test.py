"""The checker on histories made up: a good one, and for each rule one that breaks it and nothing else."""

import unittest

from history import History, Life, Span, judge


def life(key, node=0, at=0.0, **more):
    return Life("ann", key, node, at, **({"admitted": at + 0.1} | more))


def history(*lives, **more):
    return History(**({"limit": 2, "lives": list(lives), "end": 100.0} | more))


class TheChecker(unittest.TestCase):
    def breaks(self, rule, case):
        faults = judge(case).faults()
        self.assertTrue(faults)
        self.assertTrue(all(fault.startswith(rule) for fault in faults), faults)

    def holds(self, case):
        self.assertEqual(judge(case).faults(), [])

    def test_a_good_history(self):
        self.holds(history(life("a", ended=9.0, code=4001), life("b"), life("c", at=8.9), counts=[("sum", 2, 2)]))

    def test_a_lockout(self):
        refused = life("x", at=20.0, admitted=None, refused=20.1, answer="429")
        self.breaks("a user was locked out", history(refused))
        # Apart, with something here: room is made here. With nothing here it is the rule.
        self.breaks("a user was locked out", history(life("a"), refused, apart=[Span(15, 25)]))
        self.holds(history(life("a", node=1), refused, apart=[Span(15, 25)]))
        self.breaks("a user was locked out", history(life("a", node=1), refused, apart=[Span(25, 35)]))

    def test_a_slow_admission_and_none(self):
        self.breaks("an admission took too long", history(life("a", admitted=3.5)))
        self.breaks("an admission took too long", history(life("a", admitted=None)))
        self.breaks("an admission took too long", history(life("a", admitted=None, failed=0.1)))
        self.holds(history(life("a", admitted=3.5), down={0: [Span(1, 3)]}))

    def test_a_surplus_that_stays(self):
        three = [life("a"), life("b"), life("c", at=10.0)]
        self.breaks("a user was above its limit", history(*three))
        three[0].ended, three[0].code = 17.5, 4001
        self.breaks("a user was above its limit", history(*three))
        three[0].ended = 15.0
        self.holds(history(*three))

    def test_a_surplus_after_parts_met_again(self):
        three = [life("a", ended=44.0, code=4001), life("b"), life("c", at=10.0)]
        self.holds(history(*three, apart=[Span(9, 30)], parts=2))
        three[0].ended = 46.0
        self.breaks("a user was above its limit", history(*three, apart=[Span(9, 30)], parts=2))

    def test_more_than_the_parts_allow(self):
        many = [life(str(n), at=10.0, ended=12.0, code=4001) for n in range(5)]
        self.breaks("a user was above its limit", history(*many, apart=[Span(9, 30)], parts=2))
        self.holds(history(*many[:4], apart=[Span(9, 30)], parts=2))
        for one in many:
            one.ended = 10.5
        self.holds(history(*many, apart=[Span(9, 30)], parts=2))

    def test_a_live_kill(self):
        gone, killed = life("g", node=1, silent=True), life("k", ended=20.0, code=4001)
        self.breaks("a client that answers went", history(gone, killed))
        # Nobody could know it yet, or nobody here; but what is here is known.
        self.holds(history(life("g", node=1, at=15.0, silent=True), killed))
        self.holds(history(gone, killed, apart=[Span(15, 18)]))
        self.breaks("a client that answers went", history(life("g", silent=True), killed, apart=[Span(15, 18)]))

    def test_counts_that_differ(self):
        self.breaks("counts differ", history(counts=[("held", 3, 2)]))

    def test_a_dropped_socket(self):
        self.breaks("a socket was dropped", history(life("a", ended=20.0, code=1006)))
        self.holds(history(life("a", ended=20.0, code=1006), down={0: [Span(20, 21)]}))
        self.holds(history(life("a", ended=20.0, code=1000, left=True)))


if __name__ == "__main__":
    unittest.main()

"""What came of a run: counted, compared, held against an earlier one, and written down."""

# Each of these sends a message that is right and then one that is not. Whether the answer to the first is out
# before the connection fails is a race in every implementation, and the suite calls both right (OK if it
# is, NON-STRICT if not).
RACES = {
    case: "the answer to a good message races the end that the next, bad frame brings"
    for case in ["3.2", "3.3", "3.4", "4.1.3", "4.1.4", "4.1.5", "4.2.3", "4.2.4", "4.2.5", "5.15"]
}

# Where we are stricter than the server behind us, on purpose.
ALLOWED = {}

# From good to bad; what is not here is a failure.
RANKS = {"OK": 0, "INFORMATIONAL": 1, "NON-STRICT": 1, "UNIMPLEMENTED": 2}
FAILURE = 3

PAIRS = [("backend-direct", "backend-through"), ("client-direct", "client-through")]


def in_order(cases):
    return sorted(cases, key=lambda case: [int(part) for part in case.split(".")])


def settled(case, result):
    """A result without what is left to chance in it."""
    behavior, close = result
    if case in RACES and behavior == "NON-STRICT":
        behavior = "OK"
    return [behavior, close]


def differences(results):
    """Cases that do not come to the same directly and through us, and should."""
    found = []
    for direct, through in PAIRS:
        for case in in_order(results[direct].keys() | results[through].keys()):
            pair = [results[agent].get(case, ["MISSING", "MISSING"]) for agent in (direct, through)]
            if settled(case, pair[0]) != settled(case, pair[1]) and (through, case) not in ALLOWED:
                found.append({"case": case, direct: pair[0], through: pair[1]})
    return found


def summarize(results, versions, scope):
    ways = {}
    for agent, cases in sorted(results.items()):
        counts = {}
        for behavior, close in cases.values():
            for which, result in (("behavior", behavior), ("close", close)):
                counts.setdefault(which, {}).setdefault(result, 0)
                counts[which][result] += 1
        ways[agent] = {
            "cases": len(cases),
            **{which: dict(sorted(each.items())) for which, each in counts.items()},
            "not_ok": {case: cases[case] for case in in_order(cases) if cases[case] != ["OK", "OK"]},
        }
    return {"versions": versions, "scope": scope, "ways": ways, "differences": differences(results),
            "races": RACES,
            "allowed": [{"way": agent, "case": case, "why": why}
                        for (agent, case), why in ALLOWED.items() if case in results[agent]]}


def worse(results, kept):
    """What is worse than it was; a case that was not run before has to be OK."""
    found = []
    for agent, cases in sorted(results.items()):
        before = kept["ways"].get(agent, {"not_ok": {}})["not_ok"]
        for case in in_order(cases):
            then, now = settled(case, before.get(case, ["OK", "OK"])), settled(case, cases[case])
            for old, new in zip(then, now):
                if RANKS.get(new, FAILURE) > RANKS.get(old, FAILURE):
                    found.append(f"{agent}, case {case}: {', '.join(now)}; it was {', '.join(then)}")
                    break
    return found


def span(cases):
    """Cases as text, neighbours together: 1.1.1 to 1.1.8."""
    spans = []
    for case in cases:
        head, last = case.rsplit(".", 1)
        if spans and spans[-1][0] == head and spans[-1][2] == int(last) - 1:
            spans[-1][2] = int(last)
        else:
            spans.append([head, int(last), int(last)])
    return ", ".join(f"{head}.{first}" if first == last else f"{head}.{first} to {head}.{last}"
                     for head, first, last in spans)


def as_text(summary):
    versions = ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    lines = ["# Results of the Autobahn suite", "",
             "Written by `tests/conformance/run.sh`; what each way is, is in the README beside.", "",
             f"Cases: {summary['scope']}. {versions}.", ""]
    columns = ["OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED"]
    lines += [f"| way | cases | {' | '.join(columns)} | failed | closed OK |",
              f"| --- |{' ---: |' * (len(columns) + 3)}"]
    for agent, way in summary["ways"].items():
        counts = [way["behavior"].get(column, 0) for column in columns]
        failed = sum(way["behavior"].values()) - sum(counts)
        row = [agent, way["cases"], *counts, failed, way["close"].get("OK", 0)]
        lines.append(f"| {' | '.join(str(cell) for cell in row)} |")
    lines.append("")
    if summary["differences"]:
        lines.append("**These do not come to the same directly and through the gateway:**")
        lines += [f"- {difference}" for difference in summary["differences"]]
    else:
        lines.append("Directly and through the gateway every case comes to the same, behaviour and close. "
                     f"OK and NON-STRICT count as the same in {span(summary['races'])}: there "
                     + next(iter(summary["races"].values())) + ".")
    allowed = {}
    for each in summary["allowed"]:
        allowed.setdefault((each["way"], each["why"]), []).append(each["case"])
    for (agent, why), cases in allowed.items():
        lines += ["", f"Except, on purpose, {agent}, {span(cases)}: {why}."]
    lines += ["", "## What is not OK", "", "Behaviour, and how it closed, as the suite calls them.", "",
              "| way | result | cases |", "| --- | --- | --- |"]
    for agent, way in summary["ways"].items():
        by_result = {}
        for case, result in way["not_ok"].items():
            by_result.setdefault(", ".join(result), []).append(case)
        lines += [f"| {agent} | {result} | {span(cases)} |" for result, cases in by_result.items()]
    return "\n".join(lines) + "\n"

"""A tour of the API on a server with something to show: every route is asked, and every answer is held against the
document. What schemathesis makes up by chance meets few things that exist; this meets all of them."""

import json
import threading

# More than a JSON body may have.
TOO_MANY_BYTES = 64 * 1024 + 1
# `policy.size_bytes_max` of the test.
FILE_BYTES = 131072
# A port on which nothing listens: no traffic leaves this machine.
NO_REGISTRY = "127.0.0.1:9/policies/lru:1"
# What is refused only: a pull needs a registry, which the integration tests `sources` have, and a fault a policy that
# passes the acceptance kit and then fails, which their `sleepers` are.
REFUSED_ONLY = {("POST", "/v1/policies/{name}/pull"), ("GET", "/v1/revisions/{revision}/faults/{number}")}
# Managers of ann whose clients answer; nothing evicts them while silent ones are there.
ANSWERING = 13


def gather(server):
    """Clients, of which some are silent; one user at its limit; then one more of that user."""
    for key in range(12):
        server.enter("ann", f"chat-{key}")
    for key in range(8):
        server.enter_silent("ann", f"ghost-{key}")
    for user in ("bob", "a name/with %"):
        server.enter(user, "chat-1")
    server.enter("ann", "late")
    return server.until(
        "a decision about ann",
        lambda: json.loads(server.ask("GET", "/v1/decisions?user=ann").content)["decisions"],
    )


class Tour:
    def __init__(self, server, contract):
        self.server, self.contract = server, contract
        self.statuses = set()

    def ask(self, method, path, body=None, wants=200, **more):
        answer = self.server.ask(method, path, body, **more)
        read = self.contract.judge(method, path, answer)
        assert answer.status == wants, f"{method} {path}: {answer.status} and not {wants}: {answer.content[:300]!r}"
        self.statuses.add(answer.status)
        return read

    def whole(self):
        decisions = gather(self.server)
        self.node()
        self.users()
        self.decisions(decisions)
        self.policies()
        self.compared()
        self.refusals()
        self.console()
        self.events()
        self.node_levers()
        self.drained_of_nothing()

    def node(self):
        for path in ("/v1", "/v1/openapi.json", "/v1/stats", "/v1/nodes", "/v1/upstreams", "/v1/limits", "/v1/quality"):
            self.ask("GET", path)
        for path in ("/metrics", "/healthz", "/readyz", "/v1/config", "/v1/history", "/v1/history?span=1d"):
            self.ask("GET", path)
        status = self.ask("GET", "/v1/status")
        assert status["draining"] is False and status["managers"] > ANSWERING, status
        [node] = self.ask("GET", "/v1/nodes")["nodes"]
        assert node["managers"] > ANSWERING and node["users"] == 3 and not node["draining"], node
        assert node["address"] and node["policies"] and len(node["policies"]) == 5, node
        limits = {limit["name"]: limit for limit in self.ask("GET", "/v1/limits")["limits"]}
        assert limits["limits.managers_per_user"]["value"] == 20, limits["limits.managers_per_user"]
        assert limits["limits.managers_total"]["used"] > ANSWERING, limits["limits.managers_total"]
        assert len(limits) > 60, len(limits)

    def node_levers(self):
        drain, disconnect = "/v1/node/drain", "/v1/node/disconnect"
        assert self.ask("PUT", drain, {"for_s": 60, "reason": "a tour"})["drain"]["reason"] == "a tour"
        assert self.ask("GET", "/v1/nodes")["nodes"][0]["draining"]
        self.ask("PUT", drain, {"reason": ""}, wants=422)
        assert self.ask("DELETE", drain, {})["changed"]
        assert not self.ask("DELETE", drain, {})["changed"]
        self.ask("PUT", disconnect, {"per_s": 0, "reason": "a tour"}, wants=422)
        assert self.ask("PUT", disconnect, {"per_s": 1, "reason": "a tour"})["disconnecting"]["left"] > 0
        assert self.ask("DELETE", disconnect, {})["changed"]

    def users(self):
        page = self.ask("GET", "/v1/users?limit=1&order=held")
        self.ask("GET", f"/v1/users?limit=1&order=held&cursor={page['next_cursor']}")
        ann = self.ask("GET", "/v1/users/ann")
        assert len(ann["managers"]) >= ANSWERING and ann["managers"][0]["signals"], ann["held"]
        self.ask("GET", "/v1/users/a%20name%2Fwith%20%25")
        managers = "/v1/users/ann/managers"
        self.ask("POST", f"{managers}/chat-1/pin", {"for_ms": 60000})
        self.ask("DELETE", f"{managers}/chat-1/pin", {})
        self.ask("POST", f"{managers}/chat-1/pin", {"for_ms": 2**63}, wants=409)
        self.ask("POST", f"{managers}/chat-1/pin", {"for_ms": 60000, "reason": "a tour"})
        self.ask("DELETE", f"{managers}/chat-1/pin", {"reason": "it is over"})
        self.ask("DELETE", f"{managers}/no-such/pin", {}, wants=404)
        self.ask("PUT", f"{managers}/chat-1/in-flight", {"units": 2})
        self.ask("POST", f"{managers}/chat-2/evict", {"reason": "a tour"})
        self.ask("POST", f"{managers}/no-such/evict", {}, wants=404)
        self.ask("PUT", "/v1/users/bob/limit", {"managers": 5, "for_s": 60, "reason": "a tour"})
        self.ask("PUT", "/v1/users/bob/block", {"reason": "a tour"})
        self.ask("GET", "/v1/users/bob")
        self.ask("DELETE", "/v1/users/bob/limit", {})
        self.ask("DELETE", "/v1/users/bob/block", {"reason": "it is over"})
        self.ask("POST", "/v1/users/bob/evict", {"reason": "a tour"})
        self.ask("PUT", "/v1/users/bob/block", {"reason": ""}, wants=422)
        for target, before in (("tokens/4f1c%2Fa", {}), ("users/bob", {"issued_before_unix_ms": 1000}), ("all", {"issued_before_unix_ms": 1000})):
            path = f"/v1/revocations/{target}"
            self.ask("PUT", path, {**before, "for_s": 60, "reason": "a tour"})
            self.ask("PUT", path, {**before, "reason": " "}, wants=422)
        assert len(self.ask("GET", "/v1/revocations")["revocations"]) == 3
        for target in ("tokens/4f1c%2Fa", "users/bob", "all"):
            self.ask("DELETE", f"/v1/revocations/{target}", {})
        self.ask("GET", "/v1/why?user=ann")
        self.ask("GET", "/v1/why", wants=422)
        self.ask("GET", "/v1/why?reference=000000", wants=404)

    def decisions(self, decisions):
        number = decisions[0]["id"]
        self.ask("GET", "/v1/decisions?limit=1")
        self.ask("GET", f"/v1/decisions?before={number}")
        self.ask("GET", "/v1/decisions?limit=0", wants=400)
        one = self.ask("GET", f"/v1/decisions/{number}")
        assert one["candidates"], one
        self.ask("POST", f"/v1/decisions/{number}/ask", {"policy": "hyperbolic", "params": {"cost-weight": 0.2}})
        self.ask("POST", f"/v1/decisions/{number}/ask", {"policy": "no-such"}, wants=404)
        self.ask("GET", "/v1/decisions/999999999", wants=404)
        self.ask("GET", "/v1/decisions/none", wants=400)

    def policies(self):
        self.ask("POST", "/v1/policies/lru/activate", {"tier": "force", "reason": "a tour"})
        listed = self.ask("GET", "/v1/policies")
        [lru] = [policy for policy in listed["policies"] if policy["name"] == "lru"]
        revision = lru["revisions"][0]["revision"]
        self.ask("GET", "/v1/policies/lru")
        self.ask("GET", "/v1/policies/no-such", wants=404)
        self.ask("GET", f"/v1/revisions/{revision}")
        self.ask("GET", f"/v1/revisions/r{revision}/log")
        self.ask("GET", f"/v1/revisions/{revision}/faults")
        self.ask("GET", f"/v1/revisions/{revision}/faults/1", wants=404)
        self.ask("GET", "/v1/revisions/0", wants=400)
        file = self.server.ask("GET", f"/v1/revisions/{revision}/wasm")
        self.contract.judge("GET", f"/v1/revisions/{revision}/wasm", file)
        wasm = {"content-type": "application/wasm"}
        self.ask("PUT", "/v1/policies/lru", file.content, headers=wasm)
        again = self.ask("PUT", "/v1/policies/lru?inherit=false&activate=true&tier=moderate", file.content, headers=wasm)
        assert again["revision"] == revision, again
        self.ask("PUT", "/v1/policies/lru", b"no policy", headers=wasm, wants=422)
        self.ask("PUT", "/v1/policies/lru", bytes(FILE_BYTES + 1), headers=wasm, wants=413)
        set_to = {"limits": {"fuel_base": 2000000}, "reason": "a tour"}
        self.ask("PATCH", "/v1/policies/lru", set_to)
        self.ask("PATCH", "/v1/policies/lru", {}, wants=422)
        self.ask("PATCH", "/v1/policies/lru", {"params": {"no-such": 1}}, wants=422)
        self.ask("POST", "/v1/policies/lru/activate", {"expect_revision": 99}, wants=409)
        self.ask("POST", "/v1/policies/lru/pull", {"reference": NO_REGISTRY}, wants=502)
        self.ask("POST", "/v1/policies/rollback", {"reason": "a tour"})
        audit = self.ask("GET", "/v1/audit?after=1&max=5")
        assert len(audit["entries"]) == 5, audit

    def compared(self):
        arms = [{"policy": "champion"}, {"policy": "lru", "name": "oldest"}]
        definition = {"name": "tour", "arms": arms, "coverage": 0.5}
        self.ask("POST", "/v1/experiments", definition, wants=201)
        self.ask("POST", "/v1/experiments", definition, wants=409)
        self.ask("POST", "/v1/experiments", {**definition, "arms": []}, wants=422)
        for path in ("/v1/experiments", "/v1/experiments/tour", "/v1/experiments/tour/report"):
            self.ask("GET", path)
        self.ask("GET", "/v1/experiments/tour/export")
        self.ask("POST", "/v1/experiments/tour/cover", {"coverage": 0.8})
        self.ask("POST", "/v1/experiments/tour/cover", {"coverage": 0.1}, wants=409)
        self.ask("POST", "/v1/experiments/tour/renew", {})
        self.ask("POST", "/v1/shadows", {"policy": "hyperbolic"}, wants=201)
        self.ask("POST", "/v1/shadows", {"policy": "hyperbolic"}, wants=409)
        self.ask("POST", "/v1/shadows", {"policy": "hyperbolic", "sample": 2}, wants=422)
        self.server.enter_silent("ann", "for-the-shadow")
        self.ask("GET", "/v1/shadows")
        self.ask("GET", "/v1/shadows/hyperbolic")
        self.ask("GET", "/v1/shadows/no-such", wants=404)
        self.ask("POST", "/v1/shadows/hyperbolic/stop", {})
        self.ask("POST", "/v1/policies/disable", {"reason": "a tour"})
        self.ask("POST", "/v1/experiments/tour/stop", {"reason": "a tour"}, wants=409)
        self.ask("GET", "/v1/experiments/tour")
        self.ask("POST", "/v1/experiments", {**definition, "name": "second"}, wants=201)
        self.ask("POST", "/v1/experiments/second/stop", {"reason": "a tour"})
        self.ask("GET", "/v1/experiments/no-such", wants=404)

    def refusals(self):
        self.ask("GET", "/v1/stats", token=None, wants=401)
        self.ask("GET", "/v1/stats", token="not it", wants=401)
        self.ask("GET", "/v1/stats", headers={"host": "elsewhere.example"}, wants=403)
        self.ask("GET", "/v1/stats", headers={"origin": "http://elsewhere.example"}, wants=403)
        self.ask("GET", "/v1/stats", token="a-token-that-may-only-read-0001")
        pin = "/v1/users/ann/managers/chat-1/pin"
        self.ask("POST", pin, {"for_ms": 1}, token="a-token-that-may-only-read-0001", wants=403)
        self.ask("POST", pin, b"{}", headers={"content-type": "text/plain"}, wants=415)
        self.ask("POST", pin, b"{", headers={"content-type": "application/json"}, wants=400)
        self.ask("POST", pin, b" " * TOO_MANY_BYTES, headers={"content-type": "application/json"}, wants=413)
        self.ask("GET", "/v1/stats?what=else")
        self.ask("GET", "/v1/users?what=else", wants=400)
        self.ask("GET", "/v1/no-such", wants=404)
        self.ask("GET", "/v1/cluster/policies")
        self.ask("PUT", "/v1/cluster/policies", {"reason": "a tour"})
        self.ask("PUT", "/v1/cluster/policies", {"from": 9, "reason": "a tour"}, wants=409)
        self.ask("GET", "/v1/cluster/policies")
        answer = self.server.ask("DELETE", "/v1/stats")
        problem = self.contract.judge("DELETE", "/v1/stats", answer)
        assert answer.status == 405 and answer.getheader("allow") and problem["error"] == "method", problem
        self.statuses.add(405)
        self.ask("GET", "/v1/session", token=None)
        self.ask("POST", "/v1/session", {"token": "not it"}, token=None, wants=401)
        answer = self.server.ask("POST", "/v1/session", {"token": "the-operators-token-of-this-test"}, token=None)
        self.contract.judge("POST", "/v1/session", answer)
        cookie = answer.getheader("set-cookie").split(";")[0]
        self.ask("GET", "/v1/stats", token=None, headers={"cookie": cookie})
        self.ask("DELETE", "/v1/session", wants=204)
        self.ask("DELETE", "/v1/sessions", {"reason": "a tour"}, wants=204)
        self.ask("GET", "/v1/stats", token=None, headers={"cookie": cookie}, wants=401)

    def console(self):
        self.ask("GET", "/")
        page = self.server.ask("GET", "/console/app.js")
        self.contract.judge("GET", "/console/app.js", page)
        known = {"if-none-match": page.getheader("etag")}
        self.ask("GET", "/console/app.js", headers=known, wants=304)
        self.ask("GET", "/console/no-such", wants=404)

    def events(self):
        stream = self.server.events("?kinds=connected&user=cleo")
        operation = self.contract.operations[("GET", "/v1/events")]
        media = operation["responses"]["200"]["content"][stream.getheader("content-type").split(";")[0]]
        threading.Thread(target=self.server.enter, args=("cleo", "chat-1"), daemon=True).start()
        data = next(line for line in stream if line.startswith(b"data:"))
        self.contract.check(media["x-event"], json.loads(data.removeprefix(b"data:")), "an event")
        self.contract.seen[("GET", "/v1/events")].add(200)
        streams = [self.server.events() for _ in range(15)]
        self.ask("GET", "/v1/events", wants=503)
        for one in [stream, *streams]:
            one.close()
        self.ask("GET", "/v1/events?kinds=none", wants=422)

    def drained_of_nothing(self):
        """Every operation was answered as it is meant to be, and every refusal was met."""
        for operation, statuses in self.contract.seen.items():
            assert statuses, f"the tour leaves out {operation}"
            if operation not in REFUSED_ONLY:
                assert any(status < 400 for status in statuses), f"{operation} is refused only: {statuses}"
        met = {200, 201, 204, 304, 400, 401, 403, 404, 405, 409, 413, 415, 422, 502, 503}
        assert met <= self.statuses, f"no answer has {met - self.statuses}"

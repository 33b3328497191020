"""The client against the real server."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
import unittest

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK

from support import PATIENCE_S, QUICK, Recorder, client, end_of, gateway, opened, proxy, talk, until
from wastegate_client import (
    BUILT_IN_HINTS,
    Admitted,
    BufferFull,
    Closed,
    Evicting,
    Limits,
    Lost,
    NotConnected,
    Opened,
    Pressure,
    Queued,
    connect,
)

ONE = {"limits.managers_per_user": 1, "limits.temporary_slots.count": 0}
"""One place, nothing lent: a newcomer displaces the one that is there."""
ONE_KEPT = {**ONE, "cleanup.last_tier": "aggressive"}
"""One place, and what answers is not displaced."""
SECRET = "a secret of this test that is long enough"
TOKENS = {
    "identity.mode": "jwt",
    "identity.jwt.algorithms": "HS256",
    "identity.jwt.leeway_ms": 0,
    "identity.expiry_grace_ms": 0,
    "identity.token.sources": "authorization,subprotocol,query",
}
ENV = {"WASTEGATE_IDENTITY__JWT__SECRET": SECRET}


def token(seconds):
    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    claims = {"sub": "ann", "exp": int(time.time()) + seconds}
    signed = ".".join(part(json.dumps(piece).encode()) for piece in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{signed}.{part(hmac.digest(SECRET.encode(), signed.encode(), hashlib.sha256))}"


class Returns(unittest.IsolatedAsyncioTestCase):
    async def assert_joined(self, server):
        """The client came back to the manager that it had: there has been no other."""
        (row,) = await server.managers()
        self.assertEqual((await server.created(), row["signals"]["reconnects"]), (1, 1))

    async def test_a_client_that_is_cut_joins_the_manager_that_it_had(self):
        events = Recorder()
        async with gateway() as server, proxy(server) as between:
            async with client(between.url, events) as one:
                await talk(one, "before")
                (row,) = await server.managers()
                self.assertEqual(row["key"], one.key)
                between.cut()
                lost = await events.next(Lost)
                self.assertEqual(lost.code, 1006)
                self.assertLessEqual(lost.retry_in_s, QUICK["backoff_s"])
                await events.next(Opened)
                await events.next(Opened)
                await talk(one, "after")
                await self.assert_joined(server)

    async def test_a_loop_over_messages_goes_on_across_connections(self):
        events = Recorder()
        async with gateway() as server, proxy(server) as between:
            async with client(between.url, events) as one:
                received = []
                await one.send("first")
                async for message in one:
                    received.append(message)
                    if message == "first":
                        between.cut()
                        await events.next(Lost)
                        await one.wait_open()
                        await one.send("second")
                    else:
                        await one.close()
                self.assertEqual(received, ["first", "second"])

    async def test_pauses_grow_with_each_failure_within_their_ceilings(self):
        events = Recorder()
        async with gateway() as server, client(server.url, events):
            await server.stop()
            pauses = [(await events.next(Lost)).retry_in_s for _ in range(8)]
        for failure, wait in enumerate(pauses):
            self.assertLessEqual(wait, min(0.4, 0.05 * 2**failure))
        # By full jitter all stay below the first ceiling once in thousands of runs; without growth always.
        self.assertGreater(max(pauses), 0.05)

    async def test_after_too_many_failures_it_gives_up(self):
        events = Recorder()
        async with gateway() as server:
            await server.stop()
            with self.assertRaises(Closed) as raised:
                await opened(client(server.url, events, {"attempts_max": 2}))
        self.assertEqual(raised.exception.code, 1006)
        self.assertIsInstance(raised.exception.__cause__, OSError)
        self.assertEqual(events.names(), ["Lost", "Lost"])

    async def test_evicted_without_an_answer_4001_it_comes_back_after_its_pause(self):
        events = Recorder()
        settings = {**ONE, "limits.managers_per_user": 2, "health.probe_deadline_ms": 300, "health.evidence_age_ms": 0}
        async with gateway(settings) as server, proxy(server) as between:
            async with (
                client(between.url, events, key="gone", notices=True) as gone,
                client(server.url, key="stays") as stays,
            ):
                between.silence()
                async with client(server.url, key="newcomer"):
                    await stays.close()
                    between.resume()
                    self.assertEqual((await events.next(Evicting)).cause, "aggressive")
                    lost = await events.next(Lost)
                    self.assertEqual(lost.code, 4001)
                    self.assertLessEqual(lost.retry_in_s, QUICK["backoff_s"])
                    await gone.wait_open()
                    await talk(gone, "back")

    async def test_a_server_that_is_drained_1012_and_started_again_has_its_clients_back(self):
        events = Recorder()
        drain = {"gateway.drain_readyz_ms": 0, "gateway.drain_spread_ms": 0}
        async with gateway(drain) as server, client(server.url, events) as one:
            await server.stop()
            self.assertEqual((await events.next(Lost)).code, 1012)
            async with gateway(drain, listen=server.address) as second:
                await one.wait_open()
                await talk(one, "still here")
                (row,) = await second.managers()
                self.assertEqual(row["key"], one.key)

    async def test_a_token_that_expires_4005_is_replaced_by_the_providers_next_one(self):
        async with gateway(TOKENS, env=ENV) as server:
            for token_in in ("header", "subprotocol", "query"):
                with self.subTest(token_in):
                    events, lifetimes = Recorder(), [2, 600]

                    async def provider():
                        return token(lifetimes.pop(0))

                    notices = token_in == "subprotocol"
                    async with client(server.url, events, token=provider, token_in=token_in, notices=notices) as one:
                        self.assertEqual((await events.next(Lost)).code, 4005)
                        await one.wait_open()
                        await talk(one, "with a new token")
                        self.assertEqual(lifetimes, [])

    async def test_a_token_that_is_not_accepted_is_asked_for_once_more_and_no_more(self):
        asked = []
        async with gateway(TOKENS, env=ENV) as server:
            with self.assertRaises(Closed) as raised:
                await opened(client(server.url, token=lambda: asked.append(1) or "nonsense"))
        self.assertEqual(raised.exception.refusal.status, 401)
        self.assertEqual(len(asked), 2)

    async def test_a_token_that_is_not_accepted_is_replaced_each_time_that_the_connection_is_lost(self):
        events = Recorder()
        answers = ["nonsense", token(600), "nonsense", token(600)]
        async with gateway(TOKENS, env=ENV) as server, proxy(server) as between:
            async with client(between.url, events, token=lambda: answers.pop(0)) as one:
                await events.next(Opened)
                between.cut()
                await events.next(Opened)
                await talk(one, "back")
                self.assertEqual(answers, [])

    async def test_a_provider_that_fails_or_takes_for_ever_is_an_attempt_that_failed(self):
        events = Recorder()
        answers = [lambda: 1 / 0, lambda: asyncio.Event().wait(), lambda: token(600)]
        async with gateway(TOKENS, env=ENV) as server:
            async with client(server.url, events, {"token_s_max": 0.05}, token=lambda: answers.pop(0)()):
                self.assertIsInstance((await events.next(Lost)).error, ZeroDivisionError)
                self.assertIsInstance((await events.next(Lost)).error, TimeoutError)

    async def test_a_connection_that_receives_nothing_is_given_up_and_its_manager_joined_again(self):
        events = Recorder()
        async with gateway() as server, proxy(server) as between:
            async with client(between.url, events, {"silence_s": 0.3}) as one:
                # The server receives everything: a Close would end the manager.
                between.deafen()
                self.assertIn("nothing for 0.3 s", (await events.next(Lost)).reason)
                await one.wait_open()
                await talk(one, "here")
                await self.assert_joined(server)

    async def test_a_quiet_connection_that_answers_pings_is_kept(self):
        quiet, deaf = Recorder(), Recorder()
        async with gateway() as server, proxy(server) as between:
            async with client(server.url, quiet, {"silence_s": 0.2}), client(between.url, deaf, {"silence_s": 0.2}):
                # One that is silenced again and again is the clock of this test.
                for _ in range(3):
                    await deaf.next(Opened)
                    between.silence()
                    await deaf.next(Lost)
                self.assertEqual(quiet.names(), ["Opened"])


class Stays(unittest.IsolatedAsyncioTestCase):
    async def test_displaced_while_it_answered_4501_it_stays_away_with_the_reason(self):
        events = Recorder()
        async with gateway(ONE) as server, proxy(server) as between:
            async with client(between.url, events, key="first", notices=True) as first:
                async with client(server.url, key="second"):
                    error = await end_of(first)
                    self.assertIsInstance(error, Closed)
                    self.assertIsInstance(error, ConnectionClosed)
                    self.assertEqual((error.code, error.rcvd.code), (4501, 4501))
                    self.assertIn("too many that are in use", error.reason)
                    self.assertEqual(events.names(), ["Opened", "Evicting"])
                    self.assertEqual(len(between.made), 1)
                    self.assertTrue(first.is_closed)
                    with self.assertRaises(Closed):
                        await first.send("x")

    async def test_rotation_evicts_once_however_often_the_loser_is_sent_back(self):
        events = Recorder()
        async with gateway(ONE) as server:
            async with client(server.url, key="first") as first, client(server.url, key="second") as second:
                self.assertEqual((await end_of(first)).code, 4501)
                # Its user insists. The gateway refuses a client that was displaced a moment ago, and the client waits.
                again = asyncio.ensure_future(opened(client(server.url, events, key="first")))
                lost = await events.next(Lost)
                self.assertEqual(lost.refusal.error, "displaced")
                self.assertGreater(lost.refusal.retry_after_s, 1)
                self.assertGreaterEqual(lost.retry_in_s, lost.refusal.retry_after_s)
                await talk(second, "undisturbed")
                self.assertEqual(await server.evictions(), 1)
                again.cancel()
                await asyncio.wait([again])
                # What is cancelled makes no further attempts.
                self.assertNotIn("wastegate client first", [task.get_name() for task in asyncio.all_tasks()])

    async def test_taken_over_by_a_newer_connection_of_its_device_4500_it_stays_away(self):
        async with gateway() as server:
            async with client(server.url, key="thread") as older:
                # An answer shows that it is attached, and so that the other one is the newer.
                await talk(older, "mine")
                async with client(server.url, key="thread") as newer:
                    self.assertEqual((await end_of(older)).code, 4500)
                    await talk(newer, "mine now")

    async def test_refused_with_429_it_waits_as_long_as_the_refusal_asks(self):
        events = Recorder()
        async with gateway({**ONE_KEPT, "admission.retry_after_ms": 700}) as server, proxy(server) as between:
            async with client(server.url, key="holder") as holder:
                waits = asyncio.ensure_future(opened(client(between.url, events, key="waits")))
                refusal = (await events.next(Lost)).refusal
                self.assertEqual((refusal.status, refusal.error, refusal.retry_after_s), (429, "user-limit", 0.7))
                self.assertEqual(refusal.body["limit"], 1)
                await events.next(Lost)
                first, second = between.made
                self.assertGreaterEqual(second - first, 0.69)
                await holder.close()
                one = await asyncio.wait_for(waits, PATIENCE_S)
                await talk(one, "in")
                await one.close()

    async def test_refused_by_a_close_code_4429_it_waits_at_least_as_long_as_it_is_set_to(self):
        events = Recorder()
        settings = {**ONE_KEPT, "gateway.refusal": "close"}
        async with gateway(settings) as server, proxy(server) as between, client(server.url, key="holder"):
            async with client(between.url, events, {"refused_s": 0.4}, key="waits"):
                self.assertEqual((await events.next(Lost)).code, 4429)
                self.assertEqual((await events.next(Lost)).code, 4429)
                first, second = between.made
                self.assertGreaterEqual(second - first, 0.39)

    async def test_a_blocked_user_4504_then_403_stays_away(self):
        events = Recorder()
        async with gateway() as server:
            async with client(server.url, events) as one:
                await server.ask("PUT", "/v1/users/ann/block", {"for_s": 600, "reason": "test"})
                self.assertEqual((await end_of(one)).code, 4504)
            with self.assertRaises(Closed) as raised:
                await opened(client(server.url, events))
            refusal = raised.exception.refusal
            self.assertEqual((refusal.status, refusal.error), (403, "blocked"))
            self.assertGreater(refusal.retry_after_s, 500)
            self.assertEqual(events.names(), ["Opened"])

    async def test_in_the_queue_its_place_is_reported_and_opens_when_it_is_admitted(self):
        events, behind = Recorder(), Recorder()
        async with gateway({**ONE_KEPT, "admission.queue.length_max": 5}) as server:
            async with client(server.url, key="holder") as holder:
                waits = asyncio.ensure_future(opened(client(server.url, events, key="next", notices=True)))
                self.assertEqual((await events.next(Queued)).position, 1)
                last = asyncio.ensure_future(opened(client(server.url, behind, key="last", notices=True)))
                self.assertEqual((await behind.next(Queued)).position, 2)
                self.assertFalse(waits.done())
                await holder.close()
                one = await asyncio.wait_for(waits, PATIENCE_S)
                await talk(one, "in")
                self.assertEqual((await behind.next(Queued)).position, 1)
                self.assertEqual(events.names(), ["Queued", "Admitted", "Opened"])
                self.assertIsInstance(events.log[1], Admitted)
                await one.close()
                await (await asyncio.wait_for(last, PATIENCE_S)).close()

    async def test_closed_for_a_message_that_it_sent_before_it_knew_that_it_waits_1008_it_waits_again(self):
        events = Recorder()
        settings = {**ONE_KEPT, "admission.queue.length_max": 5}
        async with gateway(settings) as server, proxy(server, head_first=True) as between:
            async with client(server.url, key="holder") as holder:
                began = time.monotonic()
                one = await opened(client(between.url, events, {"notice_s": 0.3}, key="one", notices=True))
                self.assertGreaterEqual(time.monotonic() - began, 0.3)
                await one.send("too early")
                between.resume()
                await events.next(Queued)
                self.assertFalse(one.is_open)
                self.assertEqual((await events.next(Lost)).code, 1008)
                await events.next(Queued)
                await holder.close()
                await one.wait_open()
                await talk(one, "in time")
                await one.close()

    async def test_pressure_is_an_event_and_no_message(self):
        events = Recorder()
        async with gateway({"limits.managers_per_user": 2}) as server:
            async with client(server.url, events, notices=True) as one, client(server.url):
                self.assertEqual((await events.next(Pressure)).limit, 2)
                await one.send("text")
                self.assertEqual(await one.recv(), "text")


class Surface(unittest.IsolatedAsyncioTestCase):
    async def test_messages_are_texts_and_bytes_and_a_close_is_an_end(self):
        async with gateway() as server:
            one = await opened(client(server.url))
            await one.send("text")
            await one.send(b"\x01\x02")
            self.assertEqual([await one.recv(), await one.recv()], ["text", b"\x01\x02"])
            # A code that would bring it back, if the server had sent it.
            await one.close(4001, "enough")
            self.assertIsInstance(await end_of(one), ConnectionClosedOK)
            self.assertEqual(await server.managers(), [])

    async def test_messages_without_a_connection_are_kept_up_to_the_limit_and_a_full_buffer_is_an_error(self):
        events = Recorder()
        limits = {"buffer_messages_max": 2, "buffer_bytes_max": 10}
        async with gateway() as server, proxy(server) as between:
            async with client(between.url, events, limits) as one:
                between.cut()
                await events.next(Lost)
                await one.send("first")
                with self.assertRaises(BufferFull):
                    await one.send("longer than that")
                await one.send("next")
                with self.assertRaises(BufferFull):
                    await one.send("")
                self.assertEqual(one.unsent, 2)
                self.assertEqual([await one.recv(), await one.recv()], ["first", "next"])
                self.assertEqual(one.unsent, 0)
            plain = Recorder()
            async with client(between.url, plain) as one:
                between.cut()
                await plain.next(Lost)
                with self.assertRaises(NotConnected):
                    await one.send("x")

    async def test_a_reader_that_is_slow_keeps_its_connection_and_gets_everything(self):
        events = Recorder()
        limits = {"silence_s": 0.2, "received_messages_max": 2}
        clock = Recorder()
        async with gateway() as server, proxy(server) as between:
            async with client(server.url, events, limits) as slow, client(between.url, clock, {"silence_s": 0.2}):
                for number in range(40):
                    await slow.send(f"{number}")
                for _ in range(3):
                    await clock.next(Opened)
                    between.silence()
                    await clock.next(Lost)
                self.assertEqual([await slow.recv() for _ in range(40)], [f"{number}" for number in range(40)])
                self.assertEqual(events.names(), ["Opened"])

    async def test_a_client_that_reads_nothing_closes_at_once(self):
        async with gateway() as server:
            one = await opened(client(server.url))
            for _ in range(200):
                await one.send("x" * 1000)

            async def answered():
                (row,) = await server.managers()
                return row["signals"]["activity-count"] == 200

            await until("all of it to arrive", answered)
            # `websockets` would give the Close up after ten seconds.
            await asyncio.wait_for(one.close(), 5)

    async def test_hints_reach_the_built_in_application_and_their_answers_stay_hidden(self):
        async with gateway() as server, proxy(server) as between:
            events = Recorder()
            async with client(between.url, events, visibility=BUILT_IN_HINTS) as one:

                async def seen(value):
                    async def ask():
                        (row,) = await server.managers()
                        return row["signals"].get("visibility") == value

                    await until(f"visibility {value}", ask)

                await one.set_visible(False)
                await seen(0)
                await one.send("ok")  # the same text as the answers, from the application
                self.assertEqual(await one.recv(), "ok")
                between.cut()
                await events.next(Lost)
                await one.set_visible(True)  # sent on the next connection
                await one.wait_open()
                await seen(1)
                await one.send("last")
                self.assertEqual(await one.recv(), "last")

    async def test_an_applications_own_code_is_its_own_decision(self):
        codes = [3001, 3002]

        async def say(peer):
            await peer.close(codes.pop(0), "closed by the application")

        async with serve(say, "127.0.0.1", 0) as backend:
            port = backend.sockets[0].getsockname()[1]
            one = await connect(
                f"ws://127.0.0.1:{port}",
                limits=Limits(**QUICK),
                may_return=lambda code, _: True if code == 3001 else None,
            )
            self.assertEqual((await end_of(one)).code, 3002)
            self.assertEqual(codes, [])

    async def test_a_mistake_in_a_listener_is_reported_and_stops_nothing(self):
        reported = asyncio.Queue()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.put_nowait(context))
        async with gateway() as server, client(server.url, lambda event: 1 / 0) as one:
            context = await asyncio.wait_for(reported.get(), PATIENCE_S)
            self.assertIsInstance(context["exception"], ZeroDivisionError)
            await talk(one, "goes on")

    async def test_a_uri_that_is_none_raises_at_once(self):
        with self.assertRaisesRegex(Exception, "isn't a valid URI"):
            await opened(connect("nonsense"))


if __name__ == "__main__":
    unittest.main()

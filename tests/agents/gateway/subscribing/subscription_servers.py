"""A WebSub hub, Twitch's EventSub and Kick's events, as their documents say: strict, with answers.

They call back: the hub and Twitch ask the address that they were told whether it wants this.
"""

import asyncio
import datetime as dt
import hashlib
import hmac
import json
import secrets
import uuid
from collections import Counter
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from platform_servers import CLIENT, Platform, TwitchServer

PUBLIC = "https://hooks.example.org"


class Calling(Platform):
    """A platform that calls back.

    Attributes:
        reach: where the public address of the tests really is.
    """

    def __init__(self, clock):
        super().__init__(clock)
        self.reach = ""
        self.calls = set()
        self.session = None

    async def __aenter__(self):
        self.session = aiohttp.ClientSession()
        return await super().__aenter__()

    async def __aexit__(self, *error):
        await self.settled()
        await super().__aexit__(*error)
        await self.session.close()

    def later(self, call):
        task = asyncio.create_task(call)
        self.calls.add(task)
        task.add_done_callback(self.calls.discard)

    async def settled(self):
        """Wait until all calls back have been answered."""
        while self.calls:
            await asyncio.gather(*self.calls)

    def at(self, callback):
        return self.reach + callback.removeprefix(PUBLIC)


class Hub(Calling):
    """A hub as W3C's WebSub has it: subscriptions are verified, lapse, and are signed for.

    Attributes:
        kept: secret and end of each subscription, by topic and callback.
        asked: how often each topic was asked for.
        silent: topics that it never verifies.
        denies: topics that it denies, with the reason.
    """

    def __init__(self, clock):
        super().__init__(clock)
        self.kept = {}
        self.asked = Counter()
        self.silent = set()
        self.denies = {}

    async def answer(self, request):
        if request.path != "/subscribe" or request.method != "POST":
            return self.refuse(404, "no such address")
        form = dict(await request.post())
        topic, callback = form.get("hub.topic", ""), form.get("hub.callback", "")
        is_right = (
            form.get("hub.mode") == "subscribe"
            and urlsplit(topic).scheme
            and urlsplit(callback).scheme in {"http", "https"}
            and form.get("hub.lease_seconds", "").isdigit()
            and len(form.get("hub.secret", "").encode()) < 200
        )
        if not is_right:
            return self.refuse(400, "bad request")
        self.asked[topic] += 1
        if topic in self.denies:
            query = {"hub.mode": "denied", "hub.topic": topic, "hub.reason": self.denies[topic]}
            self.later(self.call(callback, query))
        elif topic not in self.silent:
            self.later(self.verify(topic, callback, form))
        return web.Response(status=202)

    async def call(self, callback, query):
        async with self.session.get(self.at(callback), params=query) as answer:
            return answer.status, await answer.text()

    async def verify(self, topic, callback, form):
        challenge = secrets.token_hex(8)
        lease = int(form["hub.lease_seconds"])
        query = {
            "hub.mode": "subscribe",
            "hub.topic": topic,
            "hub.challenge": challenge,
            "hub.lease_seconds": str(lease),
        }
        if await self.call(callback, query) == (200, challenge):
            self.kept[topic, callback] = form.get("hub.secret"), self.clock() + lease

    async def distribute(self, topic, body):
        """Send a feed to all who have subscribed to it; returns the statuses."""
        found = []
        for (known, callback), (secret, ends) in self.kept.items():
            if known != topic or ends <= self.clock():
                continue
            digest = hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
            headers = {"X-Hub-Signature": f"sha1={digest}", "Content-Type": "application/atom+xml"}
            async with self.session.post(self.at(callback), data=body, headers=headers) as answer:
                found.append(answer.status)
        return found


class EventSub(Calling):
    """Twitch: subscriptions with a list in pages, a token, and a challenge that is signed.

    Attributes:
        rows: the list.
        unknown: users that are not there: a subscription to them is a bad request.
    """

    PAGE = 3

    def __init__(self, clock):
        super().__init__(clock)
        self.rows = []
        self.secrets = {}
        self.unknown = set()
        self.made = Counter()
        self.tokens = set()

    token = TwitchServer.token

    async def answer(self, request):
        if request.path == "/oauth2/token" and request.method == "POST":
            return await self.token(request)
        if request.path != "/helix/eventsub/subscriptions":
            return self.refuse(404, "not found")
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if bearer not in self.tokens or request.headers.get("Client-Id") != CLIENT:
            return self.refuse(401, "Invalid OAuth token")
        if request.method == "GET":
            return self.page(int(request.query.get("after", "0")))
        if request.method == "DELETE":
            before = len(self.rows)
            self.rows = [row for row in self.rows if row["id"] != request.query.get("id")]
            return web.Response(status=204 if len(self.rows) < before else 404)
        return await self.make(request)

    def page(self, at):
        more = at + self.PAGE < len(self.rows)
        return web.json_response(
            {
                "data": self.rows[at : at + self.PAGE],
                "total": len(self.rows),
                "total_cost": len(self.rows),
                "max_total_cost": 10_000,
                "pagination": {"cursor": str(at + self.PAGE)} if more else {},
            }
        )

    async def make(self, request):
        given = await request.json()
        transport, condition = given["transport"], given["condition"]
        user = condition["broadcaster_user_id"]
        is_right = (
            given["version"] == "1"
            and given["type"] in {"stream.online", "stream.offline"}
            and transport["method"] == "webhook"
            and transport["callback"].startswith("https://")
            and 10 <= len(transport["secret"]) <= 100
        )
        if not is_right or user in self.unknown:
            return self.refuse(400, "bad request")
        for row in self.rows:
            same = (row["type"], row["condition"], row["transport"]["callback"]) == (
                given["type"],
                condition,
                transport["callback"],
            )
            if same and row["status"] in {"enabled", "webhook_callback_verification_pending"}:
                return self.refuse(409, "subscription already exists")
        row = self.row(user, given["type"], transport["callback"])
        self.secrets[row["id"]] = transport["secret"]
        self.rows.append(row)
        self.made[user, given["type"]] += 1
        self.later(self.verify(row))
        return web.json_response({"data": [row]}, status=202)

    @staticmethod
    def row(user, of, callback, status="webhook_callback_verification_pending"):
        return {
            "id": str(uuid.uuid4()),
            "status": status,
            "type": of,
            "version": "1",
            "condition": {"broadcaster_user_id": user},
            "created_at": "2026-11-27T19:00:00Z",
            "transport": {"method": "webhook", "callback": callback},
            "cost": 1,
        }

    async def verify(self, row):
        challenge = secrets.token_hex(8)
        body = json.dumps({"challenge": challenge, "subscription": row}).encode()
        identity, stamp = str(uuid.uuid4()), dt.datetime.fromtimestamp(self.clock(), dt.UTC)
        when = stamp.strftime("%Y-%m-%dT%H:%M:%SZ")
        secret = self.secrets[row["id"]].encode()
        digest = hmac.new(secret, (identity + when).encode() + body, hashlib.sha256).hexdigest()
        headers = {
            "Twitch-Eventsub-Message-Id": identity,
            "Twitch-Eventsub-Message-Timestamp": when,
            "Twitch-Eventsub-Message-Type": "webhook_callback_verification",
            "Twitch-Eventsub-Message-Signature": f"sha256={digest}",
        }
        callback = row["transport"]["callback"]
        async with self.session.post(self.at(callback), data=body, headers=headers) as answer:
            is_right = answer.status == 200 and await answer.text() == challenge
        row["status"] = "enabled" if is_right else "webhook_callback_verification_failed"


class KickEvents(Calling):
    """Kick: a list of the app's subscriptions; each event that is asked for has its own error."""

    def __init__(self, clock):
        super().__init__(clock)
        self.rows = []
        self.unknown = set()
        self.tokens = set()

    token = TwitchServer.token

    async def answer(self, request):
        if request.path == "/oauth/token" and request.method == "POST":
            return await self.token(request)
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if bearer not in self.tokens:
            return self.refuse(401, "Unauthorized")
        if request.path != "/public/v1/events/subscriptions":
            return self.refuse(404, "not found")
        if request.method == "GET":
            return web.json_response({"data": self.rows, "message": "OK"})
        given = await request.json()
        if given.get("method") != "webhook" or type(given.get("broadcaster_user_id")) is not int:
            return self.refuse(400, "Invalid request")
        made = []
        for event in given["events"]:
            user, identity = given["broadcaster_user_id"], secrets.token_hex(13).upper()
            if user in self.unknown:
                made.append({**event, "error": "broadcaster not found"})
                continue
            made.append({**event, "error": "", "subscription_id": identity})
            self.rows.append(
                {
                    "id": identity,
                    "app_id": "app",
                    "broadcaster_user_id": user,
                    "event": event["name"],
                    "version": event["version"],
                    "method": "webhook",
                }
            )
        return web.json_response({"data": made, "message": "OK"})

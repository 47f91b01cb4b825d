"""YouTube and Twitch as their documentation says, strict: quotas are counted and enforced.

Both live by a clock that is given, so an evening need not take one.
"""

import asyncio
import datetime as dt
import json
import math
import secrets
from collections import Counter, deque
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from aiohttp import web

from streams import rfc3339

PACIFIC = ZoneInfo("America/Los_Angeles")
KEY = "a-key-of-the-tests"
CLIENT = "client-of-the-tests"
CLIENT_SECRET = "client-secret-of-the-tests"


def text(seconds):
    return rfc3339.text(int(seconds) * 1_000_000)


@dataclass
class Show:
    """One broadcast: when it is on, and how many watch."""

    id: str
    begins: float
    ends: float
    broadcast: str = ""
    hidden: bool = False

    def viewers(self, now):
        return 100 + int(50 * math.sin(now / 600 + hash(self.id) % 7))

    def is_on(self, now):
        return self.begins <= now < self.ends


@dataclass
class Served:
    """What a server has answered."""

    statuses: Counter = field(default_factory=Counter)
    times: list = field(default_factory=list)
    ids: Counter = field(default_factory=Counter)
    wrong: list = field(default_factory=list)


class Platform:
    """A server on a port of its own.

    Attributes:
        script: answers that are given first, each a function of the request or None.
    """

    def __init__(self, clock, shows=()):
        self.clock = clock
        self.shows = {show.id: show for show in shows}
        self.served = Served()
        self.script = deque()
        self.runner = None
        self.address = ""

    async def __aenter__(self):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.address = f"http://127.0.0.1:{self.runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *error):
        await self.runner.cleanup()

    async def handle(self, request):
        scripted = self.script.popleft() if self.script else None
        answer = None if scripted is None else scripted(request)
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer is None:
            answer = await self.answer(request)
        self.served.statuses[answer.status] += 1
        self.served.times.append(self.clock())
        return answer

    def refuse(self, status, why, **more):
        self.served.wrong.append(why)
        return web.json_response({"error": why, "status": status}, status=status, **more)


class YouTubeServer(Platform):
    """videos.list: 50 ids, a unit a call (errors too), 10,000 a day of California's."""

    def __init__(self, clock, shows=(), units=10_000):
        super().__init__(clock, shows)
        self.units = units
        self.spent = Counter()

    def error(self, status, reason, message=""):
        if status != 200:
            self.served.wrong.append(reason)
        body = {
            "error": {
                "code": status,
                "message": message or reason,
                "errors": [{"message": reason, "domain": "youtube.quota", "reason": reason}],
            }
        }
        return web.json_response(body, status=status)

    async def answer(self, request):
        if request.path != "/youtube/v3/videos" or request.method != "GET":
            return self.error(404, "notFound")
        if request.headers.get("X-Goog-Api-Key") != KEY or "key" in request.query:
            return self.error(400, "badRequest", "API key not valid. Please pass a valid API key.")
        now = self.clock()
        day = dt.datetime.fromtimestamp(now, PACIFIC).date()
        if self.spent[day] >= self.units:
            return self.error(403, "quotaExceeded")
        self.spent[day] += 1
        ids = request.query.get("id", "").split(",")
        if not 1 <= len(ids) <= 50 or len(set(ids)) < len(ids) or "" in ids:
            return self.error(400, "invalidParameter")
        parts = set(request.query.get("part", "").split(","))
        if not {"snippet", "liveStreamingDetails", "statistics"} >= parts or not parts:
            return self.error(400, "invalidPart")
        self.served.ids.update(ids)
        items = [self.item(self.shows[each], now) for each in ids if each in self.shows]
        body = json.dumps({"kind": "youtube#videoListResponse", "items": items})
        return web.Response(text=body, content_type="application/json")

    @staticmethod
    def item(show, now):
        details = {"scheduledStartTime": text(show.begins)}
        content = "upcoming"
        if now >= show.begins:
            details["actualStartTime"] = text(show.begins)
            content = "live"
        if now >= show.ends:
            details["actualEndTime"] = text(show.ends)
            content = "none"
        elif show.is_on(now) and not show.hidden:
            details["concurrentViewers"] = str(show.viewers(now))
        return {
            "id": show.id,
            "snippet": {"title": f"Show {show.id}", "liveBroadcastContent": content},
            "liveStreamingDetails": details,
            "statistics": {"viewCount": "1000"},
        }


class TwitchServer(Platform):
    """Helix streams: 100 ids, a bucket of 800 points a minute with its headers, tokens."""

    def __init__(self, clock, shows=(), points=800):
        super().__init__(clock, shows)
        self.points = points
        self.bucket, self.filled = float(points), clock()
        self.tokens = set()
        self.most_in_a_minute = 0
        self._calls = deque()

    async def answer(self, request):
        if request.path == "/oauth2/token" and request.method == "POST":
            return await self.token(request)
        if request.path != "/helix/streams" or request.method != "GET":
            return self.refuse(404, "not found")
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if bearer not in self.tokens or request.headers.get("Client-Id") != CLIENT:
            return self.refuse(401, "Invalid OAuth token")
        now = self.clock()
        self._calls.append(now)
        while self._calls[0] <= now - 60:
            self._calls.popleft()
        self.most_in_a_minute = max(self.most_in_a_minute, len(self._calls))
        rate = self.points / 60
        self.bucket = min(self.points, self.bucket + (now - self.filled) * rate)
        self.filled = now
        is_empty = self.bucket < 1
        if not is_empty:
            self.bucket -= 1
        headers = {
            "Ratelimit-Limit": str(self.points),
            "Ratelimit-Remaining": str(int(self.bucket)),
            "Ratelimit-Reset": str(math.ceil(now + (self.points - self.bucket) / rate)),
        }
        if is_empty:
            return self.refuse(429, "Too Many Requests", headers=headers)
        ids = request.query.getall("user_id", [])
        first = int(request.query.get("first", "20"))
        if not 1 <= len(ids) <= 100 or not 1 <= first <= 100 or not all(i.isdigit() for i in ids):
            return self.refuse(400, "Malformed query params", headers=headers)
        self.served.ids.update(ids)
        on = [self.shows[each] for each in ids if each in self.shows]
        data = [self.row(show, now) for show in on if show.is_on(now)]
        body = json.dumps({"data": data[:first], "pagination": {}})
        return web.Response(text=body, content_type="application/json", headers=headers)

    async def token(self, request):
        form = await request.post()
        wanted = {
            "client_id": CLIENT,
            "client_secret": CLIENT_SECRET,
            "grant_type": "client_credentials",
        }
        if dict(form) != wanted:
            return self.refuse(403, "invalid client secret")
        token = secrets.token_hex(15)
        self.tokens.add(token)
        body = {"access_token": token, "expires_in": 5_011_271, "token_type": "bearer"}
        return web.json_response(body)

    @staticmethod
    def row(show, now):
        return {
            "id": show.broadcast or f"9{show.id}",
            "user_id": show.id,
            "user_login": f"user{show.id}",
            "type": "live",
            "title": f"Show {show.id}",
            "viewer_count": show.viewers(now),
            "started_at": text(show.begins),
            "language": "en",
        }

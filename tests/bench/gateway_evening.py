"""An evening of polls: 300 YouTube and 5,000 Twitch channels, against servers that enforce quotas.

    .venv/bin/python tests/bench/gateway_evening.py --hours 24

Real pollers ask real servers over HTTP, by a clock that runs as fast as they can. Kafka is left
out: what is told goes straight through the table of open broadcasts. Ends with 1 if a server has
refused a call or counted more than it allows.
"""

import argparse
import asyncio
import datetime as dt
import json
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "agents" / "gateway" / "polling")]

from platform_servers import (  # noqa: E402 - as above
    CLIENT,
    CLIENT_SECRET,
    KEY,
    PACIFIC,
    Show,
    TwitchServer,
    YouTubeServer,
)
from simulated_evening import PARTITIONS, Clock, Control, Gateway, config_of  # noqa: E402 - as above

from agents.gateway.observation import Observation  # noqa: E402 - as above
from streams import rfc3339  # noqa: E402 - as above

MINUTE = 60


class Counted(Control):
    """Keeps no event: of each broadcast, the minutes that have viewers, and its starts and ends."""

    def __init__(self):
        super().__init__()
        self.minutes = {}
        self.kinds = Counter()

    def take(self, seen):
        super().take(seen)
        for event in self.events:
            self.kinds[event.kind] += 1
            if event.kind == "sample" and event.viewers is not None:
                self.minutes.setdefault(event.broadcast, set()).add(event.at[:16])
        self.events.clear()


def shows_of(prefix, count, begin, end, always, chance, before=7200):
    """Some are on all the time, the others for one to four hours of it."""
    shows = []
    for number in range(count):
        show = f"{prefix}{number:0{11 - len(prefix)}d}"
        start = begin - chance.uniform(60, before)
        stop = end + 3600
        if chance.random() >= always:
            start = begin + chance.uniform(0, max(1, end - begin - 3600))
            stop = start + chance.uniform(3600, 4 * 3600)
        shows.append(Show(show, float(int(start)), float(int(stop))))
    return shows


def share(shows, minutes, begin, end):
    """Which part of the whole minutes of shows, within the evening, have viewers."""
    all_of_them = have = 0
    for show in shows:
        first = int(max(show.begins, begin) // MINUTE) + 1
        last = int(min(show.ends, end) // MINUTE)
        found = minutes.get(show.broadcast or show.id, set())
        for minute in range(first, last):
            all_of_them += 1
            have += rfc3339.text(minute * MINUTE * rfc3339.SECOND)[:16] in found
    return have / all_of_them if all_of_them else 1.0


async def evening(
    *,
    hours=6.0,
    youtube=300,
    twitch=5000,
    always=0.6,
    gateways=1,
    hour=10,
    idle=0.0,
    seed=7,
    units=10_000,
    points=800,
):
    """Run it; hour is when it begins, in California; idle is how long nothing was on before."""
    os.environ.update(YOUTUBE_KEY=KEY, TWITCH_SECRET=CLIENT_SECRET)
    chance = random.Random(seed)
    begin = dt.datetime(2026, 11, 27, hour, tzinfo=PACIFIC).timestamp()
    end = begin + hours * 3600
    before = 120 if idle else 7200
    videos = shows_of("v", youtube, begin, end, always, chance, before)
    streams = shows_of("1", twitch, begin, end, always, chance, before)
    for show in streams:
        show.broadcast = f"9{show.id}"
    clock, control = Clock(begin - idle * 3600), Counted()
    began, cpu = time.perf_counter(), time.process_time()
    async with (
        YouTubeServer(clock, videos, units) as data,
        TwitchServer(clock, streams, points) as helix,
    ):
        config = config_of(
            {
                "name": "youtube",
                "source": "youtube",
                "secret": {"env": "YOUTUBE_KEY"},
                "api": data.address,
                "channels": [show.id for show in videos] if not idle else [],
                "endpoint": "own",
                "budget": units,
            },
            {
                "name": "twitch",
                "source": "twitch",
                "secret": {"env": "TWITCH_SECRET"},
                "client_id": CLIENT,
                "api": helix.address,
                "login": helix.address,
                "channels": [show.id for show in streams[::2]],
                "endpoint": "hooks",
                "budget": points,
            },
            endpoint=[
                {"name": "hooks", "source": "twitch", "secrets": [{"env": "X"}]},
                {
                    "name": "own",
                    "source": "standard-webhooks",
                    "platform": "youtube",
                    "secrets": [{"env": "X"}],
                    "mapping": {},
                },
            ],
        )
        # Half of the streams are told of by webhooks alone, with their true ends.
        told = [(show, "twitch", "hooks") for show in streams[1::2]]
        if idle:
            told += [(show, "youtube", "own") for show in videos]
        hooks = sorted(
            (at, kind, show.id, show.broadcast or show.id, platform, endpoint)
            for show, platform, endpoint in told
            for at, kind in ((show.begins, "started"), (show.ends, "ended"))
        )
        running = [
            Gateway(config, control, clock, range(number, PARTITIONS, gateways), str(number))
            for number in range(gateways)
        ]
        for gateway in running:
            await gateway.__aenter__()
        while clock.now < end:
            while hooks and hooks[0][0] <= clock.now:
                at, kind, channel, broadcast, platform, endpoint = hooks.pop(0)
                micro = int(at * rfc3339.SECOND)
                seen = Observation(
                    endpoint, platform, channel, kind, micro, broadcast=broadcast, started=micro
                )
                if kind == "ended":
                    seen = Observation(
                        endpoint, platform, channel, kind, micro, broadcast=broadcast
                    )
                control.take(seen)
            await asyncio.gather(*(gateway.step() for gateway in running))
            clock.now += 1
        for gateway in running:
            await gateway.__aexit__()
        return {
            "hours": hours,
            "gateways": gateways,
            "youtube": {
                "channels": youtube,
                "minutes_sampled": round(share(videos, control.minutes, begin, end), 4),
                "calls": sum(data.served.statuses.values()),
                "most_units_of_a_day": max(data.spent.values(), default=0),
                "refused": sorted(set(data.served.wrong)),
            },
            "twitch": {
                "channels": twitch,
                "minutes_sampled": round(share(streams, control.minutes, begin, end), 4),
                "calls": sum(helix.served.statuses.values()),
                "most_points_of_a_minute": helix.most_in_a_minute,
                "refused": sorted(set(helix.served.wrong)),
            },
            "events": dict(control.kinds),
            "real_seconds": round(time.perf_counter() - began, 1),
            "cpu_seconds_servers_included": round(time.process_time() - cpu, 1),
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=6)
    parser.add_argument("--youtube", type=int, default=300)
    parser.add_argument("--twitch", type=int, default=5000)
    parser.add_argument("--gateways", type=int, default=1)
    parser.add_argument("--always", type=float, default=0.6, help="share that is on all the time")
    parser.add_argument("--hour", type=int, default=10, help="of the beginning, in California")
    parser.add_argument("--idle", type=float, default=0, help="hours before it with nothing on")
    parser.add_argument("--units", type=int, default=10_000, help="YouTube's, a day")
    options = parser.parse_args()
    found = asyncio.run(evening(**vars(options)))
    print(json.dumps(found, indent=2))
    refused = found["youtube"]["refused"] or found["twitch"]["refused"]
    sys.exit(1 if refused else 0)


if __name__ == "__main__":
    main()

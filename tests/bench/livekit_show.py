"""A real LiveKit server, real WebRTC viewers, and what a gateway makes of its webhooks.

    go install github.com/livekit/livekit-server/cmd/server@v1.9.11
    pip install livekit livekit-api
    python tests/bench/livekit_show.py --server ~/go/bin/server

One participant may publish and two may not: these are the viewers. One of them leaves, then the
room is closed. Ends with 1 if the viewer events are not those of that show. `--record FILE` keeps
the deliveries as they came, signed: tests/agents/gateway/data/vectors.json has some of them.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "integration" / "gateway")]

from processes import Process  # noqa: E402 - found by the line above
from running import CONFIG, Gateways  # noqa: E402 - as above

from agents.broker import Broker  # noqa: E402 - as above
from agents.demo.worker import free_port  # noqa: E402 - as above

KEY, SECRET, ROOM = "APIkey", "a-secret-of-this-show-that-is-long-enough", "gallery"
ENDPOINT = """
[[endpoint]]
name = "livekit"
source = "livekit"
secrets = [{ env = "LIVEKIT_SECRET" }]
"""


class Recorder:
    """Takes the same webhooks as the gateway, and keeps them."""

    def __init__(self):
        self.kept = []

    async def handle(self, request):
        body = (await request.read()).decode()
        headers = {"authorization": request.headers["Authorization"]}
        kept = {"source": "livekit", "secret": f"{KEY}:{SECRET}", "now": int(time.time())}
        self.kept.append({**kept, "headers": headers, "body": body})
        return web.Response()

    async def serve(self, stack):
        app = web.Application()
        app.router.add_post("/", self.handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}/"


def settings_of(folder, port, urls):
    """The server's configuration; JSON is YAML."""
    path = folder / "livekit.yaml"
    given = {
        "port": port,
        "bind_addresses": ["127.0.0.1"],
        "rtc": {
            "tcp_port": free_port("127.0.0.1", 0),
            "udp_port": free_port("127.0.0.1", 0),
            "use_external_ip": False,
            "enable_loopback_candidate": True,
        },
        "keys": {KEY: SECRET},
        "webhook": {"api_key": KEY, "urls": urls},
    }
    path.write_text(json.dumps(given))
    return path


async def show(server, recorder):
    """Run it; returns the viewer events."""
    from livekit import api, rtc  # noqa: PLC0415 - its packages are for this program alone

    def token(name, *, publish):
        grants = api.VideoGrants(room_join=True, room=ROOM, can_publish=publish)
        return api.AccessToken(KEY, SECRET).with_identity(name).with_grants(grants).to_jwt()

    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = await stack.enter_async_context(Broker(folder / "kafka"))
        gateways = Gateways(broker.bootstrap, "livekit.", folder, CONFIG + ENDPOINT)
        gateways.env["LIVEKIT_SECRET"] = f"{KEY}:{SECRET}"
        await stack.enter_async_context(gateways)
        await gateways.make_topics()
        gateway = await gateways.start()
        port = free_port("127.0.0.1", 0)
        urls = [f"{gateway.hooks}/livekit", await recorder.serve(stack)]
        path = settings_of(folder, port, urls)
        livekit = await Process(
            server, "--config", str(path), "--node-ip", "127.0.0.1", measured=False
        ).start()
        stack.push_async_callback(livekit.kill)
        await livekit.says("starting LiveKit server", 60)
        url = f"http://127.0.0.1:{port}"
        calls = await stack.enter_async_context(api.LiveKitAPI(url, KEY, SECRET))

        async def come(name, *, publish=False):
            room = rtc.Room()
            await room.connect(url.replace("http", "ws"), token(name, publish=publish))
            return room

        def viewers(found):
            return [each["viewers"] for each in found if "viewers" in each]

        publisher = await come("publisher", publish=True)
        first, second = await come("first"), await come("second")
        await gateways.until(lambda found: 2 in viewers(found), 60)
        print("two viewers have come")
        await first.disconnect()
        await gateways.until(lambda found: viewers(found)[-1:] == [1], 60)
        print("one has left")
        await calls.room.delete_room(api.DeleteRoomRequest(room=ROOM))
        events = await gateways.until(
            lambda found: any(each.get("kind") == "ended" for each in found), 90
        )
        for room in (publisher, second):
            await room.disconnect()
        return events


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True, help="path of the LiveKit server")
    parser.add_argument("--record", type=Path, help="where the deliveries are kept")
    options = parser.parse_args()
    recorder = Recorder()
    events = asyncio.run(show(options.server, recorder))
    if options.record:
        options.record.write_text(json.dumps({"vectors": recorder.kept}, indent=1))
    for event in events:
        print(json.dumps(event))
    kinds = [event.get("kind", "sample") for event in events]
    ids = {event["broadcast"] for event in events}
    right = (
        kinds[0] == "started"
        and "ended" in kinds
        and len(ids) == 1
        and all(each.startswith("RM_") for each in ids)
        and max(event.get("viewers", 0) for event in events) == 2
    )
    sys.exit(0 if right else "these are not the events of this show")


if __name__ == "__main__":
    main()

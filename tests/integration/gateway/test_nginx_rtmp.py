"""A real nginx with its RTMP module, a real publisher and real viewers (ffmpeg)."""

import asyncio
import shutil
import socket

import imageio_ffmpeg
import pytest
from processes import Process
from running import PATH_SECRET, now

pytestmark = pytest.mark.kafka

CONF = """
load_module {module};
daemon off;
master_process off;
error_log stderr warn;
pid {folder}/nginx.pid;
events {{ worker_connections 64; }}
rtmp {{
    server {{
        listen 127.0.0.1:{port};
        notify_update_timeout 2s;
        application live {{
            live on;
            on_publish {hook};
            on_publish_done {hook};
            on_play {hook};
            on_play_done {hook};
            on_update {hook};
        }}
    }}
}}
"""
MODULE = "/usr/lib/nginx/modules/ngx_rtmp_module.so"


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Streaming:
    """nginx, and what publishes to it and plays from it."""

    def __init__(self, folder, hook):
        self.port = free_port()
        self.conf = folder / "nginx.conf"
        self.conf.write_text(CONF.format(module=MODULE, folder=folder, port=self.port, hook=hook))
        self.folder = folder
        self.started = []

    async def __aenter__(self):
        nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        assert nginx, "the tests need nginx and libnginx-mod-rtmp: tests/run installs them"
        await self._start(nginx, "-c", str(self.conf), "-p", str(self.folder))
        async with asyncio.timeout(20):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    assert self.started[0].running, self.started[0].tail()
                    await asyncio.sleep(0.1)
                else:
                    writer.close()
                    return self

    async def __aexit__(self, *error):
        for program in reversed(self.started):
            if program.running:
                await program.kill()

    async def _start(self, *command):
        program = await Process(*command, measured=False).start()
        self.started.append(program)
        return program

    async def _ffmpeg(self, *options):
        return await self._start(
            imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-nostdin", *options
        )

    async def publish(self, name):
        source = "testsrc=size=128x96:rate=5"
        return await self._ffmpeg(
            *("-re", "-f", "lavfi", "-i", source, "-c:v", "flv", "-g", "5", "-f", "flv"),
            f"rtmp://127.0.0.1:{self.port}/live/{name}",
        )

    async def watch(self, name):
        return await self._ffmpeg(
            "-i", f"rtmp://127.0.0.1:{self.port}/live/{name}", "-f", "null", "-"
        )


def viewers(events):
    """The newest number of viewers that is told."""
    return next((e["viewers"] for e in reversed(events) if "viewers" in e), None)


async def test_a_real_stream_is_watched_and_ends(gateways, tmp_path):
    gateway = await gateways.start()
    async with Streaming(tmp_path, f"{gateway.hooks}/nginx/{PATH_SECRET}") as streaming:
        publisher = await streaming.publish("gallery")
        await gateways.until(lambda found: found and found[0].get("kind") == "started")
        watching = [await streaming.watch("gallery") for _ in range(2)]
        await gateways.until(lambda found: viewers(found) == 2)
        await watching[0].kill()
        await gateways.until(lambda found: viewers(found) == 1)
        await publisher.stop()
        events = await gateways.until(lambda found: found[-1].get("kind") == "ended")
        assert {event["broadcast"] for event in events} == {events[0]["broadcast"]}
        assert events[0]["broadcast"].startswith("live/gallery@")
        assert max(event.get("joins", 0) for event in events) in {1, 2}  # over one minute or two
        assert {event["venue"] for event in events} == {"louvre"}


async def test_the_show_goes_on_while_kafka_is_away(gateways, tmp_path):
    """A gateway that cannot reach Kafka at all still lets publisher and viewers in."""
    gateways.env["AUDIENCE_BROKERS"] = f"127.0.0.1:{free_port()}"
    gateway = await gateways.start(ready=False)
    async with Streaming(tmp_path, f"{gateway.hooks}/nginx/{PATH_SECRET}") as streaming:
        publisher = await streaming.publish("gallery")
        watching = await streaming.watch("gallery")
        await gateway.until_metric(
            'audience_gateway_deliveries_verified_total{endpoint="nginx"}', 2
        )
        await asyncio.sleep(3)  # nginx would have ended their connections by now
        assert publisher.running, publisher.tail()
        assert watching.running, watching.tail()
    lost = await gateway.metric('audience_gateway_deliveries_lost_total{endpoint="nginx"}')
    assert lost >= 2
    body = {"channel": "gallery", "kind": "sample", "at": now(), "viewers": 1}
    assert await gateway.own("m1", body) == 503
    async with gateways.session.get(f"{gateway.health}/readyz") as answer:
        assert answer.status == 503
        assert "Kafka" in await answer.text()

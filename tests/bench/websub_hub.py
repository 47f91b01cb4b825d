"""A real WebSub hub, at which a real gateway subscribes, renews, and is told of a video.

    .venv/bin/python tests/bench/websub_hub.py

Takes the hub of flask-websub, which it installs into an environment of its own for this. The lease
is 40 s, so that a renewal is seen. Ends with 1 if the hub was not asked again in time, if the
gateway does not say that the subscription holds, or if what the hub sends is not taken. Some 70 s.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "integration" / "gateway")]

from processes import Process  # noqa: E402 - found by the line above
from running import Gateways  # noqa: E402 - as above

from agents.broker import Broker  # noqa: E402 - as above
from agents.demo.worker import free_port  # noqa: E402 - as above

sys.path.append(str(ROOT / "tests" / "agents" / "gateway"))

from deliveries import FEED  # noqa: E402 - as above

CHANNEL = "UC-of-the-tests"
LEASE = 40
HUB = """
import base64, sys
from celery import Celery
from flask import Flask, request
from flask_websub.hub import Hub, SQLite3HubStorage

port, file = int(sys.argv[1]), sys.argv[2]
app = Flask("hub")
celery = Celery("hub", broker="memory://")
celery.conf.task_always_eager = True
app.config["HUB_MIN_LEASE_SECONDS"] = 1
hub = Hub(SQLite3HubStorage(file), celery, SIGNATURE_ALGORITHM="sha1")
hub.register_validator(lambda callback, topic, *rest: print("asked", topic, flush=True))
app.register_blueprint(hub.build_blueprint(url_prefix="/subscribe"))

@app.post("/tell")
def tell():
    topic = request.args["topic"]
    link = f'<http://127.0.0.1/>; rel="hub", <{topic}>; rel="self"'
    told = base64.b64encode(request.get_data()).decode()
    headers = {"Link": link, "Content-Type": "application/atom+xml"}
    hub.send_change_notification.delay(topic, {"content": told, "headers": headers})
    return ""

print("hub is up", flush=True)
app.run("127.0.0.1", port, threaded=True)
"""
CONFIG = """
port = {port}
health_port = 0
public = "http://127.0.0.1:{port}"

[[endpoint]]
name = "videos"
source = "youtube"
secrets = [{{ env = "OWN_SECRET" }}]
path_secrets = [{{ env = "PATH_SECRET" }}]
subscribed = ["{channel}"]
[endpoint.subscribe]
api = "http://127.0.0.1:{hub}"
lease_seconds = {lease}

[[poll]]
name = "counts"
source = "youtube"
endpoint = "videos"
secret = {{ env = "PATH_SECRET" }}
api = "http://127.0.0.1:9"
"""


async def show(folder):
    python = folder / "environment" / "bin" / "python"
    venv.create(folder / "environment", with_pip=True)
    packages = ["flask-websub==0.4.1", "celery"]
    install = [python, "-m", "pip", "install", "--quiet", *packages]
    await asyncio.to_thread(subprocess.run, install, check=True)
    port, at = free_port("127.0.0.1", 0), free_port("127.0.0.1", 0)
    program = folder / "hub.py"
    program.write_text(HUB)
    hub = await Process(
        str(python), str(program), str(port), str(folder / "hub.db"), env={}
    ).start()
    config = CONFIG.format(port=at, hub=port, channel=CHANNEL, lease=LEASE)
    async with Broker(folder / "kafka") as broker:
        try:
            async with Gateways(broker.bootstrap, "hub.", folder, config) as gateways:
                await hub.says("hub is up", 30)
                await gateways.make_topics()
                gateway = await gateways.start()
                active = 'audience_gateway_subscriptions{endpoint="videos",state="active"}'
                await gateway.until_metric(active, 1, 30)
                asked = time.monotonic()
                print(f"subscribed, and confirmed by {CHANNEL}'s hub")
                topic = f"https://www.youtube.com/feeds/videos.xml?channel_id={CHANNEL}"
                address = f"http://127.0.0.1:{port}/tell"
                async with gateways.session.post(
                    address, params={"topic": topic}, data=FEED
                ) as answer:
                    assert answer.status == 200, answer.status
                polled = 'audience_gateway_polled_channels{poll="counts",state="waiting"}'
                await gateway.until_metric(polled, 1, 30)
                print("what the hub sent was taken: the video is polled")
                while sum("asked" in line for line in hub.lines) < 2:
                    assert time.monotonic() < asked + LEASE, hub.tail()
                    await asyncio.sleep(0.2)
                print(f"renewed after {time.monotonic() - asked:.0f} of {LEASE} s")
                await asyncio.sleep(LEASE / 2)
                assert await gateway.metric(active) == 1
                print("it holds after the first lease is over")
        finally:
            await hub.kill()


def main():
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(show(Path(folder)))


if __name__ == "__main__":
    main()

"""Draws the dashboards of deploy/grafana as pictures, from their own JSON and queries.

    .venv/bin/python tests/pictures/draw.py                    # runs a system for it: 13 minutes
    .venv/bin/python tests/pictures/draw.py --prometheus URL   # draws what is there, at once

Writes docs/images/board-live.png, board-broadcast.png and board-pipeline.png. It is no Grafana: it
knows the panels that these dashboards are made of, and nothing else. What a query gives is the real
Prometheus' answer.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

# Found by the line above.
from grafana_panels import BOARDS
from pictures.asking import asking
from pictures.page import draw
from pictures.running import SCRAPE, running

IMAGES = Path(__file__).parents[2] / "docs" / "images"
#: The broadcast of the board of that name.
_CHOSEN = {"platform": "fliggy", "broadcast": "louvre-2020-09-25"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prometheus", metavar="URL", help="one that runs already")
    parser.add_argument("--scrape", type=float, default=SCRAPE, help="seconds between its scrapes")
    parser.add_argument("--minutes", type=float, default=12, help="how far back the pictures reach")
    parser.add_argument(
        "--ago",
        type=float,
        default=0,
        help="seconds ago at which they end: where the last scrape failed, panels of now are empty",
    )
    parser.add_argument("--folder", type=Path, default=IMAGES)
    asyncio.run(_run(parser.parse_args()))


async def _run(given):
    if given.prometheus:
        async with asking(given.prometheus) as server:
            await _draw_all(server, given)
        return
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder), given.minutes, print) as server:
            await _draw_all(server, given)


async def _draw_all(server, given):
    given.folder.mkdir(parents=True, exist_ok=True)
    end = time.time() - given.ago  # of all of them
    for board in BOARDS:
        path = given.folder / f"board-{board}.png"
        seconds = given.minutes * 60
        empty = await draw(
            server, board, path, seconds=seconds, scrape=given.scrape, wanted=_CHOSEN, end=end
        )
        print(path, *(f"\n  nothing to show: {title}" for title in empty))


if __name__ == "__main__":
    main()

"""The false-alarm budget in short: an hour of healthy shows; the week is in tests/bench."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))

from false_alarms import fired  # found by the line above, as what follows
from healthy_week import STEP, Day

HOUR = 3600


def hour():
    return Day("short", day=0, broadcasts=8, end=HOUR)


def lose_viewers(series):
    """Some minutes before workers are restarted, one broadcast has a fifth of its viewers."""
    names = [key for key in series.values if key[0] == "audience_viewers"]
    broadcast = dict(names[0][1])["broadcast"]
    for key in names:
        if dict(key[1])["broadcast"] == broadcast:
            for step, viewers in series.values[key].items():
                if step * STEP > HOUR / 2 - 480:
                    series.values[key][step] = viewers / 5


def test_nothing_fires_while_nothing_is_wrong(tmp_path):
    # Within it a worker is killed, and all are restarted one by one.
    assert fired(hour(), tmp_path) == {"Watchdog": HOUR // STEP + 1}


def test_what_is_wrong_is_seen_there(tmp_path):
    found = fired(hour(), tmp_path, lose_viewers)
    assert found.keys() == {"Watchdog", "BroadcastAudienceDropped"}

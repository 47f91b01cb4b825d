"""What answers of Kick and PeerTube mean, in the shapes that their own documents give."""

import json

import pytest

from agents.gateway.delivery import Unreadable
from agents.gateway.polling.kick import Kick
from agents.gateway.polling.peertube import PeerTube
from agents.gateway.polling.platform import Answer
from agents.gateway.rows import Channel
from agents.gateway.sources import SOURCES, Verified
from agents.gateway.table import apply
from streams import rfc3339

START = rfc3339.microseconds("2026-11-27T20:00:00Z")
VIDEO = "9c9de5e8-0a1e-484a-b099-e80766180a6d"
STREAM = {
    "id": "01J", "broadcaster_user": {"id": 123, "username": "gallery", "profile_picture": ""},
    "category": {"id": 9, "name": "Museums", "thumbnail": ""}, "channel": {"slug": "gallery"},
    "has_mature_content": False, "language_code": "en", "started_at": "2026-11-27T20:00:00Z",
    "tags": [], "thumbnail": "", "title": "A night", "viewer_count": 42,
}  # fmt: skip  # read best close together


def body(rows):
    return json.dumps({"data": rows, "message": "OK"}).encode()


def test_kick_tells_who_is_live_and_what_is_odd_is_unknown():
    (found,) = Kick().read(body([STREAM]))
    assert (found.id, found.status, found.viewers, found.started) == ("123", "live", 42, START)
    assert found.title == "A night"
    assert Kick().read(body([])) == []
    rows = [None, {}, {**STREAM, "started_at": "0001"}, {**STREAM, "viewer_count": "many"}]
    (odd,) = Kick().read(body(rows))
    assert odd.viewers is None
    with pytest.raises(Unreadable):
        Kick().read(b'{"data": {}}')
    path, query = Kick().request(["1", "2"])
    assert (path, query) == ("/public/v1/users/livestreams", [("user_id", "1"), ("user_id", "2")])


def test_what_kick_is_asked_for_and_what_it_sends_by_webhook_is_one_broadcast(monkeypatch):
    from deliveries import KICK_BODY, delivery, endpoint  # noqa: PLC0415 - makes a key

    del monkeypatch
    hook = SOURCES["kick"].read(delivery([], KICK_BODY), Verified("m1", START), endpoint("kick"))
    (start,) = hook.observations
    events = apply(Channel(start.endpoint, start.platform, start.channel), start)
    (found,) = Kick().read(body([STREAM]))
    assert events[0].broadcast == found.broadcast == "123@20261127T200000Z"
    assert start.channel == found.id


@pytest.mark.parametrize(
    ("status", "headers", "outcome", "pause"),
    [
        (200, {}, "answered", None), (429, {"retry-after": "7"}, "limited", 7.0),
        (401, {}, "refused", None), (403, {}, "refused", None), (500, {}, "failed", None),
        (404, {}, "failed", None),
    ],
)  # fmt: skip  # one case a line or two
def test_kick_by_its_status(status, headers, outcome, pause):
    verdict = Kick().evaluate(Answer(status, headers, b""), 0.0)
    assert (verdict.outcome, verdict.pause) == (outcome, pause)


def video(state, **more):
    told = {"uuid": VIDEO, "isLive": True, "state": {"id": state, "label": ""}, "viewers": 7}
    return json.dumps({**told, "views": 99, "name": "A night", **more}).encode()


def test_peertube_tells_of_a_live_video_while_it_is_on_the_air():
    tube = PeerTube()
    (found,) = tube.read(video(1))
    assert (found.id, found.broadcast, found.status) == (VIDEO, VIDEO, "live")
    assert (found.viewers, found.views, found.started) == (7, 99, None)
    (waits,) = tube.read(video(4))
    assert (waits.status, waits.viewers) == ("upcoming", None)
    (over,) = tube.read(video(5))
    assert over.status == "upcoming"  # its end has no time
    for nothing in (video(2), video(1, isLive=False), video(None)):
        assert tube.read(nothing) == []
    (unknown,) = tube.read(video(1, viewers=None))
    assert unknown.viewers is None
    with pytest.raises(Unreadable):
        tube.read(video(1, uuid="x"))
    # One that is not there is an answer: RFC 7807, as PeerTube writes errors.
    gone = Answer(404, {}, b'{"status": 404, "title": "Not Found", "type": "about:blank"}')
    assert tube.evaluate(gone, 0.0).outcome == "answered"
    assert tube.read(gone.body) == []
    assert tube.request([VIDEO]) == (f"/api/v1/videos/{VIDEO}", [])
    assert tube.is_id(tube.an_id)

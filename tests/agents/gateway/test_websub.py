"""YouTube's WebSub: the hub's handshake, and hints that the poll follows."""

import pytest
from deliveries import FEED, NOW, delivery, endpoint
from pydantic import ValidationError

from agents.gateway.delivery import Delivery, Unreadable
from agents.gateway.heads import Head
from agents.gateway.poll_config import Poll
from agents.gateway.polling.following import Following
from agents.gateway.polling.platform import Found
from agents.gateway.rows import Channel, Subscription, decode_row, encode_row
from agents.gateway.sources import SOURCES, Verified
from agents.gateway.table import apply
from streams import rfc3339

SOURCE, POINT = SOURCES["youtube"], endpoint("youtube")
VIDEO = "dQw4w9WgXcQ"
POLL = Poll.model_validate(
    {"name": "videos", "source": "youtube", "endpoint": "youtube", "secret": {"env": "KEY"}}
)
TOPIC = "https%3A%2F%2Fwww.youtube.com%2Fxml%2Ffeeds%2Fvideos.xml%3Fchannel_id%3DUC1"


def asked(query):
    return SOURCE.read(Delivery("GET", (), query, b"", NOW), Verified(), POINT).answer


def read(body):
    return SOURCE.read(delivery([], body), Verified(), POINT).observations


def test_the_hub_is_told_yes_for_our_own_channels_alone():
    query = f"hub.mode=subscribe&hub.topic={TOPIC}&hub.challenge=c-1&hub.lease_seconds=432000"
    assert (asked(query).status, asked(query).body) == (200, b"c-1")
    assert asked(query.replace("%2Fxml%2Ffeeds", "%2Ffeeds")).status == 200
    for wrong in (
        query.replace("DUC1", "DUC2"),
        query.replace("subscribe", "unsubscribe"),
        query.replace("www.youtube.com", "www.example.org"),
        query.replace("videos.xml", "other.xml"),
        query.replace("c-1", ""),
        query.replace("c-1", "c" * 600),
        query.replace("https%3A", "https%3A%2F%2F%5B"),
        "",
    ):
        assert (asked(wrong).status, asked(wrong).body) == (404, b"")
    with pytest.raises(ValidationError, match="subscribed: is missing: ids of channels"):
        endpoint("youtube", subscribed=[])


def test_what_the_hub_says_of_a_subscription_is_written_down():
    def handshake(query):
        return SOURCE.read(Delivery("GET", (), query, b"", NOW), Verified(), POINT)

    query = f"hub.mode=subscribe&hub.topic={TOPIC}&hub.challenge=c-1&hub.lease_seconds=60"
    (held,) = handshake(query).observations
    assert (held.kind, held.channel, held.at) == ("subscribed", "UC1", NOW)
    assert held.until == NOW + rfc3339.MINUTE
    denied = handshake(f"hub.mode=denied&hub.topic={TOPIC}&hub.reason=no+such+feed")
    (refusal,) = denied.observations
    assert (refusal.kind, refusal.title) == ("denied", "no such feed")
    assert denied.answer.status == 200
    assert "UC1" in denied.warning
    # In whatever order they come, and however often: the newest of each counts.
    row = Channel(held.endpoint, held.platform, held.channel)
    for each in (refusal, held, refusal, held):
        assert apply(row, each) == []
    row = decode_row(encode_row(row))
    assert row.subscription == Subscription(
        begins=NOW, ends=held.until, denied=NOW, why="no such feed"
    )
    assert Head.of(row) is None
    for seconds in ("", "-1", "9" * 10, "1.5"):
        told = handshake(query.replace("seconds=60", f"seconds={seconds}"))
        assert (told.observations, told.answer.body) == ((), b"c-1")


def test_a_feed_names_videos_and_nothing_else_is_believed_of_it():
    (hint,) = read(FEED)
    assert (hint.channel, hint.kind, hint.at) == (VIDEO, "announced", NOW)
    assert (hint.broadcast, hint.started, hint.viewers) == (None, None, None)
    assert len(read(FEED.replace(b"</feed>", FEED[FEED.index(b" <entry>") :]))) == 1
    assert read(FEED.replace(b"<yt:videoId>dQw", b"<yt:videoId>../")) == []
    assert read(FEED[: FEED.index(b" <entry>")] + b"</feed>") == []  # as of a deletion
    doctype = FEED.replace(b"<feed", b'<!DOCTYPE a [<!ENTITY b "c">]><feed', 1)
    for body in (b"", b"{}", b"<feed/>", FEED[:-9], doctype, b"<?xml encoding='x'?><a/>"):
        with pytest.raises(Unreadable):
            read(body)


def test_what_is_announced_opens_nothing_and_is_looked_at_until_it_is_over():
    (hint,) = read(FEED)
    row = Channel(hint.endpoint, hint.platform, hint.channel)
    assert apply(row, hint) == apply(row, hint) == []
    assert row.open is None
    row = decode_row(encode_row(row))
    heads = {VIDEO: Head.of(row)}
    assert not heads[VIDEO].is_open
    following = Following(POLL)
    (target,) = following.targets([], heads, NOW)
    assert target.id == VIDEO
    # It is scheduled, then live, then over: then it is let go of.
    later = NOW + rfc3339.MINUTE
    assert following.take([VIDEO], [Found(VIDEO, "upcoming", VIDEO)], heads, later) == []
    assert len(following.targets([], heads, later)) == 1
    live = Found(VIDEO, "live", VIDEO, started=later, viewers=7)
    told = following.take([VIDEO], [live], heads, later)
    assert [each.kind for each in told] == ["started", "sample"]
    assert {each.endpoint for each in told} == {"youtube"}
    for each in told:
        apply(row, each)
    heads = {VIDEO: Head.of(row)}
    assert heads[VIDEO].is_open
    over = Found(VIDEO, "over", VIDEO, started=later, ended=later + 5)
    for each in following.take([VIDEO], [over], heads, later + rfc3339.MINUTE):
        apply(row, each)
    assert row.open is None
    heads = {VIDEO: Head.of(row)}
    assert following.targets([], heads, later + 2 * rfc3339.MINUTE) == []


def test_a_video_that_never_is_a_broadcast_is_asked_for_once():
    heads = {VIDEO: Head("", 0, 0, 0, NOW)}
    following = Following(POLL)
    assert following.take([VIDEO], [Found(VIDEO, "over", VIDEO)], heads, NOW) == []
    following.targets([], heads, NOW)
    following.take([VIDEO], [Found(VIDEO, "over", VIDEO)], heads, NOW)
    assert following.targets([], heads, NOW) == []
    # One of which nothing came is forgotten after a week.
    assert Following(POLL).targets([], heads, NOW + 8 * 86_400 * rfc3339.SECOND) == []

"""Signed deliveries of every source, made by libraries that are not ours where there is one."""

import base64
import datetime as dt
import hashlib
import hmac
import json

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from standardwebhooks import Webhook

from agents.gateway.config import Config
from agents.gateway.delivery import Delivery
from agents.gateway.sources import SOURCES
from streams import rfc3339

NOW = rfc3339.microseconds("2026-11-27T20:00:30Z")
NOW_S = NOW // 1_000_000

SECRET = b"a secret of some length"
STANDARD_SECRET = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LIVEKIT_SECRET = b"APIkey:livekit-secret-that-is-long-enough"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
SAMPLE = json.dumps(
    {"channel": "gallery", "type": "sample", "viewers": 12, "at": "2026-11-27T20:00:20Z"}
).encode()

MAPPING = {"channel": "channel", "kind": "type", "viewers": "viewers", "at": "at"}
OPTIONS = {
    "standard-webhooks": {"platform": "own", "mapping": MAPPING},
    "youtube": {"subscribed": ["UC1"]},
    "hmac": {
        "platform": "own",
        "mapping": MAPPING,
        "hmac": {
            "header": "X-Signature",
            "prefix": "sha256=",
            "id_header": "X-Id",
            "id_signed": True,
            "time_header": "X-Time",
        },
    },
}


def endpoint(source, **more):
    """An endpoint of a source, as the configuration has it."""
    places = (
        {"secrets": [{"env": "S"}]} if SOURCES[source].signed else {"path_secrets": [{"env": "S"}]}
    )
    if SOURCES[source].needs_path_secret:
        places["path_secrets"] = [{"env": "P"}]
    given = {"name": source, "source": source, **places, **OPTIONS.get(source, {}), **more}
    return Config.model_validate({"endpoint": [given]}).endpoint[0]


def delivery(headers, body, received=NOW):
    return Delivery("POST", [(name.lower(), v) for name, v in headers], "", body, received)


def standard(body=SAMPLE, identity="msg_1", at=NOW_S):
    when = dt.datetime.fromtimestamp(at, dt.UTC)
    signature = Webhook(STANDARD_SECRET.decode()).sign(identity, when, body.decode())
    return [
        ("webhook-id", identity),
        ("webhook-timestamp", str(at)),
        ("webhook-signature", signature),
    ], body


def plain_hmac(body=SAMPLE, identity="msg-1", at=NOW_S):
    signed = f"{identity}.{at}.".encode() + body
    return [
        ("x-id", identity),
        ("x-time", str(at)),
        ("x-signature", "sha256=" + hmac.new(SECRET, signed, "sha256").hexdigest()),
    ], body


LIVEKIT_BODY = json.dumps(
    {
        "event": "participant_joined",
        "room": {"sid": "RM_1", "name": "gallery", "creationTime": str(NOW_S - 600)},
        "participant": {"sid": "PA_1", "identity": "v", "permission": {"canPublish": False}},
        "id": "EV_1",
        "createdAt": str(NOW_S - 1),
    }
).encode()


def livekit(body=LIVEKIT_BODY, at=NOW_S):
    key, secret = LIVEKIT_SECRET.decode().split(":")
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    token = jwt.encode({"iss": key, "exp": at + 300, "sha256": digest}, secret, "HS256")
    return [("authorization", token)], body


MUX_BODY = json.dumps(
    {
        "type": "video.live_stream.active",
        "id": "evt-1",
        "created_at": "2026-11-27T20:00:00.000000Z",
        "data": {"id": "stream-1", "active_asset_id": "asset-1", "status": "active"},
    }
).encode()


def mux(body=MUX_BODY, at=NOW_S):
    signature = hmac.new(SECRET, f"{at}.".encode() + body, "sha256").hexdigest()
    return [("mux-signature", f"t={at},v1={signature}")], body


TWITCH_BODY = json.dumps(
    {
        "subscription": {"id": "s", "type": "stream.online", "version": "1"},
        "event": {
            "id": "9001",
            "broadcaster_user_id": "1337",
            "type": "live",
            "started_at": "2026-11-27T20:00:00Z",
        },
    }
).encode()


def twitch(body=TWITCH_BODY, identity="e76c6bd4-55c9-4987", at="2026-11-27T20:00:29.123456789Z"):
    signed = identity.encode() + at.encode() + body
    return [
        ("twitch-eventsub-message-id", identity),
        ("twitch-eventsub-message-timestamp", at),
        (
            "twitch-eventsub-message-signature",
            "sha256=" + hmac.new(SECRET, signed, "sha256").hexdigest(),
        ),
    ], body


KICK_BODY = json.dumps(
    {
        "broadcaster": {"user_id": 123, "username": "gallery", "channel_slug": "gallery"},
        "is_live": True,
        "title": "A night",
        "started_at": "2026-11-27T21:00:00+01:00",
        "ended_at": None,
    }
).encode()


def kick(body=KICK_BODY, identity="01ARZ3NDEKTSV4RRFFQ69G5FAV", at="2026-11-27T20:00:29Z"):
    signed = f"{identity}.{at}.".encode() + body
    signature = KEY.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    return [
        ("kick-event-message-id", identity),
        ("kick-event-message-timestamp", at),
        ("kick-event-signature", base64.b64encode(signature).decode()),
    ], body


META_BODY = json.dumps(
    {
        "object": "page",
        "entry": [
            {
                "id": "1001",
                "time": NOW_S - 10,
                "changes": [
                    {"field": "live_videos", "value": {"id": "2002", "status": "live"}},
                    {"field": "feed", "value": {"item": "status"}},
                ],
            }
        ],
    }
).encode()


def meta(body=META_BODY):
    signature = hmac.new(SECRET, body, "sha256").hexdigest()
    return [("x-hub-signature-256", f"sha256={signature}")], body


FEED = b"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:yt="http://www.youtube.com/xml/schemas/2015" xmlns="http://www.w3.org/2005/Atom">
 <link rel="hub" href="https://pubsubhubbub.appspot.com"/>
 <title>YouTube video feed</title>
 <entry>
  <id>yt:video:dQw4w9WgXcQ</id>
  <yt:videoId>dQw4w9WgXcQ</yt:videoId>
  <yt:channelId>UC1</yt:channelId>
  <title>A night</title>
  <published>2026-11-27T19:00:00+00:00</published>
 </entry>
</feed>
"""


def youtube(body=FEED):
    signature = hmac.new(SECRET, body, "sha1").hexdigest()
    return [("x-hub-signature", f"sha1={signature}")], body


#: Of each source that signs: what makes a delivery, and the secret that it is signed with.
SIGNED = {
    "standard-webhooks": (standard, STANDARD_SECRET),
    "hmac": (plain_hmac, SECRET),
    "livekit": (livekit, LIVEKIT_SECRET),
    "mux": (mux, SECRET),
    "twitch": (twitch, SECRET),
    "kick": (kick, PEM),
    "youtube": (youtube, SECRET),
    "meta": (meta, SECRET),
}

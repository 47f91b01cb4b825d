"""Where other workers find this one, and what of it is read."""

import socket

import pytest

from agents.serving.web.advertised import advertised_url
from agents.serving.web.owners import Told, _url


@pytest.mark.parametrize(
    ("host", "brokers", "url"),
    [
        ("127.0.0.1", ["localhost:9092"], "http://127.0.0.1:9630"),
        ("::1", [], "http://[::1]:9630"),
        ("worker-1.example.org", [], "http://worker-1.example.org:9630"),
        (
            "0.0.0.0",
            ["127.0.0.1:9092"],
            "http://127.0.0.1:9630",
        ),  # from where the broker is reached
        ("::", ["no.such.host.invalid:9092", "127.0.0.1:9092"], "http://127.0.0.1:9630"),
        ("0.0.0.0", [], f"http://{socket.gethostname()}:9630"),
    ],
)
def test_where_it_is_found(host, brokers, url):
    assert advertised_url("http", host, 9630, brokers) == url


def test_what_a_newer_worker_tells_more_is_passed_over():
    assert _url(Told("http://a:1").encode()) == "http://a:1"
    assert _url(b'{"url":"http://a:1","mood":"fine"}') == "http://a:1"
    for told in (None, b"", b"{}", b'{"url":5}', b"\xff"):
        assert _url(told) is None

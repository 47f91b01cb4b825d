"""What is missing to read all codecs is said before anything is read."""

import sys

import pytest

from agents.worker import run
from streams.errors import PackagesMissingError
from streams.exact.compression import CompressionError, missing_packages, open_reader
from streams.settings import Settings


def test_nothing_is_missing_here():
    assert missing_packages() == {}


def test_a_worker_without_one_says_which_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cramjam", None)
    with pytest.raises(PackagesMissingError, match=r"snappy.*pip install cramjam"):
        run(Settings())


def test_what_cannot_be_read_without_one_is_told_of(monkeypatch):
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    with pytest.raises(CompressionError, match="lz4"):
        open_reader(3, memoryview(b""))

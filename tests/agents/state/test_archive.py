"""State files: what goes in comes out, and a cut or changed one is noticed."""

import random

import msgspec
import pytest

from agents.state import parquet
from agents.state.archive import SECTIONS, Entry, Header
from agents.state.exporting import _sink, open_archive
from streams.errors import InputError, MisuseError

HEADER = Header("blue", "eu.", "2020-09-25T00:00:00+00:00", "eu.viewer-events", "id", 4, "murmur2")


def some_entries(count=200, seed=1):
    rng = random.Random(seed)
    return [
        Entry(
            rng.choice(SECTIONS),
            rng.randrange(4),
            rng.choice(["fliggy:é \U0001f600", "world", "a:" + "x" * 128, ""]).encode(),
            rng.randbytes(rng.choice([0, 1, 100, 5_000])),
        )
        for _ in range(count)
    ]


def written(path, entries, header=HEADER):
    with _sink(path, header) as sink:
        for entry in entries:
            sink.write(entry)
    return path


@pytest.fixture(params=[".jsonl", ".parquet"])
def path(request, tmp_path):
    return tmp_path / f"state{request.param}"


@pytest.mark.parametrize("count", [0, 1, 200])
def test_what_goes_in_comes_out(path, count):
    entries = some_entries(count)
    archive = open_archive(written(path, entries))
    assert archive.header == HEADER
    assert list(archive.entries()) == entries
    assert sum(archive.trailer.counts.values()) == count
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_both_kinds_have_one_sum(tmp_path):
    entries = some_entries()
    sums = set()
    for suffix in (".jsonl", ".parquet"):
        archive = open_archive(written(tmp_path / f"state{suffix}", entries))
        list(archive.entries())
        sums.add(archive.trailer.sha256)
    assert len(sums) == 1


def test_a_file_that_could_not_be_written_leaves_nothing(path):
    def fail():
        with _sink(path, HEADER) as sink:
            sink.write(some_entries(1)[0])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(path.parent.iterdir()) == []


def test_a_cut_file_is_noticed_wherever_it_is_cut(path):
    whole = written(path, some_entries(20)).read_bytes()
    rng = random.Random(2)
    for cut in sorted({*rng.sample(range(len(whole)), 60), 0, len(whole) - 1}):
        if whole[cut:] == b"\n":
            continue  # the last line is whole without its end
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError):
            list(open_archive(path).entries())


def test_lines_that_are_missing_swapped_or_doubled_are_noticed(tmp_path):
    path = written(tmp_path / "state.jsonl", some_entries(20))
    lines = path.read_bytes().splitlines(keepends=True)
    for changed in (
        [*lines[:5], *lines[6:]],
        [*lines[:5], lines[5], *lines[5:]],
        [*lines[:5], lines[6], lines[5], *lines[7:]],
        [*lines, lines[5]],
        [*lines[:-1], lines[5], lines[-1]],
    ):
        path.write_bytes(b"".join(changed))
        with pytest.raises(InputError):
            list(open_archive(path).entries())


def test_a_changed_file_is_noticed(path):
    whole = bytearray(written(path, some_entries(20)).read_bytes())
    rng = random.Random(3)
    entries = some_entries(20)
    for place in rng.sample(range(len(whole)), 60):
        changed = bytearray(whole)
        changed[place] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        try:
            found = list(open_archive(path).entries())
        except InputError:
            continue
        # A byte that says nothing, such as Parquet's own statistics: the state is the same.
        assert found == entries


def test_another_file_is_refused_in_words(path):
    path.write_text('{"platform": "fliggy"}\n')
    with pytest.raises(InputError, match=r"is no state of live-audience|cannot be read as Parquet"):
        open_archive(path)
    with pytest.raises(MisuseError, match=r"\.jsonl or \.parquet"):
        open_archive(path.with_suffix(".csv"))


def test_a_newer_version_s_is_refused(path):
    written(path, [], msgspec.structs.replace(HEADER, format=2))
    with pytest.raises(InputError, match="newer version"):
        open_archive(path)


def test_row_groups_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "GROUP_ENTRIES", 7)
    path = written(tmp_path / "state.parquet", some_entries(50))
    with open_archive(path)._open() as file:
        assert file.num_row_groups == 8
    monkeypatch.setattr(parquet, "GROUP_BYTES", 1)
    path = written(tmp_path / "state.parquet", some_entries(5))
    with open_archive(path)._open() as file:
        assert file.num_row_groups >= 3
    assert list(open_archive(path).entries()) == some_entries(5)

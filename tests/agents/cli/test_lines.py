import asyncio
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.cli.lines import blocks_of_lines


async def read(content):
    reading, writing = os.pipe()
    try:
        os.write(writing, content)
        os.close(writing)
        return [line async for lines, _ in blocks_of_lines(reading) for line in lines]
    finally:
        os.close(reading)


@settings(deadline=None)  # a machine that is busy is no fault
@given(st.lists(st.binary(max_size=20).filter(lambda line: not {10, 13} & set(line))))
def test_lines_come_back_as_they_were_written(lines):
    for end in (b"\n", b"\r\n"):
        written = b"".join(line + end for line in lines)
        assert asyncio.run(read(written)) == lines


async def test_last_line_needs_no_end():
    assert await read(b"a\nb") == [b"a", b"b"]


async def test_large_file_comes_in_blocks_that_cut_no_line(tmp_path):
    path = tmp_path / "lines"
    lines = [b"%d" % number * (number % 50) for number in range(30_000)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    with path.open("rb") as file:
        blocks = [block async for block in blocks_of_lines(file.fileno())]
    assert [line for block, _ in blocks for line in block] == lines
    assert len(blocks) > 2
    assert blocks[-1][1] == path.stat().st_size


async def test_slow_pipe_gives_what_is_there_and_the_loop_goes_on():
    reading, writing = os.pipe()
    blocks = blocks_of_lines(reading)
    os.write(writing, b"a\nb")
    assert await anext(blocks) == ([b"a"], 3)
    waiting = asyncio.ensure_future(anext(blocks))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    os.write(writing, b"c\n")
    assert await waiting == ([b"bc"], 5)
    os.close(writing)
    with pytest.raises(StopAsyncIteration):
        await anext(blocks)
    os.close(reading)


async def test_what_cannot_be_read_is_an_error(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(IsADirectoryError):
        await anext(blocks_of_lines(descriptor))
    os.close(descriptor)

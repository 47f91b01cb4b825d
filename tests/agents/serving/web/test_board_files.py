"""The board's files: whole, of one kind in each language, and nothing in them from elsewhere."""

import base64
import gzip
import hashlib
import re
from importlib.resources import files
from typing import get_args, get_type_hints

import pytest
from web_worker import Worker

from agents.serving.web.figures import BroadcastFigures, ScopeFigures

#: The client of these tests takes answers as they come.
PLAIN = {"Accept-Encoding": "identity"}

FOLDER = files("agents.serving") / "board"


def text(name):
    return FOLDER.joinpath(*name.split("/")).read_text("utf-8")


SCRIPTS = sorted(each.name for each in FOLDER.iterdir() if each.name.endswith(".js"))
LANGUAGES = sorted(each.name for each in (FOLDER / "words").iterdir() if each.name.endswith(".js"))


def words(name):
    """The words of one language, with the places that are filled in."""
    found = re.findall(r'^  (\w+): (".*"),$', text(f"words/{name}"), re.MULTILINE)
    return {key: sorted(re.findall(r"{(\w+)}", value)) for key, value in found}


@pytest.mark.parametrize("name", LANGUAGES)
def test_each_language_has_every_word_with_the_same_places_to_fill(name):
    assert words(name) == words("en.js")
    assert len(words(name)) == text(f"words/{name}").count("\n") - 2


def test_every_word_that_is_used_is_there_and_every_one_there_is_used():
    scripts = "".join(text(name) for name in SCRIPTS)
    used = set(re.findall(r'word\(\s*"(\w+)"', scripts))
    named = set(re.findall(r'"(\w+)"', scripts))
    known = set(words("en.js"))
    assert used <= known
    # Some are chosen by a value, such as `legendHole` by the state of a minute.
    made = {f"legend{state}" for state in ("Observed", "Carried", "Hole", "Waiting", "Corrected")}
    assert known - named - made - {"language"} <= {"platform", "venue", "programme"}


def test_what_comes_from_others_is_what_its_sums_say():
    for line in text("vendor/SHA384SUMS").splitlines():
        digest, _, name = line.partition("  ")
        body = FOLDER.joinpath("vendor", name).read_bytes()
        assert hashlib.sha384(body).hexdigest() == digest, f"{name}: run deploy/board"
        integrity = base64.b64encode(hashlib.sha384(body).digest()).decode()
        assert f'"board/vendor/{name}" integrity="sha384-{integrity}"' in text("index.html")
    assert "MIT" in text("vendor/uplot.LICENSE")


def test_the_board_asks_nobody_else_and_makes_no_text_into_markup():
    own = {name: text(name) for name in [*SCRIPTS, "index.html", "board.css"]}
    for name, content in own.items():
        addresses = re.findall(r"(?:https?:)?//[\w.]+\.\w+", content)
        assert set(addresses) <= {"http://www.w3.org"}, name  # the name of SVG, which nobody loads
        for forbidden in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ):
            assert forbidden not in content, name


async def test_every_file_that_the_page_names_is_served_and_is_kept_by_the_browser():
    async with Worker() as worker:
        answer, body = await worker.get("/", **PLAIN)
        assert answer.content_type == "text/html"
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        wanted = set(re.findall(r'(?:href|src)="(board/[^"]+)"', body.decode()))
        seen = set()
        while wanted - seen:
            name = (wanted - seen).pop()
            seen.add(name)
            answer, body = await worker.get(f"/{name}", **PLAIN)
            _, short = await worker.get(f"/{name}", **{"Accept-Encoding": "br, gzip"})
            assert gzip.decompress(short) == body
            assert answer.headers["Content-Security-Policy"] == policy
            folder = name.rpartition("/")[0]
            for other in re.findall(r'from "\./([^"]+)"', body.decode()):
                wanted.add(f"{folder}/{other}")
            again, nothing = await worker.get(
                f"/{name}", 304, **{"If-None-Match": answer.headers["ETag"]}
            )
            assert not nothing
            assert again.headers["ETag"] == answer.headers["ETag"]
        assert {name.rpartition("/")[2] for name in seen} >= {*SCRIPTS, *LANGUAGES, "uplot.js"}


@pytest.mark.parametrize("name", ["nothing.js", "vendor/SHA384SUMS", "../web/board.py", "%2e%2e/x"])
async def test_nothing_else_is_served(name):
    async with Worker() as worker:
        await worker.get(f"/board/{name}", 404)


def test_the_board_knows_which_figures_may_be_null():
    script = text("live.js")

    def named(name):
        written = script.partition(f"const {name} = nulls(")[2].partition(");")[0]
        return set(" ".join(re.findall('"([^"]*)"', written)).split())

    for name, struct in (("BROADCAST", BroadcastFigures), ("SCOPE", ScopeFigures)):
        hints = get_type_hints(struct)
        assert named(name) == {each for each, hint in hints.items() if type(None) in get_args(hint)}

"""How much of the system an answer has seen."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class Missing(msgspec.Struct, gc=False):
    """A partition that the answer says nothing of."""

    partition: int
    why: Annotated[str, Meta(description="For people.")]


class Coverage(msgspec.Struct, gc=False):
    """How much of the system the answer has seen: it is whole where nothing is missing."""

    answered: Annotated[list[int], Meta(description="The partitions whose owners answered.")]
    missing: Annotated[list[Missing], Meta(description="The others, and why each is missing.")]


def coverage(answered: set[int], missing: dict[int, str]) -> Coverage:
    """What to say of the partitions that answered, and of those that did not."""
    return Coverage(
        sorted(answered), [Missing(partition, missing[partition]) for partition in sorted(missing)]
    )

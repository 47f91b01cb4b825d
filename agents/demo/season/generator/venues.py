"""The season's venues: made-up names, a few of them far better known than the rest."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random

_WHERE: Final = (
    *("amber", "bamboo", "cedar", "coral", "crane", "dragon-gate", "east-hill", "golden-bridge"),
    *("green-lake", "high-tower", "iron-gate", "jade-river", "lantern", "lotus", "moon-bay"),
    *("north-wall", "old-canal", "pearl", "pine-ridge", "plum-garden", "red-cliff", "silk-road"),
    *("south-market", "star-island", "stone-forest", "west-shore"),
)
_WHAT: Final = (
    *("museum", "palace", "gallery", "gardens", "temple", "old-town", "aquarium", "observatory"),
    *("zoo", "national-park", "theatre", "science-centre", "archive", "harbour", "grottoes"),
)
#: Prime to the number of names, so that a step through them in a ring comes by all of them.
_STEP: Final = 97
_NAMES: Final = [f"{where}-{what}" for where in _WHERE for what in _WHAT]
VENUES: Final = tuple(_NAMES[rank * _STEP % len(_NAMES)] for rank in range(len(_NAMES)))
"""All of them, from those that are on most often to those that hardly are."""

#: How fast they fall off: the n-th is on 1 / (n + _HEAD) ** _FALL as often.
_FALL: Final = 0.8
_HEAD: Final = 6
_BY_FAME: Final = list(accumulate((rank + _HEAD) ** -_FALL for rank in range(len(VENUES))))
#: The known ones are also watched more: by up to so much.
_FAME: Final = 4.0


def venue(rng: random.Random) -> tuple[str, float]:
    """Return a venue, and how much it is watched: 1 for the least known."""
    (rank,) = rng.choices(range(len(VENUES)), cum_weights=_BY_FAME)
    return VENUES[rank], 1.0 + (_FAME - 1.0) * _HEAD / (rank + _HEAD)

"""What to do where state and topics do not go together: said by refusals and by `topics check`."""

from __future__ import annotations

from typing import Final

from streams.exact.settings import Remedies

#: Where the operator reads more.
GUIDE: Final = "docs/operations.md"

#: How the state is built again, and what that can and cannot give.
REBUILD: Final = (
    "build the state again under another AUDIENCE_GROUP, with an AUDIENCE_OUTPUT_PREFIX of its own "
    "or `live-audience topics create --take-over`. It knows only the events that the topic still "
    "holds: broadcasts whose beginning is gone are counted and not published, and the scopes leave "
    f"out what is gone ({GUIDE})"
)

#: The internal topics are one state.
_NOT_ALONE: Final = (
    "Never delete one internal topic alone: the scopes would count twice, and refused records "
    "would be refused again"
)

GROWN: Final = (
    "stop all workers, then `live-audience state repartition` with AUDIENCE_PARTITIONS set to what "
    "it has now moves the rows along, and nothing is lost"
)

REMEDIES: Final = Remedies(
    anew=f"{REBUILD}. {_NOT_ALONE}",
    grown=GROWN,
    moving=(
        "run the same `live-audience state import` or `state repartition` again, it goes on where "
        "it was"
    ),
)

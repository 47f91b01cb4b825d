"""What part of the records comes to what."""

from __future__ import annotations

from typing import Final

from boards.queries import rate

_READ: Final = f"sum({rate('audience_events_total')})"


def share(outcome: str) -> str:
    """Return the part of the records read that come to this; none where nothing is read.

    Nothing has been rejected where no such series is there yet: that is 0, not unknown.

    Args:
        outcome: A value of the label.
    """
    matcher = f'outcome="{outcome}"'
    rejected = f"sum({rate('audience_events_total', matcher)})"
    return f"({rejected} or 0 * {_READ}) / ({_READ} > 0)"

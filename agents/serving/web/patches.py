"""What has changed between two states, as a JSON Merge Patch (RFC 7396)."""

from __future__ import annotations

from typing import Any


def merge_patch(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What makes one object of another.

    An empty one says that nothing has changed. What is null afterwards is deleted by the patch, as
    RFC 7396 has it: so absent and null mean the same to whoever applies it.
    """
    patch: dict[str, Any] = dict.fromkeys(before.keys() - after.keys())
    for name, value in after.items():
        old = before.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            inner = merge_patch(old, value)
            if inner:
                patch[name] = inner
        elif old != value:
            patch[name] = value
    return patch

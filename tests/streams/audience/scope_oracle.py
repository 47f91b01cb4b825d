"""What all scopes must come to, by the arithmetic's twin over their broadcasts."""

from collections import defaultdict

from twin import scope_summary


def scopes(twins):
    """Summaries by the scope's name, of twins by their broadcast's key."""
    members = defaultdict(list)
    for key, twin in twins.items():
        first = twin.first()
        members["world"].append(twin)
        members["platform:" + key.decode().partition(":")[0]].append(twin)
        members["venue:" + (first.venue or "unknown")].append(twin)
        if first.programme is not None:
            members["programme:" + first.programme].append(twin)
    return {
        name: scope_summary(*name.partition(":")[::2], members) for name, members in members.items()
    }

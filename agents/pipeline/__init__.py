"""The two stages: viewer events to broadcasts, deltas of broadcasts to scopes."""

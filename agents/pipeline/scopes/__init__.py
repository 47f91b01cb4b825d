"""Stage two: the agent that adds up what broadcasts change in their scopes."""

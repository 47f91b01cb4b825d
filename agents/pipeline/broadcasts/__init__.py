"""Stage one: the agent that keeps broadcasts, and what it says of them."""

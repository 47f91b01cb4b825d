"""A whole season through the real system: 36,000 broadcasts, 520 million views, in minutes."""

from agents.demo.season.show import run

__all__ = ["run"]

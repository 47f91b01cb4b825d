"""The whole system on one machine, on the museums' broadcasts of 2020 and a real trace."""

from agents.demo.input import events, write
from agents.demo.show import run

__all__ = ["events", "run", "write"]

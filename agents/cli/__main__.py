"""`python -m agents.cli` is `live-audience`."""

from agents.cli import main

main()

"""Fliggy's season of 2020, made to fit its published totals: see `README.md` beside this file.

    season = Season(seed=2020)              # 36,000 broadcasts, 520,000,000 views
    for key, value, sent in season.records():
        ...                                 # in the order in which they were sent

The same seed gives the same records. They are made as they are asked for: what is kept in memory is
one small plan for each broadcast, and the records of those that are live.
"""

from agents.demo.season.generator.season import BROADCASTS, SEED, VIEWS, Season

__all__ = ["BROADCASTS", "SEED", "VIEWS", "Season"]

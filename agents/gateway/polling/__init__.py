"""Polls platforms for what they never push: how many are watching.

    table of open broadcasts ─┐
    configuration ────────────┴▶ following ─▶ schedule, within the budget ─▶ platform's API
                                    ▲                                             │
    gateway-observations ◀──────────┴──────────────── what an answer says ◀───────┘

Schedule, budget, back-off and following are pure: no clock, no asyncio. What is found goes the way
of webhooks: into `gateway-observations`, and from there through the table of open broadcasts.
"""

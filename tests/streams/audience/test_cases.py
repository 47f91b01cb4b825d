"""Each public complaint of the cases gives the figures that it must, in batches and one by one."""

import pytest
from contract.test_cases import CASES, HOUR, records
from system import System


def check(case, system):
    assert set(system.published) == set(case["broadcasts"])
    for key, figures in case["broadcasts"].items():
        assert {name: system.published[key][name] for name in figures} == figures, key
        assert system.published[key]["status"] == "final"
    for name, figures in case.get("scopes", {}).items():
        scope = system.scope(name)
        assert {figure: scope[figure] for figure in figures} == figures, name


@pytest.mark.parametrize("each", [1, 7, 10**6])
@pytest.mark.parametrize("name", CASES)
def test_a_case(name, each):
    case = CASES[name]
    system = System(case.get("settings"))
    now = 0
    for number, record in enumerate(records(case)):
        now = max(now, record.read_at)
        if number % each == 0:
            system.advance(now)
        system.feed(record)
    system.end_batch()
    for scope, viewers in case.get("viewers_while_live", {}).items():
        assert system.scope(scope)["viewers"] == viewers, scope
    for hours in (1, 25):
        system.advance(now + hours * HOUR)
        check(case, system)

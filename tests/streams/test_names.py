"""Names of different deployments never meet, whatever their prefixes and groups are."""

import string

from hypothesis import example, given
from hypothesis import strategies as st

from streams.names import Names
from streams.settings import Settings

# Pieces of our own names, so that what could be taken for another deployment's is likely.
PIECES = st.sampled_from(
    [
        *("a", "b", ".", "..", "-", "_", "x", "0", "1"),
        *("audience", "audience.", ".audience", "group", "scopes", "-scopes", ".scopes"),
        *(
            "broadcasts",
            "broadcasts.",
            "viewer-events",
            "-rejected",
            "scope-deltas",
            ".scope-deltas",
        ),
        *("output-owner", "scope-summaries", "broadcast-summaries", "changelog", "check", "state"),
    ]
)
TEXTS = st.lists(PIECES, max_size=6).map("".join)
PREFIXES = TEXTS.filter(lambda text: len(text) <= 100)
GROUPS = TEXTS.map(lambda text: text.replace(".", "-")).filter(lambda text: 0 < len(text) <= 100)


def names(prefix, group, outputs=""):
    # Through the settings, so that what they refuse is never tried.
    return Names.of(Settings(topic_prefix=prefix, group=group, output_prefix=outputs))


def own_topics(of):
    return {of.broadcasts_changelog, of.scope_deltas, of.scopes_changelog}


def outside_topics(of):
    return {
        of.events,
        of.rejected,
        of.broadcast_summaries,
        of.broadcast_minutes,
        of.scope_summaries,
        of.output_owner,
    }


def groups(of):
    return {of.broadcasts_group, of.scopes_group}


def transactional_ids(of):
    stages = {f"{group}.{number}" for group in groups(of) for number in (0, 1, 10, 9_999)}
    return {*stages, of.check_transaction, of.state_transaction}


@given(PREFIXES, GROUPS, PREFIXES, GROUPS)
@example("", "x", "", "x-scopes")
@example("a.", "b", "", "a-b")
@example("a", "b", "", "ab")
@example("", "a", "audience.a.", "a")
@example("", "scopes", "", "broadcasts")
def test_what_is_a_deployments_own_is_no_other_s(prefix, group, other_prefix, other_group):
    mine, other = names(prefix, group), names(other_prefix, other_group)
    if (prefix, group) == (other_prefix, other_group):
        assert mine == other
        return
    assert not own_topics(mine) & own_topics(other)
    assert not groups(mine) & groups(other)
    assert not transactional_ids(mine) & transactional_ids(other)
    # One access rule for a deployment covers nothing of another's.
    whole = f"{mine.deployment}."
    if prefix == other_prefix:
        theirs = own_topics(other) | groups(other) | transactional_ids(other)
        assert not [name for name in theirs if name.startswith(whole)]


@given(PREFIXES, GROUPS, PREFIXES, PREFIXES, GROUPS, PREFIXES)
def test_what_is_a_deployments_own_is_no_outside_topic(
    prefix, group, outputs, other_prefix, other_group, other_outputs
):
    mine = names(prefix, group, outputs)
    other = names(other_prefix, other_group, other_outputs)
    assert not own_topics(mine) & outside_topics(other)
    assert mine.owner_transaction not in transactional_ids(other)
    assert len(outside_topics(mine)) == 6


@given(PREFIXES, GROUPS, PREFIXES, PREFIXES)
def test_outputs_under_another_prefix_are_others(prefix, group, one, two):
    mine, other = names(prefix, group, one), names(prefix, group, two)
    outputs = [outside_topics(each) - {each.events} for each in (mine, other)]
    assert (outputs[0] == outputs[1]) == bool((one or prefix) == (two or prefix))
    if (one or prefix) != (two or prefix):
        assert not outputs[0] & outputs[1]


def test_the_longest_that_the_settings_allow_are_names_that_kafka_takes():
    longest = names("p" * 100, "g" * 100, "o" * 100)
    allowed = set(string.ascii_letters + string.digits + "._-")
    for name in own_topics(longest) | outside_topics(longest) | groups(longest):
        assert len(name) <= 249
        assert set(name) <= allowed


def test_all_that_is_a_deployments_own_has_one_prefix():
    mine = names("eu.", "blue")
    assert mine.deployment == "eu.audience.blue"
    for name in own_topics(mine) | groups(mine) | transactional_ids(mine):
        assert name.startswith("eu.audience.blue.")

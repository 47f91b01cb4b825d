def test_the_commands_are_printed_with_the_names_of_the_settings(call):
    result = call("acls", "--set", "AUDIENCE_GROUP=g", "--principal", "User:w")
    assert result.exit_code == 0
    assert "'User:w'" in result.output
    assert "--transactional-id audience.g. --resource-pattern-type prefixed\n" in result.output


def test_those_of_a_gateway_are_its_own_alone(call):
    result = call("acls", "--gateway", "--set", "AUDIENCE_GROUP=g", "--principal", "User:w")
    assert result.exit_code == 0
    assert len(result.output.splitlines()) == 5
    assert "--transactional-id audience.g.gateway --resource-pattern-type" in result.output
    assert "--operation Write --topic viewer-events\n" in result.output
    assert "audience.g. " not in result.output

def test_the_commands_are_printed_with_the_names_of_the_settings(call):
    result = call("acls", "--set", "AUDIENCE_GROUP=g", "--principal", "User:w")
    assert result.exit_code == 0
    assert "'User:w'" in result.output
    assert "--transactional-id audience.g. --resource-pattern-type prefixed\n" in result.output

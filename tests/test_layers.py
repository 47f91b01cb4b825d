"""Who may import whom: the way of an event is the way down the folders, and nothing goes round."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: From the top down: a part imports only from parts further down, or from itself.
LAYERS = (
    "agents.cli",
    "agents.demo",
    "agents.gateway",
    "agents.worker",
    "agents.state",
    "agents.app",
    "agents.pipeline.scopes",
    "agents.pipeline",
    "agents.pipeline.broadcasts",
    "agents.serving.web",
    "agents.serving.metrics",
    "agents.serving.live",
    "agents.topics",
    "agents.alerts",
    "agents.broker",
    "agents.kafka",
    "agents.security",
    "agents.logs",
    "agents",
    "streams.exact",
    "streams",
    "streams.settings",
    "streams.audience",
)
#: The parts of `streams` lie side by side: what they share is in its loose modules.
BESIDE = {("streams", "streams.settings"), ("streams", "streams.audience")}
#: Whose parts know each other's types, though at run time they import each other one way only.
KNOWN_BY_TYPE = ("streams.audience", "agents.gateway")


def for_types(tree):
    """The nodes that only a type checker sees."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for inner in node.body:
                yield from ast.walk(inner)


def modules(*, types=True):
    """Every module's name and what it imports of ours, with or without what is for types alone."""
    files = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for part in ("streams", "agents")
        for file in (ROOT / part).rglob("*.py")
    }
    found = {}
    for name, file in files.items():
        targets = set()
        tree = ast.parse(file.read_text("utf-8"))
        unseen = set() if types else set(for_types(tree))
        for node in ast.walk(tree):
            if node in unseen:
                continue
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    targets.add(inner if inner in files else node.module)
            elif isinstance(node, ast.Import):
                targets.update(alias.name for alias in node.names)
        found[name] = (targets & files.keys()) - {name}
    return found


def part_of(module):
    """The longest part that a module belongs to."""
    parts = module.split(".")
    for end in range(len(parts), 0, -1):
        if (part := ".".join(parts[:end])) in LAYERS:
            return part
    raise AssertionError(f"{module} belongs to no layer: give it a place in LAYERS")


def wrong_way(imports):
    """The imports that go up."""
    return sorted(
        f"{module} imports {target}"
        for module, targets in imports.items()
        for target in targets
        if (pair := (part_of(module), part_of(target)))[0] != pair[1]
        and LAYERS.index(pair[0]) > LAYERS.index(pair[1])
        and (pair[1], pair[0]) not in BESIDE
    )


def circles(imports):
    """The sets of modules that reach each other."""
    reach = {module: set(targets) for module, targets in imports.items()}
    changed = True
    while changed:
        changed = False
        for targets in reach.values():
            more = set().union(*(reach[target] for target in targets)) - targets
            if more:
                targets.update(more)
                changed = True
    return {
        frozenset(other for other in targets if module in reach[other])
        for module, targets in reach.items()
        if module in targets
    }


def test_imports_go_down_the_layers():
    assert wrong_way(modules()) == []


def test_no_modules_import_each_other_in_a_circle():
    assert circles(modules(types=False)) == set()


def test_nor_do_they_for_their_types():
    assert [
        sorted(circle)
        for circle in circles(modules())
        if not any(all(module.startswith(part) for module in circle) for part in KNOWN_BY_TYPE)
    ] == []


def test_what_is_for_types_is_told_from_the_rest():
    module = "agents.pipeline.listeners"
    assert "agents.serving.live" in modules()[module] - modules(types=False)[module]
    assert "streams.exact" in modules(types=False)[module]


def test_a_wrong_import_is_found():
    imports = modules()
    imports["agents.kafka"] = imports["agents.kafka"] | {"agents.serving.web.server"}
    assert wrong_way(imports) == ["agents.kafka imports agents.serving.web.server"]


def test_a_circle_is_found():
    imports = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert circles(imports) == {frozenset("abc")}


def test_a_module_without_a_layer_is_found():
    with pytest.raises(AssertionError, match="belongs to no layer"):
        part_of("elsewhere.module")

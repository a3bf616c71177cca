from __future__ import annotations

from retest.suites.yaml_nodes import ScalarNode, find, locate, plain
from retest.suites.yaml_reader import read_yaml

TREE = read_yaml("名前: x\nlist:\n  - {a: 1}\n  - [2, 3]\n'quoted': ~\n", "f.yaml")


def test_values_and_keys_know_their_places() -> None:
    """A path leads to the place of the value, or of the key."""
    assert str(locate(TREE, ("list", 0, "a"))) == "f.yaml:3:9"
    assert str(locate(TREE, ("list", 0, "a"), key=True)) == "f.yaml:3:6"
    assert str(locate(TREE, ("名前",))) == "f.yaml:1:5"


def test_a_path_that_leads_nowhere_gives_its_deepest_part() -> None:
    """What a message is about may be missing; the place is then that of its parent."""
    assert str(locate(TREE, ("list", 1, 7, "x"))) == "f.yaml:4:5"


def test_find_returns_nodes_and_none() -> None:
    """A node is found by keys and positions; a wrong step finds nothing."""
    node = find(TREE, ("list", 1, 1))
    assert isinstance(node, ScalarNode)
    assert node.value == 3
    assert find(TREE, ("list", 9)) is None
    assert find(TREE, ("名前", "x")) is None


def test_plain_gives_dicts_lists_and_scalars() -> None:
    """The tree becomes ordinary data in the file's order."""
    assert plain(TREE) == {"名前": "x", "list": [{"a": 1}, [2, 3]], "quoted": None}

"""Which variables a template cannot do without."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from jinja2 import nodes

_DEFAULTING = frozenset({"default", "d"})
_ASKING = frozenset({"defined", "undefined"})

IncludedNames = Callable[[nodes.Include], Iterable[str]]


def certain_names(node: nodes.Node, included: IncludedNames) -> Iterator[str]:
    """Yield the names that every render of `node` looks up, wherever defined.

    Left out is what only some renders reach (a branch, a loop's body, the right side of ``and``) and what is asked for
    under ``default`` or ``is defined``.
    """
    if isinstance(node, nodes.Name):
        if node.ctx == "load":
            yield node.name
        return
    if isinstance(node, nodes.Include):
        yield from included(node)
        return
    for child in _certain_children(node):
        yield from certain_names(child, included)


def _certain_children(node: nodes.Node) -> Iterable[nodes.Node]:
    if _is_guard(node):
        return node.iter_child_nodes(exclude=("node",))
    if isinstance(node, nodes.If | nodes.CondExpr):
        return [node.test]
    if isinstance(node, nodes.And | nodes.Or):
        return [node.left]
    if isinstance(node, nodes.For):
        return [node.iter]
    if isinstance(node, nodes.Macro | nodes.CallBlock):
        return []
    return node.iter_child_nodes()


def _is_guard(node: nodes.Node) -> bool:
    """Return whether the node asks for a plain name that may be absent."""
    if isinstance(node, nodes.Filter):
        return node.name in _DEFAULTING and isinstance(node.node, nodes.Name)
    return isinstance(node, nodes.Test) and node.name in _ASKING and isinstance(node.node, nodes.Name)

"""Rewrites parsed templates, so that each place that makes, compares or repeats values asks the environment.

Nothing is computed while a template is parsed and compiled: Jinja2's optimizer is off, literal text is an expression as others are, and
`finalize` wants the context, which keeps the compiler from printing constants ahead (compiler.py, `_make_finalize`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from xmpp_rest.service.hooks.sandbox.errors import BadTemplate

REFUSED = (
    nodes.Block, nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport, nodes.EvalContextModifier, nodes.ScopedEvalContextModifier,
)  # fmt: skip
"""What needs other templates, or would change how text is escaped."""


def rewritten(tree: nodes.Template) -> nodes.Template:
    """The tree with calls of the environment in it. Raises BadTemplate."""
    found = next(tree.find_all(REFUSED), None)
    if found is not None:
        raise BadTemplate(f"{type(found).__name__.lower()} is not possible in these templates", found.lineno)
    _Rewriter().visit(tree)
    return tree


def _asks(name: str, node: nodes.Node, *args: nodes.Node) -> nodes.Call:
    """A call of the environment's method `name`."""
    return nodes.Call(nodes.EnvironmentAttribute(name), list(args), [], None, None, lineno=node.lineno)


class _Rewriter(NodeTransformer):
    """Replaces nodes from the leaves up."""

    def __init__(self) -> None:
        self._replaced: dict[type[nodes.Node], Callable[[Any], nodes.Node]] = {
            nodes.TemplateData: lambda node: nodes.Const(node.data, lineno=node.lineno),
            nodes.Concat: lambda node: _asks("joined", node, *node.nodes),
            nodes.List: lambda node: _asks("made", node, node),
            nodes.Dict: lambda node: _asks("made", node, node),
            nodes.Tuple: lambda node: node if node.ctx == "store" else _asks("made", node, node),
            nodes.Pair: _key,
            nodes.For: _loop,
            nodes.Getitem: _part,
            nodes.Compare: _comparison,
            nodes.Call: _call,
        }

    def get_visitor(self, node: nodes.Node) -> Callable[[nodes.Node], nodes.Node] | None:
        """What to do with a node: first its children, then itself."""
        replaced = self._replaced.get(type(node))
        return None if replaced is None else lambda node: replaced(self.generic_visit(node))


def _key(node: nodes.Pair) -> nodes.Node:
    node.key = _asks("key", node, node.key)
    return node


def _loop(node: nodes.For) -> nodes.Node:
    node.iter = _asks("looped", node, node.iter)
    return node


def _part(node: nodes.Getitem) -> nodes.Node:
    if not isinstance(node.arg, nodes.Slice):
        return node
    parts = (node.arg.start, node.arg.stop, node.arg.step)
    return _asks("sliced", node, node.node, *(nodes.Const(None, lineno=node.lineno) if part is None else part for part in parts))


def _comparison(node: nodes.Compare) -> nodes.Node:
    node.expr = _asks("compared", node, node.expr)
    for operand in node.ops:
        operand.expr = _asks("searched" if operand.op in ("in", "notin") else "compared", node, operand.expr)
    return node


def _call(node: nodes.Call) -> nodes.Node:
    """A method is called by the environment: the name of its member alone gives no method."""
    if isinstance(node.node, nodes.Getattr):
        owner, name = node.node.node, node.node.attr
        node.args = [owner, nodes.Const(name, lineno=node.lineno), *node.args]
        node.node = nodes.EnvironmentAttribute("method")
    return node

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
            nodes.Filter: _filter_or_test,
            nodes.Test: _filter_or_test,
        }

    def get_visitor(self, node: nodes.Node) -> Callable[[nodes.Node], nodes.Node] | None:
        """What to do with a node: first its children, then itself."""
        replaced = self._replaced.get(type(node))
        return None if replaced is None else lambda node: replaced(self.generic_visit(node))


def _key(node: nodes.Pair) -> nodes.Node:
    return nodes.Pair(_asks("key", node, node.key), node.value, lineno=node.lineno)


def _loop(node: nodes.For) -> nodes.Node:
    items = _asks("looped", node, node.iter)
    return nodes.For(node.target, items, node.body, node.else_, node.test, node.recursive, lineno=node.lineno)


def _part(node: nodes.Getitem) -> nodes.Node:
    if not isinstance(node.arg, nodes.Slice):
        return node
    parts = (node.arg.start, node.arg.stop, node.arg.step)
    return _asks("sliced", node, node.node, *(nodes.Const(None, lineno=node.lineno) if part is None else part for part in parts))


def _comparison(node: nodes.Compare) -> nodes.Node:
    operands = [
        nodes.Operand(each.op, _asks("searched" if each.op.endswith("in") else "compared", node, each.expr), lineno=node.lineno)
        for each in node.ops
    ]
    return nodes.Compare(_asks("compared", node, node.expr), operands, lineno=node.lineno)


def _starred(node: nodes.Call | nodes.Filter | nodes.Test) -> nodes.Node | None:
    """The `values` of `*values`, counted as steps of a loop before there is a tuple of them."""
    return None if node.dyn_args is None else _asks("looped", node, node.dyn_args)


def _filter_or_test(node: nodes.Filter | nodes.Test) -> nodes.Node:
    return type(node)(node.node, node.name, node.args, node.kwargs, _starred(node), node.dyn_kwargs, lineno=node.lineno)


def _call(node: nodes.Call) -> nodes.Node:
    """A method is called by the environment: the name of its member alone gives no method."""
    called, args = node.node, node.args
    if isinstance(called, nodes.Getattr):
        args = [called.node, nodes.Const(called.attr, lineno=node.lineno), *args]
        called = nodes.EnvironmentAttribute("method")
    return nodes.Call(called, args, node.kwargs, _starred(node), node.dyn_kwargs, lineno=node.lineno)

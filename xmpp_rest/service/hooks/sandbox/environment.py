"""Compiles and renders templates."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jinja2 import ChainableUndefined, Template, TemplateSyntaxError, nodes, pass_context
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Cycler, Joiner, Namespace

from xmpp_rest.service.hooks.sandbox import values
from xmpp_rest.service.hooks.sandbox.budget import LOOPS, OUTPUT, Budget, Unbounded
from xmpp_rest.service.hooks.sandbox.errors import BadTemplate, TemplateFailed
from xmpp_rest.service.hooks.sandbox.filters import bounded_filters, bounded_tests
from xmpp_rest.service.hooks.sandbox.methods import call_method
from xmpp_rest.service.hooks.sandbox.operators import OPERATORS
from xmpp_rest.service.hooks.sandbox.rewriting import rewritten

ATTRIBUTES: tuple[tuple[type, frozenset[str]], ...] = (
    (
        LoopContext,
        frozenset(["index", "index0", "first", "last", "length", "revindex", "revindex0", "depth", "depth0", "previtem", "nextitem"]),
    ),
    (Macro, frozenset({"name", "arguments", "caller", "catch_kwargs", "catch_varargs"})),
    (Cycler, frozenset({"current"})),
    (tuple, frozenset({"grouper", "list"})),  # what groupby gives
)
"""Attributes that can be read, besides members of dicts and of namespaces."""
ARGUMENT = 64
"""Bytes of an argument: its place and a number there."""


class _Rendering(threading.local):
    """The budget of what is rendered in this thread."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget

    def begin(self, budget: Budget) -> None:
        """Count from now on in this one."""
        self.budget = budget


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Jinja2's immutable sandbox, in which values are those of JSON, and all that is made, repeated or compared is counted (Budget).

    Templates are compiled from a tree in which such places call the methods below (`rewriting`). One rendering in a thread at a time.
    """

    intercepted_binops = frozenset(OPERATORS)

    def __init__(self, slack: Callable[[str], str]) -> None:
        """`slack`: the filter of this name, Slack's markup as text."""
        self._now = _Rendering(Unbounded())
        super().__init__(undefined=ChainableUndefined, optimized=False, finalize=self._printed, cache_size=0)
        self.filters.clear()
        self.filters.update(bounded_filters(lambda: self.budget, slack))
        self.tests.clear()
        self.tests.update(bounded_tests(lambda: self.budget))
        self.globals = {
            "range": self._range,
            "dict": self._dict,
            "namespace": self._namespace,
            "cycler": self._cycler,
            "joiner": self._joiner,
        }

    @property
    def budget(self) -> Budget:
        """That of the rendering in this thread."""
        return self._now.budget

    def compiled(self, source: str) -> Template:
        """A template, ready to be rendered. Raises BadTemplate."""
        try:
            return self.from_string(source)
        except TemplateSyntaxError as error:
            raise BadTemplate(str(error.message or "cannot be parsed"), error.lineno) from None
        except (SyntaxError, RecursionError, MemoryError, ValueError, OverflowError):  # of the code that Jinja2 has written
            raise BadTemplate("too many things in each other, or too large a number") from None

    def rendered(self, template: Template, names: Mapping[str, Any], bounded: bool = True) -> str:
        """What the template says. Raises TemplateFailed. `bounded`: whether it may be anybody's."""
        self._now.begin(Budget() if bounded else Unbounded())
        try:
            return "".join(_up_to(OUTPUT if bounded else sys.maxsize, template.root_render_func(template.new_context(dict(names)))))
        except TemplateFailed:
            raise
        except Exception as error:  # of whatever the template has done
            raise TemplateFailed(f"{type(error).__name__}: {str(error)[:200]}") from None

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = rewritten(super()._parse(source, name, filename))
        tree.set_environment(self)
        return tree

    @pass_context
    def _printed(self, _: Context, value: Any) -> str:
        """The text of a value where it is printed: into the message, or into what a macro or a block makes."""
        text = values.text_of(value, self.budget)
        self.budget.string(len(text))
        self.budget.bytes(50 + 4 * len(text))  # one emoji among the chunks makes all of the joined string four bytes wide
        return text

    # What Jinja2 asks.

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A member of a dict or a namespace, or one of ATTRIBUTES; never a method (`method` calls those)."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """A member or an item; undefined where there is none."""
        self.budget.work()
        try:
            if isinstance(obj, dict):
                return obj[values.key(argument)]
            if isinstance(argument, int) and isinstance(obj, list | tuple | str | range):
                return obj[argument]
            if isinstance(argument, str) and _has(obj, argument):
                return getattr(obj, argument)
        except (LookupError, AttributeError):
            pass  # undefined, as below
        return self.undefined(obj=obj, name=argument if isinstance(argument, str) else None)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805  # as Jinja2 has it: options may be called self
        """Calls a macro, a loop, a function of the globals or one of the methods below: there is nothing else that could be called."""
        if not isinstance(__obj, Macro | LoopContext | Joiner) and getattr(__obj, "__self__", None) is not __self:
            raise TemplateFailed("something is called that is not a function")
        budget = __self.budget
        budget.work(len(args) + len(kwargs))
        budget.bytes(ARGUMENT * (len(args) + len(kwargs)))  # macros can keep them: `varargs`, `kwargs`
        if isinstance(__obj, LoopContext) and args:
            args = (values.counted(args[0], budget), *args[1:])
        budget.called()
        try:
            return __context.call(__obj, *args, **kwargs)
        finally:
            budget.returned()

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Computes with two values."""
        self.budget.work()
        return OPERATORS[operator](self.budget, left, right)

    # What rewritten templates ask.

    def method(self, obj: Any, name: str, /, *args: Any, **options: Any) -> Any:
        """Calls a method of a value."""
        if isinstance(obj, Namespace | dict) and isinstance(found := self.getitem(obj, name), Macro | Joiner):
            return found(*args, **options)
        return call_method(self.budget, obj, name, args, options)

    def looped(self, obj: Any) -> Iterator[Any]:
        """The items of a value, for a loop."""
        iterator: Iterator[Any] = values.counted(obj, self.budget)
        return iterator

    def joined(self, *parts: Any) -> str:
        """The texts of values one after the other."""
        texts = [values.text_of(part, self.budget) for part in parts]
        self.budget.string(sum(map(len, texts)))
        text: str = self.budget.took("".join(texts))
        return text

    def made(self, obj: Any) -> Any:
        """A list, tuple or dict that the template has written."""
        return self.budget.took(obj)

    def key(self, obj: Any) -> Any:
        """A key of a dict that the template has written."""
        return values.key(obj)

    def compared(self, obj: Any) -> Any:
        """A value that is about to be compared."""
        values.measured(obj, self.budget)
        return obj

    def searched(self, obj: Any) -> Any:
        """A value in which another is about to be looked for."""
        if isinstance(obj, dict):
            self.budget.work()
        else:
            values.measured(obj, self.budget)
        return obj

    def sliced(self, obj: Any, start: Any, stop: Any, step: Any) -> Any:
        """A part of a string or a list."""
        if not isinstance(obj, str | list | tuple | range):
            return self.undefined(obj=obj)
        return self.budget.took(obj[start:stop:step])

    # Functions of templates.

    def _range(self, *args: int) -> range:
        if any(abs(each) > sys.maxsize for each in args):
            raise TemplateFailed("a range of too large numbers")
        found = range(*args)
        if len(found) > LOOPS:
            raise TemplateFailed(f"a range of more than {LOOPS} numbers")
        return found

    def _dict(self, *args: Any, **members: Any) -> dict[Any, Any]:
        for each in args:
            values.measured(each, self.budget)
        made: dict[Any, Any] = self.budget.took(dict(*args, **members))
        return made

    def _namespace(self, *args: Any, **members: Any) -> Namespace:
        return Namespace(self._dict(*args), **members)

    def _joiner(self, separator: str = ", ") -> Joiner:
        return Joiner(values.text_of(separator, self.budget))

    def _cycler(self, *items: Any) -> Cycler:
        self.budget.bytes(8 * len(items))
        return Cycler(*items)


def _has(obj: Any, attribute: str) -> bool:
    """Whether the attribute can be read."""
    if isinstance(obj, Namespace):
        return not attribute.startswith("_")
    return any(isinstance(obj, kind) and attribute in names for kind, names in ATTRIBUTES)


def _up_to(limit: int, chunks: Iterable[str]) -> Iterator[str]:
    """The chunks. Raises TemplateFailed where they are longer together."""
    for chunk in chunks:
        limit -= len(chunk)
        if limit < 0:
            raise TemplateFailed(f"a message of more than {OUTPUT} characters")
        yield chunk

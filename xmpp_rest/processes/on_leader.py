"""The decorator of methods that run in the leader, whichever process calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Concatenate, NamedTuple, ParamSpec, Protocol, TypeVar, overload

from xmpp_rest.processes.group import End

_OFFER = "_offer"


class LeaderCaller(Protocol):
    """What a service calls the leader with; `Remote` is one."""

    def follows(self) -> bool: ...
    def follows_speaker(self) -> bool: ...
    def call(self, name: str, /, *args: Any, **kwargs: Any) -> Any: ...


class HasRemote(Protocol):
    """A service with methods for the leader; its constructor passes it to `Remote.offer`."""

    @property
    def _remote(self) -> LeaderCaller: ...


S = TypeVar("S", bound=HasRemote)
P = ParamSpec("P")
R = TypeVar("R")


class LeaderMethod(NamedTuple):
    """What `on_leader` says of a method."""

    method: Callable[..., Any]
    deferred: Callable[..., End | None] | None
    repeatable: bool
    of_node: bool


@overload
def on_leader(method: Callable[Concatenate[S, P], R], /) -> Callable[Concatenate[S, P], R]: ...
@overload
def on_leader(
    *, deferred: Callable[..., End | None] | None = None, repeatable: bool = False, of_node: bool = False
) -> Callable[[Callable[Concatenate[S, P], R]], Callable[Concatenate[S, P], R]]: ...
def on_leader(
    method: Callable[..., Any] | None = None,
    /,
    *,
    deferred: Callable[..., End | None] | None = None,
    repeatable: bool = False,
    of_node: bool = False,
) -> Callable[..., Any]:
    """Run this method in the leader, which may be this process. Its annotations say how arguments and result are carried (`codec`).

    A call takes at most `remote.QUICK` seconds, or as long as its argument of type Wait says, and ends when the client of that has gone.
    `deferred`: the method as the leader runs it for a follower where it would hold a thread for long: it gets a Reply before the
    arguments, does not wait, and may return an End. Its callers are counted by Waits already; those of other methods are counted here.
    `of_node`: where several nodes are one gateway, the speaker of the caller's node runs it, whichever node leads.
    `repeatable`: calling again does no harm, so that a caller whose call was not answered is told to try again.
    Raises what the method does, and GatewayError: link-down, waits-full; unanswered, if nobody knows whether it was done.
    """

    def mark(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def run(self: HasRemote, /, *args: Any, **kwargs: Any) -> Any:
            if not (self._remote.follows_speaker() if of_node else self._remote.follows()):
                return method(self, *args, **kwargs)
            return self._remote.call(method.__qualname__, *args, **kwargs)

        setattr(run, _OFFER, LeaderMethod(method, deferred, repeatable, of_node))
        return run

    return mark if method is None else mark(method)


def offers_of(service: type) -> Iterator[LeaderMethod]:
    """The methods of a class that are marked so."""
    for name in dir(service):
        if (offer := getattr(getattr(service, name), _OFFER, None)) is not None:
            yield offer

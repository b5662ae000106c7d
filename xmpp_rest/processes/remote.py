"""Remote calls: what only the leader may do, and what every process does.

A method with the decorator `on_leader` runs in the leader, whichever process calls it. A broadcast is carried out by every process; what is
published reaches those that listen. Services register their methods and handlers in their constructors, so this module knows no service.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from contextlib import nullcontext
from types import MethodType
from typing import Any

from xmpp_rest.errors import ERRORS, GatewayError, Unanswered, storage_failed
from xmpp_rest.processes.codec import Signature, ValueCodecs
from xmpp_rest.processes.group import End, LeadsItself, Message, ProcessGroup, Reply
from xmpp_rest.processes.on_leader import offers_of
from xmpp_rest.processes.procedure import Procedure
from xmpp_rest.threads.pool import CompletingPool
from xmpp_rest.threads.tasks import OrderLock
from xmpp_rest.threads.timers import Timers
from xmpp_rest.threads.waits import Wait, Waits

log = logging.getLogger("xmpp_rest.server")

QUICK = 30.0  # seconds that a call which waits for nobody may take
MARGIN = 5.0  # seconds on top of those that a call waits for somebody else
HAND_OVER = 2.0  # seconds for the calls of other processes that are under way when this one stops to lead
THREADS = 32  # for what deferred calls leave to be done
BROADCAST = "broadcast"  # the call by which a follower has the leader broadcast
TELL_NODE = "tell-node"  # the same, of the speaker, for the processes of its node


class Remote:
    """The remote calls of one process. Safe to be used by several threads; owned by the Gateway, which calls `start()` and `stop()`.

    Before `start()` this process is alone, and does everything itself.
    """

    def __init__(self, group: ProcessGroup, waits: Waits, storage_error: type[Exception]) -> None:
        """`waits` counts the calls of this process; `storage_error`: what other processes know as storage-failed."""
        self.group = group
        """Says which process this is, and whether there are others; calls go through this class."""
        self._waits = waits
        self._storage_error = storage_error
        self._codecs = ValueCodecs(self._named)
        self._procedures: dict[str, Procedure] = {}
        self._handlers: dict[str, Procedure] = {}
        self._listeners: dict[str, Callable[..., None]] = {}
        self._on_role: list[Callable[[bool], None]] = []
        self._on_left: list[Callable[[str], None]] = []
        self._on_node_left: list[Callable[[str], None]] = []
        self._follows = False
        self._epoch = 0  # how often the role of this process has changed
        self._listening = -1  # the epoch in which the leader was asked to publish to this process
        self._lock = OrderLock()  # of the line above
        self.timers = Timers()
        """For deferred calls."""
        self.pool = CompletingPool(THREADS, "deferred call")
        """For what deferred calls leave to be done."""
        self._procedures[BROADCAST] = Procedure(self._relay, Signature(self._relay, self._codecs), repeatable=True)
        self._procedures[TELL_NODE] = Procedure(self._relay_to_node, Signature(self._relay_to_node, self._codecs), None, True, of_node=True)

    # -- called by constructors

    def offer(self, service: object) -> None:
        """Let followers call the methods of this service that are marked `on_leader`."""
        for offer in offers_of(type(service)):
            run, deferred = MethodType(offer.method, service), MethodType(offer.deferred, service) if offer.deferred else None
            self._procedures[run.__qualname__] = Procedure(run, Signature(run, self._codecs), deferred, offer.repeatable, offer.of_node)

    def answer(self, function: Callable[..., Any], *, of_node: bool = False) -> None:
        """Let other programs, which reach the leader as followers do, call this function by its qualified name.

        `of_node`: the speaker of their node answers.
        """
        self._procedures[function.__qualname__] = Procedure(function, Signature(function, self._codecs), of_node=of_node)

    def on_broadcast(self, name: str, handler: Callable[..., Any]) -> None:
        """Have `handler` carry out the broadcasts of this name, in this process."""
        self._handlers[name] = Procedure(handler, Signature(handler, self._codecs))

    def on_published(self, name: str, listener: Callable[..., None]) -> None:
        """Have `listener` hear what the leader publishes by this name: in order, with arguments that are JSON; it must be quick."""
        self._listeners[name] = listener

    def on_role(self, listener: Callable[[bool], None]) -> None:
        """Tell `listener` whether this process leads, whenever that, or the leader, has changed."""
        self._on_role.append(listener)

    def on_left(self, listener: Callable[[str], None]) -> None:
        """Tell `listener` the id of a follower that has gone; in the leader."""
        self._on_left.append(listener)

    def on_node_left(self, listener: Callable[[str], None]) -> None:
        """Tell `listener` the id of a process of this node that has gone; in the speaker."""
        self._on_node_left.append(listener)

    # -- the process

    def start(self) -> None:
        """Take part; returns once there is a leader (bounded)."""
        self.group.start(self)

    def hand_over(self) -> None:
        """Answer what other processes have called for, and have them wait for the next leader (bounded); before `stop`."""
        self.group.hand_over(HAND_OVER)

    def stop(self) -> None:
        """Leave: another process leads, if this one did."""
        self.group.stop()
        self.timers.stop()
        self.pool.stop()

    def follows(self) -> bool:
        """Whether another process leads; waits for an election that is under way (bounded)."""
        if self._follows:
            self.group.wait_for_leader()
        return self._follows

    def follows_speaker(self) -> bool:
        """Whether another process speaks for this node; waits as `follows`."""
        if not self.group.spans_nodes:
            return self.follows()
        return self.group.wait_for_speaker() and not self.group.is_speaker

    # -- calls and messages

    def call(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Have the leader, which is another process, run the method of this name; see `on_leader`."""
        procedure, arguments, wait = self._carried(name, args, kwargs)
        try:
            with nullcontext() if procedure.deferred else self._waits.calling():
                call = self.group.call_speaker if procedure.of_node and self.group.spans_nodes else self.group.call
                return self._result(procedure, lambda: call(name, arguments, wait))
        except LeadsItself:
            return procedure.run(*args, **kwargs)

    def begin_call(self, name: str, /, *args: Any, **kwargs: Any) -> Callable[[], Any]:
        """As `call`, of a method with `deferred`, but return once the leader is told; what is returned waits for the result."""
        procedure, arguments, wait = self._carried(name, args, kwargs)
        try:
            answer = self.group.begin(name, arguments)
        except LeadsItself:
            return lambda: procedure.run(*args, **kwargs)
        return lambda: self._result(procedure, lambda: answer(wait))

    def _carried(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Procedure, Message, Wait]:
        """What is called, with which arguments, and how long that may take."""
        procedure = self._procedures[name]
        bound = procedure.signature.bind(args, kwargs)
        given = next((value for value in bound.values() if isinstance(value, Wait)), None)
        wait = Wait(given.seconds + MARGIN, given.gone) if given else Wait(QUICK)
        return procedure, procedure.signature.to_json(bound), wait

    def unanswered(self) -> GatewayError:
        """The error of what the leader may have done before it ended: 503 on several machines (many-machines §8)."""
        row = ERRORS["unanswered"]
        return GatewayError("unanswered", row=row._replace(status=503) if self.group.spans_nodes else row)

    def _result(self, procedure: Procedure, answer: Callable[[], Any]) -> Any:
        try:
            result = answer()
        except Unanswered as e:
            if procedure.repeatable:
                raise
            raise self.unanswered() from e
        return procedure.signature.result.from_json(result)

    def broadcast(self, name: str, **arguments: Any) -> Any:
        """Have every process carry this out; what it came to in this one. Raises GatewayError where the others cannot be told."""
        result = self._handlers[name].run(**arguments)
        self.tell_others(name, **arguments)
        return result

    def tell_others(self, name: str, **arguments: Any) -> None:
        """As `broadcast`, for what this process has done already."""
        carried = self._handlers[name].signature.to_json(arguments)
        if self.follows():
            self.call(BROADCAST, name, carried, self.group.id)
        else:
            self.group.broadcast(_broadcast(name, carried, self.group.id))

    def tell_node(self, name: str, **arguments: Any) -> None:
        """As `tell_others`, for the processes of this node."""
        carried = self._handlers[name].signature.to_json(arguments)
        if self.follows_speaker():
            self.call(TELL_NODE, name, carried, self.group.id)
        else:
            self.group.tell_node(_broadcast(name, carried, self.group.id))

    def publish(self, name: str, audience: Collection[str] | None = None, **arguments: Any) -> None:
        """Let the processes that listen hear this, in order; in the leader. The arguments are JSON.

        `audience`: the ids of the processes for which it is, if that is known. Others may hear it as well.
        """
        self.group.publish({"published": name, "arguments": arguments}, audience)

    def listen(self) -> int:
        """Hear from now on what is published; the epoch in which that holds. Raises GatewayError."""
        with self._lock:
            epoch = self._epoch
            if self._listening != epoch and self._follows:
                self.group.listen()
            self._listening = epoch
            return epoch

    # -- as the group calls it

    def await_role(self) -> None:
        self._follows = True

    def take_role(self, is_leader: bool) -> None:
        self._epoch += 1
        self._follows = self._follows or not is_leader
        for listener in self._on_role:
            listener(is_leader)
        self._follows = not is_leader  # a follower that leads now waits until then: without the link, messages would be refused

    def is_deferred(self, name: str) -> bool:
        return self._procedure(name).deferred is not None

    def is_of_node(self, name: str) -> bool:
        return self._procedure(name).of_node

    def perform(self, name: str, arguments: Message) -> Any:
        procedure = self._procedure(name)
        try:
            return procedure.signature.result.to_json(procedure.run_carried(arguments))
        except Exception as e:
            raise self._named(e) from e

    def begin(self, name: str, arguments: Message, reply: Reply) -> End | None:
        procedure = self._procedure(name)

        def answer(result: Any) -> None:
            try:
                carried = result if isinstance(result, Exception) else procedure.signature.result.to_json(result)
            except Exception as e:  # a follower must not wait in vain for what cannot be written
                carried = e
            reply(self._named(carried) if isinstance(carried, Exception) else carried)

        assert procedure.deferred is not None
        try:
            return procedure.deferred(answer, **procedure.signature.from_json(arguments))
        except Exception as e:
            raise self._named(e) from e

    def hear(self, message: Message) -> None:
        if name := message.get("published"):
            self._listeners[name](**message["arguments"])
        elif message["origin"] != self.group.id:
            # not on this thread, which alone can hear what the leader answers to a call that the handler makes
            threading.Thread(target=self._carry_out, args=(message[BROADCAST], message["arguments"]), name="broadcast", daemon=True).start()

    def forget(self, process: str) -> None:
        for listener in self._on_left:
            listener(process)

    def forget_on_node(self, process: str) -> None:
        for listener in self._on_node_left:
            listener(process)

    def _procedure(self, name: str) -> Procedure:
        try:
            return self._procedures[name]
        except KeyError:
            text = f"The leading process knows no call {name!r}: restart it, it is of another version"
            raise GatewayError("link-down", text) from None

    def _relay(self, name: str, arguments: dict[str, Any], origin: str) -> None:
        """Carry out the broadcast of a follower, and pass it on; in the leader."""
        self._handlers[name].run_carried(arguments)
        self.group.broadcast(_broadcast(name, arguments, origin))

    def _relay_to_node(self, name: str, arguments: dict[str, Any], origin: str) -> None:
        """As `_relay`, in the speaker."""
        self._handlers[name].run_carried(arguments)
        self.group.tell_node(_broadcast(name, arguments, origin))

    def _carry_out(self, name: str, arguments: Message) -> None:
        try:
            self._handlers[name].run_carried(arguments)
        except Exception:  # the other processes have done it; this one goes on
            log.exception("the broadcast %r could not be carried out", name)

    def _named(self, error: Exception) -> GatewayError:
        """The error as other processes know it; of one that nobody foresaw only the log has the text."""
        if isinstance(error, GatewayError):
            return error
        if isinstance(error, self._storage_error):
            return storage_failed(error, ERRORS["storage-failed"].text)
        log.error("a call of another process failed", exc_info=error)
        return GatewayError("internal")


def _broadcast(name: str, arguments: Message, origin: str) -> Message:
    return {BROADCAST: name, "arguments": arguments, "origin": origin}

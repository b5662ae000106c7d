"""What gateways on several machines need of a storage beside its content: who is there, who may write, what was promised, and frames.

A driver whose storage several machines can reach offers it (`Driver.shared`, `Driver.open_shared`). A *node* is a gateway with its own data
folder; its `run` is the random name of one life of the process that speaks for it. A *lease* says which run owns a hosted domain;
its `epoch` grows with each owner. A *beat* is a number that its holder counts up: nobody compares clocks. A *frame* is text for the
process that listens to a channel.

Calls raise StorageError, also when the connection broke or an answer took too long; the next call connects again. All of it may be
called by several threads.
"""

# many-machines §5

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from drivers.batches import Addition, Table
from drivers.errors import StorageError

PREFIX = "xmpprest"
EVERYBODY = "all"
"""In place of a run, in the name of the channel that all nodes listen to; no run has this name."""


def channel_of(domain: str, run: str = EVERYBODY) -> str:
    """The channel of one run of the gateways of a domain, or of all."""
    return f"{PREFIX}_{hashlib.sha256(domain.encode()).hexdigest()[:8]}_{run}"


class LeaseLost(StorageError):
    """The lease that this process's changes are made under is another's; nothing was changed."""


class NodeRow(NamedTuple):
    """A node: `id` is that of its data folder, `kind` that of its `[cluster]`, `info` what it tells the others about itself."""

    node: str
    id: str
    run: str
    kind: str
    version: str
    protocol: int
    beat: int
    info: Table


class LeaseRow(NamedTuple):
    """Who owns a hosted domain; `node` is "" once it was released."""

    hosted: str
    node: str
    run: str
    epoch: int
    beat: int


class JournalRow(NamedTuple):
    """An entry of a journal."""

    number: int
    text: str

    def __repr__(self) -> str:
        return f"JournalRow({self.number})"  # the text has what people write


class TransferRow(NamedTuple):
    """A stanza on its way to the owner of `hosted`: `source` names the run and epoch that numbered it; `seq` is 0 before it is kept."""

    seq: int
    hosted: str
    source: str
    number: int
    text: str

    def __repr__(self) -> str:
        return f"TransferRow({self.seq}, {self.hosted!r}, {self.source!r}, {self.number})"


class TransferMark(NamedTuple):
    """Names such a stanza."""

    source: str
    number: int


class JournalChange(NamedTuple):
    """What one commit of a journal does, whole or not at all."""

    added: Sequence[JournalRow] = ()
    """Replace those with the same numbers, if there are any."""
    removed: Sequence[int] = ()
    additions: Sequence[Addition] = ()
    """Items of archives that are to be there once the promise is."""
    passed_on: Sequence[TransferRow] = ()
    """Those whose source and number are there already are left out."""
    taken: Sequence[int] = ()
    """`seq` of the transferred stanzas that are done with."""


class StandbySettings(NamedTuple):
    """What the database does before it confirms a commit: its settings `synchronous_standby_names` and `synchronous_commit`."""

    names: str
    commit: str

    @property
    def copies(self) -> int:
        """The machines, at least, that have what was committed."""
        return 2 if self.names.strip() and self.commit.lower() not in ("off", "local") else 1


class JournalRows(ABC):
    """One journal in the storage: entries with numbers that its owner gives them."""

    @abstractmethod
    def read(self) -> list[JournalRow]:
        """All entries, by number."""

    @abstractmethod
    def commit(self, change: JournalChange) -> list[Exception | None]:
        """Make the change, durably; the exception of each of `additions` that the archive cannot have, whose others are made all the same.

        Raises LeaseLost; CommitInDoubt if the change may have been made; StorageError.
        """


COMMIT_WAIT = 10.0
"""Seconds that a statement or a commit waits for the database and its standby, at most, where several machines meet."""


class FrameListener(ABC):
    """What comes in on channels. One session with the storage: once it broke, another listener is to be made, and frames may be lost.

    Used by one thread; `wake` and `close` may be called by any.
    """

    @abstractmethod
    def receive(self, seconds: float) -> list[tuple[str, str]]:
        """Channel and payload of what has come, in order for each sender; waits until something has, at most so long.

        Finds out by itself, within about the seconds of the lease, that the other side is gone. Raises StorageError then, and once closed.
        """

    @abstractmethod
    def wake(self) -> None:
        """Let `receive` return now, or the next one."""

    @abstractmethod
    def close(self) -> None:
        """End the session."""


class Shared(ABC):
    """What gateways of one domain (`[gateway] domain`) share; `hosted` is any domain that they host."""

    def check(self) -> None:  # noqa: B027  # nothing can be wrong with every storage
        """Raise StorageError if the way that `[cluster] url` names cannot do what is needed, or leads elsewhere. Makes nothing."""

    # nodes
    @abstractmethod
    def enter(self, own: NodeRow) -> NodeRow | None:
        """Make the node's row, or replace it; what was there, of whatever run.

        Raises StorageError that is `lasting` if `[cluster] url` turns out to name another database than the storage.
        """

    @abstractmethod
    def beat(self, own: NodeRow) -> bool:
        """Count the beat of the node's row up, and write its `info`; False: the row is another run's by now, or gone."""

    @abstractmethod
    def nodes(self) -> list[NodeRow]:
        """All rows, by name."""

    @abstractmethod
    def forget(self, node: str, seen: NodeRow) -> bool:
        """Remove the row of a node, unless it is another than was seen; whether it was. What is kept for that run goes too."""

    # leases
    @abstractmethod
    def leases(self) -> dict[str, LeaseRow]:
        """All leases, by hosted domain; also those of gateways with another `[gateway] domain`."""

    @abstractmethod
    def take(self, hosted: str, node: str, run: str, seen: LeaseRow | None) -> int | None:
        """Own the domain, if its lease is still as it was seen (None: there was none): the new epoch. None: somebody else came first.

        Waits, within the seconds of the lease, for transactions of the former owner that have begun; ends those that stand still.
        """

    @abstractmethod
    def renew(self, hosted: str, run: str, epoch: int) -> bool:
        """Count the beat up; False: the lease is lost."""

    @abstractmethod
    def release(self, hosted: str, run: str, epoch: int) -> None:
        """Own the domain no longer; nothing happens if that is so already."""

    @abstractmethod
    def hold_lock(self, hosted: str) -> bool:
        """Hold the lock that tells others that this session lives; whether it is held, as it is for as long as the session lasts.

        Called with each renewal, as the session may be another by now. False also where the storage has no such locks (`notify = no`).
        """

    @abstractmethod
    def lock_is_free(self, hosted: str) -> bool:
        """Whether nobody holds that lock. Always False where the storage has no such locks."""

    @abstractmethod
    def free_lock(self, hosted: str) -> None:
        """Hold the lock no longer."""

    @abstractmethod
    def fence(self, hosted: str, run: str, epoch: int, hosts: Collection[str], on_lost: Callable[[], None]) -> None:
        """From now on change content of these hosts (none: of any) only while this lease is held.

        Each transaction of the driver that writes begins by looking, and the lease cannot be taken while one runs. Otherwise the change
        raises LeaseLost, and `on_lost` is called, by the thread that wanted to write, each time: it must not wait. The journals of
        `hosted` can be changed from now on.
        """

    @abstractmethod
    def unfence(self, hosted: str) -> None:
        """Write without looking, as before `fence`: for processes in which nothing of the owner runs any more."""

    # promises
    @abstractmethod
    def journal(self, name: str, hosted: str = "") -> JournalRows:
        """The journal of that name. Changed only under the fence of `hosted`, without which a change raises LeaseLost; "": under none."""

    @abstractmethod
    def journal_sizes(self) -> dict[str, int]:
        """The names of the journals that have entries, and how many."""

    @abstractmethod
    def transfers(self, hosted: str, most: int = 256) -> list[TransferRow]:
        """The first of what was passed on to the owner of this domain, in order for each source."""

    @abstractmethod
    def transfer_marks(self, hosted: str) -> list[TransferMark]:
        """All that was passed on to the owner of this domain, and is not taken yet."""

    # frames
    @abstractmethod
    def listen(self, channels: Sequence[str]) -> FrameListener:
        """Listen from now on."""

    @abstractmethod
    def notify(self, sent: Sequence[tuple[str, str]]) -> None:
        """Send payloads to channels, in this order, all or none. Not durable: who does not listen never gets them.

        In what one sender sends, order is kept. A payload may have any length; above 7,500 bytes it takes a second step.
        """

    # the storage itself
    @abstractmethod
    def standby_settings(self) -> StandbySettings:
        """What a commit waits for, as set now."""

    @abstractmethod
    def clock(self) -> float:
        """The storage's time, Unix time in seconds: to say that clocks differ, never to decide anything."""

    @abstractmethod
    def close(self) -> None:
        """End the sessions. Listeners are closed by those who made them."""

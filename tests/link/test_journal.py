"""The journal: what was appended is still there after a crash, and only that."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.many import in_threads
from tests.raising import raising
from xmpp_rest.link import journal as module
from xmpp_rest.link.journal import Journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox" / "a.journal"


def test_journal_entries_are_kept_until_acknowledged(path: Path) -> None:
    journal = Journal(path)
    numbers = journal.append(["a", "b\n", "ü\u2028"])
    journal.ack(numbers[1:2])
    journal.close()
    assert Journal(path).unacknowledged() == [(numbers[0], "a"), (numbers[2], "ü\u2028")]


def test_journal_file_mode(path: Path) -> None:
    Journal(path).append(["secret"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def written(path: Path) -> int:
    """Bytes of the file, without the reserved zeros after them."""
    return len(path.read_bytes().rstrip(b"\0"))


@pytest.mark.parametrize("cut", range(2, 30))
def test_a_torn_last_line_loses_no_journal_entry(path: Path, cut: int) -> None:
    journal = Journal(path)
    journal.append(["first"])
    size = written(path)
    journal.append(["second, torn"])
    with path.open("r+b") as file:
        file.truncate(max(size, written(path) - cut))
    again = Journal(path)
    assert [text for _, text in again.unacknowledged()] == ["first"]
    again.append(["third"])
    assert [text for _, text in Journal(path).unacknowledged()] == ["first", "third"]


def test_invalid_lines_of_a_journal_are_ignored(path: Path) -> None:
    Journal(path).append(["kept"])
    with path.open("ab") as file:
        file.write(b"\x00" * 4096 + b"\ndeadbeef [\"+\",9,\"forged\"]\n\n")
    assert [text for _, text in Journal(path).unacknowledged()] == ["kept"]


def test_many_threads_share_the_commits_of_a_journal(path: Path) -> None:
    journal = Journal(path)
    in_threads(lambda n: [journal.append([f"{n} {i}"]) for i in range(50)], range(8))
    texts = [text for _, text in Journal(path).unacknowledged()]
    assert sorted(texts) == sorted(f"{n} {i}" for n in range(8) for i in range(50))
    for n in range(8):
        assert [t for t in texts if t.startswith(f"{n} ")] == [f"{n} {i}" for i in range(50)]


def test_an_acknowledged_journal_does_not_grow(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMPACT_AT", 20_000)
    monkeypatch.setattr(module, "RESERVE", 5_000)
    journal = Journal(path)
    (kept,) = journal.append(["kept"])
    for _ in range(500):
        journal.ack(journal.append(["x" * 100]))
    assert path.stat().st_size < 40_000
    journal.close()
    assert Journal(path).unacknowledged() == [(kept, "kept")]


def test_a_full_disk_fails_the_append_and_keeps_the_journal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(path)
    journal.append(["before"])
    pwrite = os.pwrite

    def full(fd: int, data: bytes, at: int) -> int:
        pwrite(fd, bytes(data)[:3], at)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space"):
        journal.append(["lost"])
    monkeypatch.setattr(os, "pwrite", pwrite)
    journal.append(["after"])
    assert [text for _, text in Journal(path).unacknowledged()] == ["before", "after"]


def test_a_failed_write_fails_every_append_of_the_group(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(path)
    (old,) = journal.append(["old"])
    journal.ack([old])
    entered, go = threading.Event(), threading.Event()

    def full(_: object) -> None:
        entered.set()
        assert go.wait(30)
        raise OSError(28, "No space left on device")

    fdatasync = os.fdatasync
    told: list[str] = []

    def append(text: str) -> None:
        try:
            journal.append([text])
            told.append(text)
        except OSError:
            pass

    threads = [threading.Thread(target=append, args=(str(n),)) for n in range(6)]
    monkeypatch.setattr(os, "fdatasync", full)
    threads[0].start()
    assert entered.wait(30)
    for thread in threads[1:]:
        thread.start()
    deadline = time.monotonic() + 30
    while len(journal) < 6 and time.monotonic() < deadline:  # until they have written their lines, and wait
        time.sleep(0.001)
    go.set()
    for thread in threads:
        thread.join()
    monkeypatch.setattr(os, "fdatasync", fdatasync)
    assert told == []
    journal.append(["after"])
    journal.close()
    assert [text for _, text in Journal(path).unacknowledged()] == ["after"]


def test_the_entry_that_causes_compaction_is_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMPACT_AT", 1000)
    journal = Journal(path)
    for n in range(100):
        (number,) = journal.append([f"{n}" + "x" * 300])
        assert f"{n}" + "x" * 300 in [entry.text for entry in module.read_entries(path).values()], "appended, and on disk"
        journal.ack([number])


def test_a_full_disk_during_compaction(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMPACT_AT", 1000)
    journal = Journal(path)
    replace = Path.replace
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", raising(OSError(28, "No space left on device")))
        for _ in range(5):
            journal.ack(journal.append(["x" * 400]))  # it is on disk, and so not refused
    assert Path.replace is replace
    journal.append(["after"])
    journal.close()
    assert "after" in [text for _, text in Journal(path).unacknowledged()]


def test_append_after_close_is_refused_and_touches_no_other_file(path: Path) -> None:
    journal = Journal(path)
    journal.append(["kept"])
    journal.close()
    other = path.with_name("other")
    with other.open("wb") as file:  # it gets the number of the journal's own
        file.write(b"x")
        file.flush()
        with pytest.raises(OSError, match="being stopped"):
            journal.append(["late"])
    assert other.read_bytes() == b"x"


WRITER = """
from pathlib import Path
from tests.many import in_threads
from xmpp_rest.link.journal import Journal
journal = Journal(Path(sys.argv[1]))
n = 0
while True:
    journal.append([str(n)])
    print(n, flush=True)
    n += 1
"""


def test_a_killed_process_keeps_every_appended_entry(path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert writer.stdout is not None
    said = [writer.stdout.readline() for _ in range(200)]
    writer.send_signal(signal.SIGKILL)
    said += writer.stdout.readlines()
    writer.stdout.close()
    writer.wait()
    appended = [int(line) for line in said if line.endswith("\n")]
    kept = [int(text) for _, text in Journal(path).unacknowledged()]
    assert kept[: len(appended)] == appended
    assert len(kept) - len(appended) <= 1


# notes: other work that an entry stands for


def left(path: Path) -> tuple[list[str], list[tuple[str, object]]]:
    """The texts that a process would find after a crash at this moment, and those with a note."""
    entries = [entry for _, entry in sorted(module.read_entries(path).items())]
    return [e.text for e in entries if not e.is_acknowledged], [(e.text, e.note) for e in entries if e.note is not None]


def test_a_note_is_kept_until_it_is_acknowledged_by_itself(path: Path) -> None:
    journal = Journal(path)
    numbers = journal.append(["a", "b", "c", "d"], [["x", 1.5], "y", None, "z"])
    journal.ack(numbers[:1])
    journal.ack_notes(numbers[1:2])
    journal.ack(numbers[3:])
    journal.ack_notes(numbers[3:])
    assert [text for _, text in journal.unacknowledged()] == ["b", "c"]
    assert journal.noted() == [(numbers[0], "a", ["x", 1.5])]
    journal.close()
    assert left(path) == (["b", "c"], [("a", ["x", 1.5])])


def test_an_entry_and_its_note_are_gone_once_both_are_acknowledged(path: Path) -> None:
    journal = Journal(path)
    first, second = journal.append(["a", "b"], ["x", "y"])
    journal.ack([first])
    journal.ack_notes([first])
    journal.ack_notes([second])
    journal.ack([second])
    assert not len(journal)
    journal.close()
    assert left(path) == ([], [])


def test_what_a_crash_may_bring_back_of_a_note_is_forgotten_on_demand(path: Path) -> None:
    journal = Journal(path)
    first, second, third = journal.append(["a", "b", "c"], ["x", "y", "z"])
    journal.ack([third])
    journal.ack_notes([first, third])
    assert left(path)[1] == [("a", "x"), ("b", "y"), ("c", "z")], "lazily: at least once"
    journal.close()
    journal = Journal(path)
    assert [text for _, text in journal.unacknowledged()] == ["a", "b"]
    journal.ack_notes([second])
    journal.forget_notes()
    assert left(path) == (["a", "b"], [])


def test_forgotten_notes_stay_forgotten_when_the_journal_is_rewritten(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMPACT_AT", 1000)
    journal = Journal(path)
    first, second = journal.append(["a", "b"], ["x", "y"])
    journal.ack([second])
    journal.ack_notes([first])
    for _ in range(20):
        journal.ack(journal.append(["x" * 200]))
    assert path.stat().st_size < module.RESERVE + 3000
    texts, noted = left(path)
    assert (texts[:1], noted) == (["a"], [("b", "y")])


def test_an_append_that_fails_leaves_no_note(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(path)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", raising(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            journal.append(["lost"], ["x"])
    assert (len(journal), journal.noted()) == (0, [])
    journal.append(["after"])
    assert left(path) == (["after"], [])

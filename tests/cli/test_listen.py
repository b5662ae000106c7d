"""`xmpp-rest listen` and `xmpp-rest status`, at the gateway of this machine and at one of another machine."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ran
from tests.cli.inside import Place, place, run
from tests.conftest import DOMAIN, PASSWORD, TOKEN
from xmpp_rest.cli.access import GAP, Answer, Deadline, Happened, Interrupted
from xmpp_rest.cli.access.files import LocalFile
from xmpp_rest.cli.listen import EventReader
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.stanza import child, make

ADMIN, JULIET, NURSE = (parse_jid(f"{name}@{DOMAIN}") for name in ("admin", "juliet", "nurse"))
Listen = Callable[..., Ran]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("listen"), "[streams]\nheartbeat = 0.2\n") as found:
        for account in (JULIET, NURSE):
            found.gateway.parts.accounts.register(account, PASSWORD)
        yield found


@pytest.fixture(params=["local", "remote"])
def listen(here: Place, request: pytest.FixtureRequest) -> Listen:
    """`xmpp-rest listen` as juliet."""
    token = here.token(JULIET)

    def listened(*words: str) -> Ran:
        words = ("listen", "--account", str(JULIET), "--timeout", "20", *words)
        return here.run(*words) if request.param == "local" else here.away(*words, token=token)

    return listened


def when_it_listens(here: Place, act: Callable[[], object]) -> threading.Thread:
    """Begins a thread that does this once somebody listens; those who listened before have gone when this returns."""
    streams = here.gateway.parts.streams

    def wait_for(count: int) -> None:
        end = time.monotonic() + 20
        while (streams.count > 0) != (count > 0) and time.monotonic() < end:
            time.sleep(0.01)

    def work() -> None:
        wait_for(1)
        act()

    wait_for(0)
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def say(here: Place, text: str, **more: str) -> None:
    message = make("message", child("body", text), type_=more.pop("type_", "chat"), id_=f"id-{text}"[:20], from_=f"{NURSE}/phone", to_=str(JULIET), **more)
    here.gateway.parts.sending.receive(message, NURSE._replace(resource="phone"), JULIET)


@contextmanager
def saying(here: Place, *texts: str, **more: str) -> Iterator[None]:
    """Say these to juliet once somebody listens."""
    thread = when_it_listens(here, lambda: [say(here, text, **more) for text in texts])
    yield
    thread.join()


def test_lines(here: Place, listen: Listen) -> None:
    with saying(here, "Madam!", "two\nlines\x9b31m", "and a third"):
        ran = listen("--count", "2")
    assert (ran.code, ran.err) == (0, "")
    first, second = ran.out.splitlines()
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ {re.escape(str(NURSE))}/phone Madam!", first)
    assert second.endswith("two\\nlines\\x9b31m")


def test_json_and_resuming(here: Place, listen: Listen) -> None:
    with saying(here, "one", "two", "three"):
        ran = listen("--json", "--count", "1")
    (first,) = map(json.loads, ran.out.splitlines())
    assert (first["body"], first["kind"], first["from"]) == ("one", "message", f"{NURSE}/phone")
    again = listen("--json", "--count", "2", "--since", first["event_id"])
    assert [json.loads(line)["body"] for line in again.out.splitlines()] == ["two", "three"]


def test_an_id_that_nobody_knows(here: Place, listen: Listen) -> None:
    with saying(here, "from now on"):
        ran = listen("--json", "--count", "1", "--since", "no-such-id")
    assert (ran.code, json.loads(ran.out)["body"]) == (0, "from now on")
    assert "there is no event 'no-such-id' any more" in ran.err


@pytest.mark.parametrize("since", ["a\nb", "€", "\udcff", 1001 * "x"])
def test_what_is_no_id(listen: Listen, since: str) -> None:
    ran = listen("--since", since, "--timeout", "1")
    assert (ran.code, ran.out, ran.err.count("\n")) == (64, "", 1)
    assert "is not the id of an event" in ran.err


def test_nothing_is_missed_before_the_first_event(here: Place, listen: Listen) -> None:
    """The stream breaks before anything has come, and the archive is empty or not."""

    def work() -> None:
        here.gateway.parts.streams.restart("it breaks")
        say(here, "meanwhile")

    thread = when_it_listens(here, work)
    ran = listen("--json", "--count", "1")
    thread.join()
    assert json.loads(ran.out)["body"] == "meanwhile"


def test_a_time(listen: Listen) -> None:
    assert listen("--timeout", "0.2") == (0, "", "")
    assert listen("--timeout", "0.2", "--count", "1").code == 1


def test_running_a_program(here: Place, listen: Listen, tmp_path: Path) -> None:
    script = tmp_path / "take it.py"
    script.write_text(
        "import json, os, sys\n"
        "seen = json.load(sys.stdin) | {k: v for k, v in os.environ.items() if k.startswith('XMPP_')}\n"
        f"open({str(tmp_path / 'seen')!r}, 'a').write(json.dumps(seen) + '\\n')\n"
        "sys.exit(3 if 'fail' in seen['body'] else 0)\n"
    )
    with saying(here, "$(touch pwned); `id`", "fail", "x" * 150_000):
        ran = listen("--count", "3", "--exec", f"{sys.executable} '{script}'")
    assert (ran.code, ran.out) == (0, "")
    assert "ended with 3 for the event" in ran.err
    quoted, failed, long = map(json.loads, (tmp_path / "seen").read_text().splitlines())
    assert (quoted["XMPP_BODY"], quoted["XMPP_FROM"], quoted["XMPP_TO"]) == ("$(touch pwned); `id`", f"{NURSE}/phone", str(JULIET))
    assert (quoted["XMPP_KIND"], quoted["XMPP_TYPE"], quoted["XMPP_ID"], quoted["XMPP_SUBJECT"]) == ("message", "chat", quoted["id"], "")
    assert failed["body"] == "fail"
    assert (len(long["body"]), len(long["XMPP_BODY"])) == (150_000, 100_000)


@pytest.mark.parametrize(("line", "code"), [("", 64), ("'unclosed", 64), ("/no/such/program x", 66)])
def test_a_program_that_cannot_be_run(listen: Listen, line: str, code: int) -> None:
    ran = listen("--exec", line)
    assert (ran.code, "--exec" in ran.err) == (code, True)


def test_whose_events(here: Place) -> None:
    assert here.run("listen", "--account", f"nobody@{DOMAIN}").code == 66
    assert here.away("listen", "--account", str(NURSE), token=here.token(JULIET)).code == 77
    assert here.away("listen", "--account", str(NURSE), "--timeout", "0.2", token=TOKEN.split()[1]).code == 0
    assert here.away("listen", token="wrong").code == 77
    assert here.away("listen").code == 77
    assert here.run("listen", "--count", "0").code == 64
    assert run("listen", "--url", "http://127.0.0.1:1").code == 69


def test_nothing_is_missed_or_repeated_where_the_stream_breaks(here: Place, listen: Listen) -> None:
    texts = [str(n) for n in range(30)]

    def work() -> None:
        for n, text in enumerate(texts):
            say(here, text)
            if n % 10 == 4:
                here.gateway.parts.streams.restart("it breaks")

    thread = when_it_listens(here, work)
    ran = listen("--json", "--count", "30", "-v")
    thread.join()
    assert [json.loads(line)["body"] for line in ran.out.splitlines()] == texts
    assert "comes back in" in ran.err


class Scripted:
    """An Access with a script for each connection, and what was asked."""

    def __init__(self, *ways: list[Happened | Exception | None]) -> None:
        self.ways = [*ways]
        self.asked: list[str | None] = []

    @contextmanager
    def reach(self) -> Iterator[Scripted]:
        yield self

    def events(self, account: str | None, after: str | None, until: Deadline) -> Iterator[Happened | None]:
        self.asked.append(after)
        for step in self.ways.pop(0):
            if isinstance(step, Exception):
                raise step
            yield step

    def send_file(self, file: LocalFile, wait: Deadline) -> list[Answer]:
        raise AssertionError("nothing is sent")

    def last_id(self, account: str | None) -> str:
        return "first"

    def send(self, lines: Sequence[bytes], wait: Deadline) -> list[Answer]:
        return []

    def address(self) -> str:
        return ""

    def figures(self) -> dict[str, Any]:
        return {}


def for_each(reader: EventReader, came: list[str]) -> None:
    for happened in reader:
        came += [happened.id]


def test_a_reader_comes_back_with_the_last_id() -> None:
    gateway = Scripted(
        [None, Interrupted("broken before anything came")],
        [None, Happened("a", 0, {}), Happened("a~1", 0, {}), Interrupted("broken")],
        [CannotStart(Exit.UNAVAILABLE, "down")],
        [CannotStart(Exit.TEMPFAIL, "no place")],
        [None, GAP, None, Interrupted("again")],
        [None, Happened("b", 0, {}), CannotStart(Exit.NOPERM, "the token was revoked")],
    )
    came: list[str] = []
    with pytest.raises(CannotStart) as raised:
        for_each(EventReader(gateway.reach, None, None, Deadline(20), False), came)
    assert raised.value.code == Exit.NOPERM
    assert (came, gateway.asked) == (["a", "a~1", "b"], ["first", "first", "a~1", "a~1", "a~1", "a~1"])


def test_a_gateway_that_is_not_there_the_first_time() -> None:
    with pytest.raises(CannotStart) as raised:
        list(EventReader(Scripted([Interrupted("503 Service Unavailable")]).reach, None, None, Deadline(20), False))
    assert raised.value.code is Exit.UNAVAILABLE


# -- status


@pytest.mark.parametrize("away", [False, True])
def test_the_status(here: Place, away: bool) -> None:
    def status(*words: str) -> Ran:
        token = here.token(ADMIN, "ejabberd:admin")
        return here.away("status", *words, token=token) if away else here.run("status", *words)

    ran = status()
    assert ran.code == 0
    assert re.fullmatch(
        rf"running: xmpp-rest \S+ for {DOMAIN}\nprocesses: 1, up \d+ .*\nlink: none, it stands alone\noutbox: 0 of \d+ stanzas\nevent streams: \d+\nfiles: 0, 0 bytes, service {DOMAIN}\nready\n", ran.out
    )
    told = json.loads(status("--json").out)
    assert (told["running"], told["ready"], told["reasons"], told["domain"]) == (True, True, [], DOMAIN)


def test_a_token_without_the_rights_of_its_account(here: Place) -> None:
    ran = here.away("status", token=here.token(ADMIN))
    assert (ran.code, f"this token of {ADMIN} has no scope of theirs, such as ejabberd:admin" in ran.err) == (77, True), ran
    ran = here.away("status", token=here.token(JULIET))
    assert (ran.code, f"{JULIET} is none of them" in ran.err) == (77, True), ran


def test_a_gateway_that_is_not_ready(tmp_path: Path) -> None:
    with place(tmp_path, "[link]\nkind = component\nsecret = x\nport = 1\n[callback.bot]\naddress = bot@capulet.example\nurl = http://127.0.0.1:1/\n") as cut_off:
        ran = cut_off.run("status")
        away = cut_off.away("status", "--json", token=cut_off.token(ADMIN, "ejabberd:admin"))
        assert cut_off.away("status", token=cut_off.token(ADMIN)).code == 77  # not for administration
    assert (ran.code, away.code) == (1, 1)
    assert f"not ready: link {DOMAIN}: unreachable" in ran.out
    assert "callback bot: 0 wait" in ran.out
    assert {"check": "link", "domain": DOMAIN, "reason": "unreachable"} in json.loads(away.out)["reasons"]
    stopped = cut_off.run("status", "--json")
    assert (stopped.code, json.loads(stopped.out)["running"]) == (69, False)
    assert "not running" in stopped.err
    assert cut_off.away("status").code == 69
    assert cut_off.run("listen").code == 69

"""`xmpp-rest send`, `listen` and `status` as processes, beside a gateway of two processes that Prosody knows as a component."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import ONE_STREAM
from .gateway import TOKEN, Gateway
from .prosody import Prosody
from .users import EventLoop, User
from .xmppserver import CONFERENCE, DOMAIN, GATEWAY

ROMEO = f"romeo@{GATEWAY}"
LISTENER = f"benvolio@{GATEWAY}"  # to whom no room sends anything
Ran = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def gateway(prosody_alone: Prosody, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    sections = {**ONE_STREAM, "server": {"workers": 2}}
    running = Gateway(tmp_path_factory.mktemp("gateway"), prosody_alone.component_port, sections)
    running.start()
    running.register("romeo")
    running.register("benvolio")
    running.wait_state("online")
    yield running
    running.stop()


@pytest.fixture
def juliet(event_loop_thread: EventLoop, prosody_alone: Prosody) -> Iterator[User]:
    user = User(event_loop_thread, prosody_alone, "juliet")
    user.connect()
    yield user
    user.close()


def away(gateway: Gateway) -> dict[str, str]:
    """The environment of another machine."""
    return {"XMPP_REST_URL": f"http://127.0.0.1:{gateway.port}", "XMPP_REST_TOKEN": TOKEN}


def here(gateway: Gateway) -> dict[str, str]:
    return {"XMPP_REST_CONFIG": str(gateway.folder / "wsgi.ini")}


PLACES = pytest.mark.parametrize("place", [here, away])


def begin(environ: dict[str, str], *words: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XMPP_REST_")}
    command = [sys.executable, "-m", "xmpp_rest", *words]
    return subprocess.Popen(
        command,
        env=kept | environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,
    )


def interruptible() -> None:
    """What a shell runs in the background is not interrupted, nor is what that runs."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(environ: dict[str, str], *words: str) -> tuple[int, str, str]:
    with begin(environ, *words) as process:
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@PLACES
def test_a_message_is_confirmed_or_refused_by_the_server(gateway: Gateway, juliet: User, place: object) -> None:
    environ = place(gateway)  # type: ignore[operator]
    assert run(environ, "send", juliet.jid, "Madam!", "--from", ROMEO) == (0, "", "")
    assert juliet.wait_message("Madam!").get("from") == ROMEO
    code, _, err = run(environ, "send", f"{juliet.jid},mercutio@{DOMAIN}", "Who?", "--from", ROMEO)
    assert (code, err) == (1, f"xmpp-rest send: mercutio@{DOMAIN}: service-unavailable\n")
    juliet.wait_message("Who?")


@PLACES
def test_a_message_in_a_room(gateway: Gateway, juliet: User, place: object) -> None:
    room = f"balcony@{CONFERENCE}"
    juliet.send(f"<presence to='{room}/Juliet'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
    juliet.wait(lambda stanza: stanza.get("from") == f"{room}/Juliet")
    said = f"Here I am by {place.__name__}"  # type: ignore[attr-defined]
    assert run(place(gateway), "send", "--room", room, said, "--from", ROMEO) == (0, "", "")  # type: ignore[operator]
    assert juliet.wait_message(said).get("from") == f"{room}/romeo"
    gone = juliet.wait(lambda stanza: stanza.get("from") == f"{room}/romeo" and stanza.get("type") == "unavailable")
    assert gone.tag.endswith("presence")


@PLACES
def test_a_message_of_type_groupchat(gateway: Gateway, juliet: User, place: object) -> None:
    """Who sends it comes in, and it has been sent once the room has shown it."""
    environ = place(gateway)  # type: ignore[operator]
    room = f"orchard@{CONFERENCE}"
    juliet.send(f"<presence to='{room}/Juliet'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
    juliet.wait(lambda stanza: stanza.get("from") == f"{room}/Juliet")
    said = f"Here I stay by {place.__name__}"  # type: ignore[attr-defined]
    words = ("--type", "groupchat", "--from", ROMEO, "--wait", "20")
    assert run(environ, "send", room, said, *words) == (0, "", "")
    assert juliet.wait_message(said).get("from") == f"{room}/romeo"
    code, _, err = run(environ, "send", f"orchrd@{CONFERENCE}", said, *words)
    assert (code, err.startswith(f"xmpp-rest send: orchrd@{CONFERENCE}: item-not-found")) == (1, True), err


@PLACES
def test_listening_over_a_crash(gateway: Gateway, juliet: User, place: object) -> None:
    """Nothing is missing and nothing comes twice, although every process of the gateway is killed meanwhile."""
    listening = begin(place(gateway), "listen", "--json", "--account", LISTENER, "--count", "20", "--timeout", "100", "-v")  # type: ignore[operator]
    assert listening.stderr is not None
    while "listens" not in listening.stderr.readline():
        assert listening.poll() is None
    texts = [f"{n} by {place.__name__}" for n in range(20)]  # type: ignore[attr-defined]
    for text in texts[:10]:
        juliet.send_message(LISTENER, text)
    gateway.wait_streams(lambda _: is_archived(gateway, texts[9]))
    gateway.kill()
    gateway.start()
    gateway.wait_state("online")
    for text in texts[10:]:
        juliet.send_message(LISTENER, text)
    out, _ = listening.communicate(timeout=100)
    assert listening.returncode == 0
    assert [json.loads(line)["body"] for line in out.splitlines()] == texts


def is_archived(gateway: Gateway, text: str) -> bool:
    answer = gateway.request("GET", f"/rest/archive/{LISTENER}?max=50&before=", user="benvolio")
    return text in answer.data.decode()


def test_an_interruption(gateway: Gateway) -> None:
    with begin(here(gateway), "listen", "-v") as listening:
        assert listening.stderr is not None
        while "listens" not in listening.stderr.readline():
            assert listening.poll() is None
        listening.send_signal(signal.SIGINT)
        try:
            _, err = listening.communicate(timeout=30)
        finally:
            listening.kill()
    assert (listening.returncode, "Traceback" in err) == (130, False)


def test_a_message_that_waits_for_the_server(
    gateway: Gateway, prosody_alone: Prosody, event_loop_thread: EventLoop, tmp_path: Path
) -> None:
    code, out, _ = run(here(gateway), "status", "--json")
    told = json.loads(out)
    assert (code, told["ready"], told["processes"], told["link"]["streams"][0]["state"]) == (0, True, 2, "online")
    prosody_alone.stop()
    gateway.wait_streams(lambda streams: streams[GATEWAY]["state"] != "online")
    for place in (here, away):
        code, _, err = run(place(gateway), "send", f"juliet@{DOMAIN}", f"kept by {place.__name__}", "--from", ROMEO, "--wait", "0.2")
        assert (code, "it is kept" in err) == (75, True)
    code, out, _ = run(here(gateway), "status")
    assert (code, f"not ready: link {GATEWAY}: unreachable" in out) == (1, True), out
    prosody_alone.start()
    user = User(event_loop_thread, prosody_alone, "juliet")
    user.connect()
    try:
        gateway.wait_state("online")
        deadline = time.monotonic() + 30
        while (gateway.status()["outbox"]["stanzas"]) and time.monotonic() < deadline:
            time.sleep(0.05)
        for place in (here, away):
            user.wait_message(f"kept by {place.__name__}")
    finally:
        user.close()

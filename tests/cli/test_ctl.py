"""`xmpp-restctl` prints and exits as ejabberdctl does, with and without a running gateway (commands-api §14)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Ran
from tests.conftest import DOMAIN, PASSWORD, OpenDriver
from tests.logs.fields import audited
from xmpp_rest.cli.__main__ import main
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid

NODE = f"xmpp-rest@{DOMAIN}"
SERVICE = f"conference.{DOMAIN}"


@pytest.fixture
def line(config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Runs a line in this process, which is quicker."""
    monkeypatch.setenv("XMPP_REST_CONFIG", str(config))

    def run(*words: str) -> Ran:
        return Ran(main(words), *capsys.readouterr())

    return run


@pytest.fixture
def offline(line: Callable[..., Ran], storage: None) -> Callable[..., Ran]:
    """Runs a line on the storage alone; standard error without the line that says where."""

    def run(*words: str) -> Ran:
        ran = line("--offline", *words)
        said, _, rest = ran.err.partition("\n")
        assert re.fullmatch(r"xmpp-restctl: configuration: .*wsgi\.ini; data folder: .*/data", said)
        return Ran(ran.code, ran.out, rest)

    return run


@pytest.mark.parametrize("running", [True, False])
def test_recorded_lines(request: pytest.FixtureRequest, running: bool) -> None:
    """What was recorded, in its order; by processes where a gateway runs."""
    if running:
        request.getfixturevalue("gateway")
    ctl = request.getfixturevalue("ctl" if running else "offline")
    at = DOMAIN
    expected = [
        (("register", "alice", at, "pw"), 0, f"User alice@{at} successfully registered\n"),
        (("register", "alice", at, "pw"), 1, f"Error: conflict: User alice@{at} already registered\n"),
        (("register", "a b", at, "pw"), 1, f"Error: cannot_register: Can't register user a b@{at} at node {NODE}: Malformed username\n"),
        (("check_account", "nobody", at), 1, "Error: false\n"),
        (("check-account", "alice", at), 0, ""),
        (("get_vcard", "nobody", at, "FN"), 1, "error_no_vcard_found\n"),
        (("change_password", "nobody", at, "pw"), 1, '{not_found,"unknown_user"}\n'),
        (("get_room_affiliation", "none", SERVICE, "a@b"), 1, '{error,"The room does not exist."}\n'),
        (("set_last", "alice", at, "123", "x"), 0, ""),
        (("get_last", "alice", at), 0, "1970-01-01T00:02:03Z\tx\n"),
        (("add_rosteritem", "alice", at, "testuser7", at, "NickUser77l", "gr1,gr2, gr3", "both"), 0, ""),
        (("get_roster", "alice", at), 0, f"testuser7@{at}\tNickUser77l\tboth\tundefined\tgr1,gr2,gr3\n"),
        (("--version", "0", "get_roster", "alice", at), 0, f"testuser7@{at}\tNickUser77l\tboth\tundefined\tgr1;gr2;gr3\n"),
    ]
    for words, code, out in expected:
        assert ctl(*words)[:2] == (code, out), words


@pytest.mark.parametrize(
    ("words", "code", "out"),
    [
        (["--version", "abc", "status"], 1, 'Invalid API version number: "abc"\n'),
        (["get_roster", "admin", DOMAIN], 0, ""),
        (["registered_vhosts"], 0, f"{DOMAIN}\n"),
        (["stats", "registeredusers"], 0, "1\n"),
        (["--version", "0", "stats", "registeredusers"], 0, "1\n"),
        (["stats", "bogus"], 1, "Error: internal_error\n"),
        (["list_banned", "all"], 0, ""),
        (["count_banned", "all"], 0, "0\n"),
        (["registered_users", "montague.example"], 1, None),
        (["kick_user", "admin", DOMAIN], 0, "Kicked sessions: 0\n"),
        (["--version", "1", "kick_user", "admin", DOMAIN], 0, "0\n"),
        (["--version", "1", "ban_account", "nobody", DOMAIN, "x"], 1, "Error: account_does_not_exist\n"),
        (["--version", "1", "get_ban_details", "admin", DOMAIN], 1, "Error: unknown_command\n"),
        (["backup", "x"], 1, "Error: unknown_command\n"),
        (["echo", "x"], 1, "Error: frontend_cannot_call_an_internal_command\n"),
        (["set_last", "admin", DOMAIN, "soon", "x"], 1, None),
        (["unregister", "nobody", DOMAIN], 0, ""),
        (["--auth", "admin", DOMAIN, PASSWORD, "registered_users", DOMAIN], 0, "admin\n"),
        (["--auth", "admin", DOMAIN, "wrong", "registered_users", DOMAIN], 1, "Error: You are not authorized to call this command.\n"),
        (["--auth", "juliet", DOMAIN, PASSWORD, "registered_vhosts"], 1, None),
    ],
)
@pytest.mark.usefixtures("gateway")
def test_lines(line: Callable[..., Ran], words: list[str], code: int, out: str | None) -> None:
    ran = line(*words)
    assert ran.code == code, ran
    assert out is None or ran.out == out
    assert code == 0 or ran.out + ran.err


def test_why_a_command_did_nothing(gateway: Gateway) -> None:
    gateway.parts.accounts.register(parse_jid(f"juliet@{DOMAIN}"), PASSWORD)
    expected = [
        (["ban_account", "nobody", DOMAIN, "x"], "account_does_not_exist"),
        (["ban_account", "a b", DOMAIN, "x"], "account_does_not_exist"),
        (["unban_account", "nobody", DOMAIN], "account_does_not_exist"),
        (["unban_account", "juliet", DOMAIN], "account_was_not_banned"),
        (["ban_account", "juliet", DOMAIN, "x"], ""),
        (["ban_account", "juliet", DOMAIN, "x"], "account_was_already_banned"),
        (["unban_account", "juliet", DOMAIN], ""),
        (["srg_create", "g", DOMAIN, "", "", "a, g, b"], '{wrong_displayed_groups,[<<"a">>,<<"b">>]}'),
        (["srg_create", "g", DOMAIN, "", "", "g"], ""),
        (["srg_add_displayed", "g", DOMAIN, "a"], '{wrong_displayed_groups,[<<"a">>]}'),
        (["srg_add_displayed", "h", DOMAIN, "g"], "group_does_not_exist"),
        (["srg_del_displayed", "g", DOMAIN, "ä"], "{inexistent_displayed_groups,<<195,164>>}"),
        (["srg_set_info", "h", DOMAIN, "label", "x"], "group_does_not_exist"),
        (["srg_user_add", "@all@", DOMAIN, "h", DOMAIN], "group_does_not_exist"),
        (["delete_old_mam_messages", "bogus", "1"], "unsupported_type"),
        (["check_account", "nobody", DOMAIN], "false"),
        (["check_password", "juliet", DOMAIN, "wrong"], "false"),
        (["privacy_set", "juliet", DOMAIN, "<a/>"], "false"),
        (["unregister", "nobody", DOMAIN], ""),
    ]
    for (name, *words), reason in expected:
        code, text = gateway.parts.remote.perform("Runner.run_line", {"name": name, "version": None, "words": words, "auth": None})
        assert (code, text) == ((1, f"Error: {reason}\n") if reason else (0, "")), name


def test_an_account_may_what_it_may(line: Callable[..., Ran], gateway: Gateway) -> None:
    gateway.parts.accounts.register(parse_jid(f"juliet@{DOMAIN}"), PASSWORD)
    auth = ("--auth", "juliet", DOMAIN, PASSWORD)
    assert line(*auth, "registered_vhosts").code == 0
    assert line(*auth, "registered_users", DOMAIN)[:2] == (
        1, "Error: AccessRules: Account does not have the right to perform the operation.\n",
    )  # fmt: skip


def test_rooms_with_options_and_affiliations(line: Callable[..., Ran], gateway: Gateway) -> None:
    options = "title:Verona,public:false,persistent:true"
    assert line("create_room_with_opts", "verona", SERVICE, DOMAIN, options) == (0, "", "")
    ran = line("get_room_options", "verona", SERVICE)
    assert "title\tVerona\n" in ran.out
    assert "public\tfalse\n" in ran.out
    assert line("muc_online_rooms", "global").out == f"verona@{SERVICE}\n"


def test_too_few_and_too_many_words(line: Callable[..., Ran], offline: Callable[..., Ran]) -> None:
    few = line("register", "alice", DOMAIN)
    assert few.code == 2
    assert few.out.startswith("  Command Name: register\n")
    assert few.out.endswith("Error: the command 'register' requires 1 more argument.\n")
    assert line("register", "alice").out.endswith("requires 2 more arguments.\n")
    assert line("registered_vhosts", "a", "b").out.endswith("requires 2 less arguments.\n")
    old = ("subscribe_room_many", "a@b:A,c@d:C", f"r@{SERVICE}", "urn:xmpp:mucsub:nodes:messages")
    assert line(*old).code == 2
    assert offline("--version", "1", *old)[:2] == (1, '{error,"The room does not exist"}\n')


def test_an_unknown_command(line: Callable[..., Ran]) -> None:
    assert line("registr") == (1, "Error: unknown command 'registr'. Did you mean 'register'?\n", "")
    assert re.fullmatch(r"Error: unknown command 'nosuch'\. Did you mean '\w+'\?\n", line("nosuch").out)


@pytest.mark.parametrize("words", [["--offline", "--version"], ["--auth", "a", "b"], ["--config"]])
def test_options_without_their_words(line: Callable[..., Ran], words: list[str]) -> None:
    ran = line(*words)
    assert (ran.code, ran.out) == (2, "")
    assert "after it" in ran.err


@pytest.mark.parametrize(("word", "says"), [("--confg", "--confg; did you mean --config?"), ("--offlin=x", "--offlin; did"), ("-x", "-x; write one of")])
def test_an_unknown_option(line: Callable[..., Ran], word: str, says: str) -> None:
    ran = line("--offline", word, "status")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"Error: there is no option {says}")


def test_no_command(line: Callable[..., Ran]) -> None:
    ran = line()
    assert ran.code == 3
    assert ran.out.startswith("Usage: xmpp-restctl ")
    assert "register USER HOST PASSWORD" in ran.out


def test_help(line: Callable[..., Ran]) -> None:
    for words in (["help"], ["--help"], ["-h"], ["help", "help"]):
        assert line(*words)[:1] == (0,)
        assert line(*words).out.startswith("Usage: ")
    assert re.search(r"^accounts\n    .*register", line("help", "tags").out, re.MULTILINE)
    assert "check_password_hash USER HOST PASSWORDHASH HASHMETHOD" in line("help", "commands").out
    assert "get_roster USER HOST" in line("help", "roster").out
    assert line("help", "get-roster").out.startswith("  Command Name: get_roster\n")
    globbed = line("help", "get_r*").out
    assert "get_roster" in globbed
    assert "register" not in globbed
    assert line("help", "x") == (0, "No tag or command matches 'x'\n", "")


def test_help_shows_the_definition_of_the_version(line: Callable[..., Ran]) -> None:
    assert "scopes::string : " in line("--version", "0", "help", "oauth_issue_token").out
    assert "scopes::[ " in line("help", "oauth_issue_token").out
    assert line("--version", "1", "help", "unban_account").out == "No tag or command matches 'unban_account'\n"


def test_what_is_about_the_process_needs_one(line: Callable[..., Ran], config: Path, request: pytest.FixtureRequest) -> None:
    nothing = f"Error: no storage in {config.parent / 'data'} ([server] data_dir of {config}): no gateway was ever started there\n"
    assert line("status") == (3, "", nothing)
    request.getfixturevalue("storage")
    assert line("status")[:2] == (3, "")
    assert line("status").err.startswith("Error: The gateway does not run (configuration: ")
    request.getfixturevalue("gateway")
    assert line("status").out.startswith(f"The node {NODE} is started. Status: started\n")


def test_a_storage_that_cannot_be_opened(line: Callable[..., Ran], config: Path) -> None:
    config.write_text(config.read_text() + "[storage]\nurl = nothing:x\n")
    assert line("registered_users", DOMAIN).code == 3


def test_wrong_settings(line: Callable[..., Ran], config: Path) -> None:
    config.write_text("[sever]\n")
    ran = line("registered_users", DOMAIN)
    assert ran.code == 3
    assert "did you mean server?" in ran.err


def test_calls_without_a_gateway_are_written_down(offline: Callable[..., Ran], config: Path) -> None:
    offline("register", "alice", DOMAIN, "top-secret")
    offline("create_room_with_opts", "verona", SERVICE, DOMAIN, "password:top-secret,title:x")
    log = config.parent / "data" / "audit.log"
    assert log.stat().st_mode & 0o077 == 0
    text = log.read_text()
    assert ' xmpp_rest.audit command account=null address="the command line" command=register arguments=' in text
    assert '"{\\"user\\":\\"alice\\",' in text
    assert " command=create_room_with_opts " in text
    assert "top-secret" not in text


def test_calls_in_a_gateway_are_written_down(line: Callable[..., Ran], gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    line("check_password", "admin", DOMAIN, "top-secret")
    given = {"user": "admin", "host": DOMAIN, "password": "hidden"}
    assert audited(caplog) == [(None, "the command line", "check_password", given, 200)]


def test_a_job_runs_to_its_end_without_a_gateway(offline: Callable[..., Ran], config: Path, open_driver: OpenDriver) -> None:
    driver = open_driver("sqlite:gateway.sqlite", config.parent / "data")
    driver.archive_append("juliet", DOMAIN, "offline", "<message/>", when=1.0)
    driver.close()
    assert offline("delete_old_messages_batch", DOMAIN, "1", "10", "100000") == (0, "", "")
    assert offline("delete_old_messages_status", DOMAIN).out == "Operation was completed after deleting 1 messages\n"


@pytest.mark.parametrize("words", [("registered_users", "\udcff"), ("\udcff",), ("--auth", "a", "b", "\udcff", "status"), ("token", "\udcff")])
@pytest.mark.usefixtures("gateway")
def test_words_that_are_no_text(line: Callable[..., Ran], words: tuple[str, ...]) -> None:
    ran = line(*words)
    assert (ran.code, ran.out) == (2, "")
    assert "'\\udcff' is not UTF-8" in ran.err


def test_a_reader_who_has_seen_enough() -> None:
    command = [sys.executable, "-m", "xmpp_rest.cli", "help", "commands"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stderr
        child.stdout.close()
        assert (child.stderr.read(), child.wait(60)) == (b"", 0)


@pytest.mark.usefixtures("storage")
def test_letters_that_the_terminal_has_not(config: Path) -> None:
    environ = os.environ | {"XMPP_REST_CONFIG": str(config), "PYTHONIOENCODING": "ascii"}
    for words, out in ((("set_vcard", "admin", DOMAIN, "FN", "\u2603"), b""), (("get_vcard", "admin", DOMAIN, "FN"), b"\\u2603\n")):
        ran = subprocess.run([sys.executable, "-m", "xmpp_rest.cli", "--offline", *words], cwd=ROOT, env=environ, capture_output=True, timeout=60)
        assert (ran.returncode, ran.stdout) == (0, out), ran.stderr


def test_a_room_that_would_be_gone_at_once(offline: Callable[..., Ran]) -> None:
    for words in (("create_room", "verona", SERVICE, DOMAIN), ("create_room_with_opts", "verona", SERVICE, DOMAIN, "title:x")):
        ran = offline(*words)
        assert (ran.code, ran.out) == (3, "")
        assert "a room that is not persistent lasts no longer than the gateway" in ran.err
    assert offline("create_room_with_opts", "verona", SERVICE, DOMAIN, "persistent:true") == (0, "", "")
    assert offline("muc_online_rooms", SERVICE).out == f"verona@{SERVICE}\n"


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


LINES = [("register", "alice", DOMAIN, "pw"), ("registered_users", DOMAIN), ("create_room_with_opts", "verona", SERVICE, DOMAIN, "persistent:true"), ("token", f"admin@{DOMAIN}")]


@pytest.mark.parametrize("words", LINES, ids=[words[0] for words in LINES])
def test_without_a_gateway_nothing_is_done_unless_told(line: Callable[..., Ran], config: Path, storage: None, words: tuple[str, ...]) -> None:
    """Neither where there is a storage, nor where there is none; what is there is named either way."""
    ran = line(*words)
    assert (ran.code, ran.out) == (3, "")
    for word in ("does not run", "--offline", str(config), str(config.parent / "data")):
        assert word in ran.err
    assert line("--offline", *words).code == 0


@pytest.mark.parametrize("url", ["sqlite:gateway.sqlite", "flatfile:accounts", "jsonfile:accounts"])
@pytest.mark.parametrize("words", LINES, ids=[words[0] for words in LINES])
def test_no_storage_is_ever_made(line: Callable[..., Ran], config: Path, words: tuple[str, ...], url: str) -> None:
    config.write_text(config.read_text() + f"[storage]\nurl = {url}\n")
    for folder in ("nowhere", "data"):
        before = below(config.parent)
        for options in ((), ("--offline",)):
            ran = line(*options, *words)
            assert (ran.code, ran.out) == (3, "")
            assert str(config.parent / "data") in ran.err
        assert f"no storage in {config.parent / 'data'} ([server] data_dir of {config})" in ran.err
        assert below(config.parent) == before
        (config.parent / "data").mkdir(mode=0o700, exist_ok=folder == "data")


def test_another_folder_than_that_of_the_gateway(config: Path, gateway: Gateway, tmp_path: Path) -> None:
    """A variable that the service has and the command line does not: the gateway is not found, and nothing is done somewhere else."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "wsgi.ini").write_text(config.read_text())
    environ = {k: v for k, v in os.environ.items() if not k.startswith("XMPP_REST_")} | {"PYTHONPATH": str(ROOT)}
    for config_file, code in ((elsewhere / "wsgi.ini", 3), (config, 0)):
        command = [sys.executable, "-m", "xmpp_rest.cli", "--config", str(config_file), "register", "alice", DOMAIN, "pw"]
        ran = subprocess.run(command, cwd=elsewhere, env=environ, capture_output=True, text=True, timeout=60)
        assert ran.returncode == code, ran
    assert below(elsewhere) == {"wsgi.ini"}
    assert gateway.parts.accounts.exists(parse_jid(f"alice@{DOMAIN}"))


def test_where_it_works_is_said_to_who_asks(line: Callable[..., Ran], config: Path, gateway: Gateway) -> None:
    assert line("-v", "registered_vhosts") == (0, f"{DOMAIN}\n", f"xmpp-restctl: configuration: {config}; data folder: {config.parent / 'data'}\n")
    assert line("registered_vhosts") == (0, f"{DOMAIN}\n", "")

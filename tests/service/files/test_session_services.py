"""The upload services of accounts of other servers, which their sessions ask for (service/files/session_services.py)."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.api.files.test_foreign import INFO, OTHER
from tests.api.files.webserver import Page, WebServer, serving
from tests.conftest import MakeApp
from tests.service.rooms.by_session import ROMEO, SESSION, FakeSessions
from xmpp_rest.config.login_domains import LoginDomains
from xmpp_rest.config.login_tables import LoginSettings
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.namespaces import DISCO_INFO, DISCO_ITEMS, UPLOAD
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.protocol.stanza import refusal, result
from xmpp_rest.service.callbacks.http_client import target_of
from xmpp_rest.service.files import session_services
from xmpp_rest.service.files.foreign_service import FoundService
from xmpp_rest.service.files.refused import FileRefused
from xmpp_rest.service.files.session_services import INSIDE, SessionServices
from xmpp_rest.service.files.session_uploads import MOST_OF_ONE
from xmpp_rest.service.files.uploads import IncomingFile
from xmpp_rest.threads.waits import Wait

SERVICE = "upload.montague.example"
ITEMS = f"<query xmlns='{DISCO_ITEMS}'><item jid='muc.montague.example'/><item jid='{SERVICE}'/></query>"
LOGIN = LoginSettings(domains=("montague.example",), host="", port=None, tls="auto", ca_file=None, private=False, name="m")


class AccountServer(FakeSessions):
    """The account's own server: answers what the session asks. `answers`: (to, name of the payload) → the payload of the result."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__()
        self.open[ROMEO] = SESSION, 1
        self.answers = {("montague.example", DISCO_ITEMS): ITEMS, ("muc.montague.example", DISCO_INFO): OTHER, (SERVICE, DISCO_INFO): INFO}
        self.asked: list[tuple[str, str]] = []
        self.condition = "service-unavailable"  # of what has no answer
        self._router = gateway.parts.router
        self._router.accounts.serve_by(self)
        self._is_over = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        self._is_over.set()
        self.sent.put(parse_stored("<iq to='montague.example' type='result'/>"))

    def slot(self, put: str) -> None:
        slot = f"<slot xmlns='{UPLOAD}'><put url='{put}'/><get url='https://{SERVICE}/get/rose.png'/></slot>"
        self.answers[SERVICE, UPLOAD] = slot

    def _serve(self) -> None:
        while not self._is_over.is_set():
            iq = self.sent.get()
            if iq.get("type") != "get":
                continue
            key = iq.attrib["to"], iq[0].tag.partition("}")[0][1:]
            self.asked.append(key)
            payload = self.answers.get(key)
            said = refusal(iq, stanza_error(self.condition)) if payload is None else result(iq, parse_stored(payload))
            self._router.resolve(said, parse_jid(iq.attrib["to"]), SESSION)


@pytest.fixture
def gateway(make_app: MakeApp) -> Gateway:
    gateway: Gateway = make_app(files_max_size="2000").extensions["gateway"]
    return gateway


@pytest.fixture
def server(gateway: Gateway) -> Iterator[AccountServer]:
    server = AccountServer(gateway)
    yield server
    server.stop()


@pytest.fixture
def web() -> Iterator[WebServer]:
    with serving() as web:
        yield web


def services(gateway: Gateway, login: LoginSettings = LOGIN) -> SessionServices:
    parts = gateway.parts
    return SessionServices(parts.router, LoginDomains({"m": login}, ["capulet.example"]), parts.remote)


def test_the_service_of_the_own_server_is_found_once(gateway: Gateway, server: AccountServer) -> None:
    found = services(gateway)
    assert found.find(SESSION) == FoundService(parse_jid(SERVICE), 1000)
    before = len(server.asked)
    assert found.find(ROMEO) == FoundService(parse_jid(SERVICE), 1000)
    assert len(server.asked) == before


def test_a_server_may_be_its_own_service(gateway: Gateway, server: AccountServer) -> None:
    server.answers = {("montague.example", DISCO_INFO): INFO}
    assert services(gateway).find(SESSION) == FoundService(parse_jid("montague.example"), 1000)


def test_a_server_without_a_service_says_so_clearly(gateway: Gateway, server: AccountServer) -> None:
    server.answers = {}
    with pytest.raises(FileRefused) as refused:
        gateway.parts.foreign.files.uploads.require_room(SESSION, 5)
    assert (refused.value.status, refused.value.detail) == (
        501, "No upload service was found at montague.example, which keeps the files of its accounts",
    )  # fmt: skip


def test_without_a_session_there_is_none(gateway: Gateway, server: AccountServer) -> None:
    server.open.clear()
    assert services(gateway).find(SESSION) is None
    assert server.asked == []


def test_few_are_remembered(gateway: Gateway, server: AccountServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_services, "MOST", 0)
    found = services(gateway)
    for _ in range(2):
        found.find(SESSION)
    assert server.asked.count(("montague.example", DISCO_ITEMS)) == 2


def test_a_file_that_is_too_large_for_it_is_refused_before(gateway: Gateway, server: AccountServer) -> None:
    with pytest.raises(FileRefused) as refused:
        gateway.parts.foreign.files.uploads.require_room(SESSION, 1001)
    assert refused.value.status == 413


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/put",
        "https://[::1]/put",
        "https://10.0.0.7/put",
        "https://192.168.0.1:8443/put",
        "https://169.254.169.254/latest",
        "http://198.51.100.7/put",
        "http://93.184.215.14/put",
        "https://93.184.215.14:25/put",
        "https://[::ffff:127.0.0.1]/put",
    ],
)
def test_a_slot_leads_nowhere_inside(gateway: Gateway, server: AccountServer, url: str) -> None:
    with pytest.raises(FileRefused) as refused:
        services(gateway).addresses(SESSION, target_of(url))
    assert (refused.value.status, refused.value.detail) == (502, INSIDE)


@pytest.mark.parametrize("url", ["https://93.184.215.14/put", "https://93.184.215.14:5443/put"])
def test_a_slot_may_lead_to_a_public_server(gateway: Gateway, server: AccountServer, url: str) -> None:
    target = target_of(url)
    assert [address[4][:2] for address in services(gateway).addresses(SESSION, target)] == [("93.184.215.14", target.port)]


@pytest.mark.parametrize(
    "login", [LOGIN.__class__(**(vars(LOGIN) | {"host": "localhost"})), LOGIN.__class__(**(vars(LOGIN) | {"private": True}))]
)
def test_a_server_that_is_inside_by_the_settings_may_lead_there(gateway: Gateway, server: AccountServer, login: LoginSettings) -> None:
    found = services(gateway)
    found.configure(LoginDomains({"m": login}, ["capulet.example"]))
    assert found.addresses(SESSION, target_of("http://127.0.0.1:8080/put"))


def upload(gateway: Gateway) -> IncomingFile:
    file = gateway.parts.foreign.files.uploads.begin(SESSION, "rose.png", "image/png", size=4, expire=None)
    file.write(b"rose")
    return file


def test_a_file_goes_there(make_app: MakeApp, web: WebServer) -> None:
    gateway: Gateway = make_app(login_m_domains="montague.example", login_m_host="localhost").extensions["gateway"]
    server = AccountServer(gateway)
    web.pages["/put"] = Page(201)
    server.slot(web.url("/put"))
    file = upload(gateway)
    assert (file.size, len(file.sha256)) == (4, 64)
    file.describe("rose.png", "image/png", None)
    offered = file.offer()
    assert (offered.url, offered.id) == (f"https://{SERVICE}/get/rose.png", None)
    assert [(put.method, put.body) for put in web.taken] == [("PUT", b"rose")]
    file.abort()
    server.stop()


def test_a_slot_inside_is_not_used(gateway: Gateway, server: AccountServer, web: WebServer) -> None:
    server.slot(web.url("/put"))
    file = upload(gateway)
    with pytest.raises(FileRefused) as refused:
        file.offer()
    file.abort()
    assert refused.value.detail == INSIDE
    assert web.taken == []


def test_a_service_that_refuses_is_named(gateway: Gateway, server: AccountServer) -> None:
    del server.answers[SERVICE, DISCO_INFO]
    server.answers["montague.example", DISCO_INFO] = INFO
    file = upload(gateway)
    with pytest.raises(FileRefused) as refused:
        file.offer()
    file.abort()
    assert refused.value.status == 502
    assert refused.value.detail.startswith("The upload service montague.example has refused: service-unavailable")


def test_who_may_not_upload_is_told_so(gateway: Gateway, server: AccountServer) -> None:
    server.condition = "forbidden"
    file = upload(gateway)
    with pytest.raises(FileRefused) as refused:
        file.offer()
    file.abort()
    said = f"The upload service {SERVICE} has refused: forbidden. It does not let {ROMEO} upload"
    assert (refused.value.status, refused.value.detail) == (403, said)


def test_files_at_once_are_bounded_per_account_and_together(
    gateway: Gateway, server: AccountServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [upload(gateway) for _ in range(MOST_OF_ONE)]
    with pytest.raises(FileRefused) as refused:
        upload(gateway)
    assert refused.value.status == 429
    for _ in range(2):
        files[0].abort()  # once more does no harm
    files[0] = upload(gateway)
    monkeypatch.setattr("xmpp_rest.service.files.session_uploads.MOST", MOST_OF_ONE)
    monkeypatch.setattr("xmpp_rest.service.files.session_uploads.MOST_OF_ONE", 100)
    with pytest.raises(FileRefused) as full:
        upload(gateway)
    assert full.value.status == 503
    for file in files:
        file.abort()


def test_files_of_one_domain_leave_place_for_others(gateway: Gateway, server: AccountServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xmpp_rest.service.files.session_uploads.MOST_OF_DOMAIN", 2)
    for _ in range(2):
        files = [upload(gateway) for _ in range(2)]
        with pytest.raises(FileRefused) as full:
            upload(gateway)
        assert (full.value.status, full.value.retry_after) == (503, 5)
        for file in files:
            file.abort()


def test_a_file_that_cannot_begin_does_not_count(gateway: Gateway, server: AccountServer) -> None:
    uploads = gateway.parts.foreign.files.uploads
    for _ in range(MOST_OF_ONE + 1):
        with pytest.raises(FileRefused, match="expire"):
            uploads.begin(SESSION, "rose.png", "image/png", size=4, expire=60.0)
    upload(gateway).abort()


def test_a_silent_server_has_none_after_a_while(gateway: Gateway, server: AccountServer) -> None:
    server.stop()
    assert services(gateway).found_for(SESSION, Wait(0.2)) is None

"""What writes to a storage without being a gateway keeps gateways out, that of the same folder too."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from drivers import StorageError
from drivers.lease import NOTE, Lease, LeaseTaken, held
from tests.cli.conftest import make_storage
from xmpp_rest.config.load import load_settings
from xmpp_rest.gateway import tool_lease
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.gateway.tool_lease import held_for


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    """One that has run in this folder, and may start again. It has died a moment ago: its lease was not given back."""
    (tmp_path / "wsgi.ini").write_text("[auth]\niterations = 4096\n")
    make_storage(tmp_path / "wsgi.ini")
    return Gateway(load_settings(tmp_path / "wsgi.ini", {}))


def test_a_gateway_that_is_started_meanwhile(gateway: Gateway) -> None:
    domains = gateway.settings.gateway.domains
    with held_for(gateway.driver, gateway.data_dir, domains, "`xmpp-rest import`"):
        with pytest.raises(LeaseTaken, match="`xmpp-rest import` into /"):
            gateway.prepare()
        with pytest.raises(LeaseTaken, match="a gateway uses the storage for localhost"), held_for(gateway.driver, gateway.data_dir, domains, "another"):
            pytest.fail("two at once")
    gateway.prepare()
    gateway.stop()


def test_a_gateway_that_runs_elsewhere(gateway: Gateway) -> None:
    gateway.driver.note(NOTE, lambda _: None)
    Lease(gateway.driver, "other", "elsewhere", ["other.example"]).claim()
    with pytest.raises(LeaseTaken, match="elsewhere; stop it first"), held_for(gateway.driver, gateway.data_dir, ["localhost"], "x"):
        pytest.fail("it goes on")
    gateway.stop()


def wait_for_the_end_of_renewal() -> None:
    (renewal,) = [thread for thread in threading.enumerate() if thread.name == "lease"]
    renewal.join(30)


def test_it_is_renewed_and_given_back_whatever_happens(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_lease, "RENEWAL", 0.01)
    kept: list[int] = []
    keep = Lease.keep

    def failing(self: Lease) -> None:
        kept.append(1)
        if len(kept) == 2:
            raise StorageError("down")
        keep(self)
        if len(kept) == 3:
            raise LeaseTaken("it is lost")

    monkeypatch.setattr(Lease, "keep", failing)
    with pytest.raises(LeaseTaken, match="it is lost"), held_for(gateway.driver, gateway.data_dir, ["localhost"], "x"):
        wait_for_the_end_of_renewal()
    assert len(kept) == 3
    gateway.driver.note(NOTE, lambda _: None)
    with pytest.raises(KeyError), held_for(gateway.driver, gateway.data_dir, ["localhost"], "x"):
        raise KeyError
    assert not list(held(gateway.driver))
    gateway.stop()

"""Paths of stores."""

from __future__ import annotations

import pytest

from tests.api.data.conftest import ADMIN, Ask
from tests.conftest import DOMAIN

OWN = [
    *("/data/settings", "/data//settings", "/data/settings/", "/data/settings/json", "/data/settings/json/"),
    f"/data/{DOMAIN}/juliet/settings",
    f"/data/{DOMAIN}/juliet/settings/json",
    f"/data/{DOMAIN}/juliet/settings/json/and/more",
    f"/data//{DOMAIN}///juliet//settings",
    f"/data/{DOMAIN}%2Fjuliet%2Fsettings",
    f"/data/{DOMAIN}/j%75liet/s%65ttings",
    "/data/settings?format=lua",
]
NONE = [
    "/data/",
    "/data//",
    f"/data/{DOMAIN}/settings",  # a store of that name
    f"/data/{DOMAIN}/juliet/pep_urn:x",
    f"/data/{DOMAIN}/juliet/se-ttings",
    *(f"/data/{DOMAIN}/juliet/settings2", "/data/s%C3%A9ttings", "/data/settings%0a", "/data/settings%00"),
    *("/data/..%2F..", "/data/%FF", f"/data/{'s' * 201}", f"/data/{'s' * 5000}"),
]


@pytest.mark.parametrize("path", OWN)
def test_a_path_of_the_callers_own_store(ask: Ask, path: str) -> None:
    ask("PUT", "/data/settings", body='{"a":1}')
    response = ask("GET", path)
    assert (response.status_code, response.data) == (200, b'{"a":1}')


@pytest.mark.parametrize("path", OWN)
def test_writing_takes_the_same_paths(ask: Ask, path: str) -> None:
    response = ask("PUT", path, body='{"a":1}')
    assert response.status_code == 201
    assert response.headers["Location"] == f"http://localhost/data/{DOMAIN}/juliet/settings"
    assert ask("GET", "/data/settings").data == b'{"a":1}'
    assert ask("DELETE", path).status_code == 204
    assert ask("GET", "/data/settings").status_code == 404


@pytest.mark.parametrize("path", NONE)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE"])
def test_a_path_that_names_no_store(ask: Ask, method: str, path: str) -> None:
    assert ask(method, path, body='{"a":1}').status_code == 404


def test_the_name_of_a_store_is_looked_at_before_rights_and_behind_credentials(ask: Ask) -> None:
    path = f"/data/{DOMAIN}/nurse/no-store"
    assert ask("GET", path).status_code == 404
    assert ask("GET", f"/data/{DOMAIN}/nurse/store").status_code == 403
    assert ask("GET", path, user="").status_code == 401


def test_a_long_name_that_is_short_enough(ask: Ask) -> None:
    assert ask("PUT", f"/data/{'s' * 200}", body='{"a":1}').status_code == 201
    assert ask("GET", f"/data/{'s' * 200}").data == b'{"a":1}'


@pytest.mark.parametrize("user", ["%00", "a%00b", "a%0Ab", "%FF", "j%FF", "u" * 1024, "%C3%BC" * 512])
def test_an_account_that_cannot_be(ask: Ask, user: str) -> None:
    for method in ("GET", "PUT", "POST", "DELETE"):
        assert ask(method, f"/data/{DOMAIN}/{user}/settings", user=ADMIN, body='{"a":1}').status_code == 404
    assert ask("GET", f"/data/{DOMAIN}/{user}/", user=ADMIN).status_code == 404


@pytest.mark.parametrize(
    ("written", "located"),
    [
        ("j%C3%BCrgen", "j%C3%BCrgen"),
        ("a%20b", "a%20b"),
        ("d\\27artagnan_x-1", "d%5C27artagnan_x-1"),
        ("100%25", "100%25"),
        ("q%3Fx%23y", "q%3Fx%23y"),
        ("a~b@c", "a~b@c"),
        ("%2E%2E", ".."),
        ("%26%3D%2B", "&=+"),
    ],
)
def test_names_are_taken_as_they_stand_and_percent_encoded_in_the_location(ask: Ask, written: str, located: str) -> None:
    response = ask("PUT", f"/data/{DOMAIN}/{written}/settings", user=ADMIN, body='{"a":1}')
    assert response.headers["Location"] == f"http://localhost/data/{DOMAIN}/{located}/settings"
    assert ask("GET", f"/data/{DOMAIN}/{written}/settings", user=ADMIN).data == b'{"a":1}'


def test_names_are_not_normalised(ask: Ask) -> None:
    assert ask("GET", f"/data/{DOMAIN}/JULIET/accounts").status_code == 403
    assert ask("GET", f"/data/{DOMAIN}/JULIET/accounts", user=ADMIN).status_code == 404
    assert ask("GET", f"/data/{DOMAIN.upper()}/juliet/accounts").status_code == 403
    assert ask("GET", f"/data/{DOMAIN.upper()}/juliet/accounts", user=ADMIN).status_code == 403


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_without_a_slash(ask: Ask, method: str) -> None:
    response = ask(method, "/data", user="")
    assert (response.status_code, response.headers["Location"]) == (301, "/data/")

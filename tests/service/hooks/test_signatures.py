"""Which signatures prove that a sender has the secret of a hook (hooks §9)."""

from __future__ import annotations

import base64
import hmac
from hashlib import sha256

import pytest

from xmpp_rest.service.hooks.signatures import is_signed

SECRET, BODY, NOW = "It is the east", b'{"a": 1}', 1_800_000_000.0
KEY = b"0123456789abcdef"
STANDARD = f"whsec_{base64.b64encode(KEY).decode()}"


def hexed(body: bytes = BODY, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, sha256).hexdigest()


def standard(key: bytes, at: int = int(NOW), body: bytes = BODY) -> dict[str, str]:
    signature = base64.b64encode(hmac.new(key, b"msg_1.%d.%s" % (at, body), sha256).digest()).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": f"v1,{signature}"}


@pytest.mark.parametrize(
    ("secret", "headers"),
    [
        (SECRET, {"x-hub-signature-256": f"sha256={hexed()}"}),
        (SECRET, {"x-hub-signature-256": f"sha256={hexed().upper()}"}),
        (SECRET, {"x-gitea-signature": hexed()}),
        (SECRET, {"x-forgejo-signature": hexed()}),
        (SECRET, {"x-gogs-signature": hexed()}),
        (SECRET, {"x-gitlab-token": SECRET}),
        ("Geheimnis-\u00e4", {"x-gitlab-token": "Geheimnis-\u00e4"}),
        ("Geheimnis-\u00e4", {"x-gitlab-token": "Geheimnis-\u00c3\u00a4"}),  # UTF-8, as WSGI has it
        (SECRET, {"x-gitea-signature": hexed(), "x-gogs-signature": hexed(), "x-hub-signature-256": f"sha256={hexed()}", "x-hub-signature": "sha1=0"}),
        (STANDARD, standard(KEY)),
        (STANDARD, standard(KEY, int(NOW) - 299)),
        (STANDARD, standard(KEY) | {"webhook-signature": f"v1a,xyz v1,wrong {standard(KEY)['webhook-signature']}"}),
        (SECRET, standard(SECRET.encode())),
        (SECRET, {"x-grafana-alerting-signature": hexed()}),
        (SECRET, {"x-grafana-alerting-signature": hexed(b"%d:%s" % (NOW, BODY)), "x-grafana-alerting-timestamp": f"{NOW:.0f}"}),
    ],
)  # fmt: skip
def test_right_ones(secret: str, headers: dict[str, str]) -> None:
    assert is_signed(secret, headers, BODY, NOW)
    assert not is_signed(f"{secret}x", headers, BODY, NOW)
    assert not is_signed("", headers, BODY, NOW)


@pytest.mark.parametrize(
    ("secret", "headers"),
    [
        (SECRET, {}),
        (SECRET, {"x-hub-signature": f"sha1={hmac.new(SECRET.encode(), BODY, 'sha1').hexdigest()}"}),
        (SECRET, {"x-hub-signature-256": "sha256="}),
        (SECRET, {"x-hub-signature-256": ""}),
        (SECRET, {"x-hub-signature-256": hexed()}),
        (SECRET, {"x-gitea-signature": ""}),
        (SECRET, {"x-gitlab-token": ""}),
        (SECRET, {"x-gitlab-token": SECRET.lower()}),
        (SECRET, {"x-gitlab-token": SECRET, "x-gitea-signature": hexed(b"other")}),
        (SECRET, {"x-gitlab-token": SECRET, "x-gitea-signature": ""}),
        (SECRET, {"x-gitea-signature": f"\udcff{hexed()[1:]}"}),
        (STANDARD, standard(KEY, int(NOW) - 301)),
        (STANDARD, standard(KEY, int(NOW) + 301)),
        (STANDARD, standard(KEY, body=b"other")),
        (STANDARD, standard(KEY) | {"webhook-id": ""}),
        (STANDARD, standard(KEY) | {"webhook-id": "msg_2"}),
        (STANDARD, standard(KEY) | {"webhook-timestamp": "now"}),
        (STANDARD, standard(KEY) | {"webhook-signature": ""}),
        (STANDARD, standard(KEY) | {"webhook-signature": standard(KEY)["webhook-signature"].replace("v1,", "v2,")}),
        ("whsec_", standard(b"")),
        ("whsec_!", standard(b"!")),
        (SECRET, {"x-grafana-alerting-signature": hexed(), "x-grafana-alerting-timestamp": f"{NOW:.0f}"}),
        (SECRET, {"x-grafana-alerting-signature": hexed(b"1:" + BODY), "x-grafana-alerting-timestamp": "1"}),
    ],
)  # fmt: skip
def test_wrong_ones(secret: str, headers: dict[str, str]) -> None:
    assert not is_signed(secret, headers, BODY, NOW)


@pytest.mark.parametrize(
    "headers", [{"x-hub-signature-256": f"sha256={hexed(secret='')}"}, {"x-gitlab-token": ""}, {"x-gitea-signature": hexed(secret="")}]
)
def test_an_empty_secret_signs_nothing(headers: dict[str, str]) -> None:
    assert not is_signed("", headers, BODY, NOW)

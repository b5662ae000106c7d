"""The library that receivers use accepts our signatures (standardwebhooks.com)."""

from __future__ import annotations

import base64
import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.botapp import MakeBot
from tests.webservice import Answer, Service
from xmpp_rest.config.readers import signing_secret
from xmpp_rest.service.callbacks.http_client import webhook_fields

KEY = b"parting is such sweet sorrow"
WRITTEN = "whsec_" + base64.b64encode(KEY).decode()


@pytest.mark.parametrize("secret", [WRITTEN, "good night, good night"])
def test_signature_of_each_attempt(make_bot: MakeBot, service: Service, secret: str) -> None:
    service.answers["/"] = Answer(503)
    make_bot(service.url("/"), secret=secret, retries="1", retry_max="1").post(body="Grüße, Romeo")
    key = secret if secret == WRITTEN else base64.b64encode(secret.encode()).decode()
    attempts = [service.wait(lambda _: True) for _ in range(2)]
    for request in attempts:
        assert Webhook(key).verify(request.body, dict(request.headers))["body"] == "Grüße, Romeo"
        assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 5
        with pytest.raises(WebhookVerificationError):
            Webhook(key).verify(request.body.replace(b"Romeo", b"Paris"), dict(request.headers))
    assert attempts[0].headers["webhook-id"] == attempts[1].headers["webhook-id"]


def test_no_signature_without_a_secret(make_bot: MakeBot, service: Service) -> None:
    make_bot(service.url("/")).post(body="x")
    headers = service.wait(lambda _: True).headers
    assert "webhook-signature" not in headers
    assert headers["webhook-id"].startswith("msg_")


def test_signature_example_of_the_specification() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # a published test vector
    fields = webhook_fields(signing_secret(secret), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert fields["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("text", ["whsec_", "whsec_not base64", "whsec_abc"])
def test_signature_secret_that_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="whsec_ and the secret in base64"):
        signing_secret(text)

"""`python -m xmpp_rest.api.openapi`: prints the description of all APIs by the settings that nobody has changed, for docs/openapi.json."""

from __future__ import annotations

import json

from xmpp_rest.api.commands import registry
from xmpp_rest.api.openapi.documents import ALL, Documents
from xmpp_rest.config.load import load_settings

if __name__ == "__main__":
    settings = load_settings(None, {})
    print(json.dumps(Documents(registry()).document(ALL, "/", settings.client, settings.commands), ensure_ascii=False, indent=1))

"""`GET /data/{host}/{user}/`: lists the stores of an account. (Not in mod_data_access, where this is a 404.)"""

from __future__ import annotations

from typing import Any

from xmpp_rest.api.data.path import is_store, read_account, url_path
from xmpp_rest.api.data.resource import DataResource
from xmpp_rest.auth.caller import Caller
from xmpp_rest.service.accounts.data_rights import StoreKey


class ListingResource(DataResource):
    """The stores of one account."""

    account: StoreKey

    def allowed_methods(self) -> list[str]:
        return ["GET", "HEAD", "OPTIONS"]

    def refusal(self, caller: Caller) -> str | None:
        account = read_account(self.args["path"])
        if account is None:
            self.refuse(404, "No account can have this name")
        self.account = account
        with self.reading():
            return self.gateway.parts.data_rights.refusal(caller, account, change=False)

    def content_types_provided(self) -> list[tuple[tuple[str, str, str], str]]:
        return [(("application", "json", "*"), "to_json")]

    def to_json(self) -> dict[str, Any]:
        with self.reading():
            stores = self.data.stores(self.account)
        return {"host": self.account.host, "user": self.account.user, "stores": [self._row(*store) for store in stores]}

    def _row(self, store: str, sort: str) -> dict[str, str]:
        """A store whose name has other characters than letters and underscores has no URL."""
        row = {"store": store, "sort": sort}
        return row | {"url": self.url(url_path(self.account._replace(store=store)))} if is_store(store) else row

"""`/data/{host}/{user}/{store}/{format}`: what reading and writing a store have in common."""

from __future__ import annotations

from xmpp_rest.api.data.path import DataPath, read_path
from xmpp_rest.api.data.resource import DataResource
from xmpp_rest.auth.caller import Caller

READS = frozenset({"GET", "HEAD"})


class StoreResource(DataResource):
    """One store of one account. Serves what needs no content: OPTIONS, and methods that are not allowed."""

    ignored_fields = frozenset({"Accept"})  # COMPAT mod_data_access: whatever it says, there is an answer
    data_path: DataPath
    """What the path names; set once the caller is known."""

    def allowed_methods(self) -> list[str]:
        return ["GET", "HEAD", "OPTIONS", "PUT", "POST", "DELETE"]

    def refusal(self, caller: Caller) -> str | None:
        data_path = read_path(self.args["path"], caller.jid)
        if data_path is None:
            self.refuse(404, "The path names no store; write /data/HOST/USER/STORE, and the store in letters and underscores")
        self.data_path = data_path
        with self.reading():
            return self.gateway.parts.data_rights.refusal(caller, data_path.key, change=self.request.method not in READS)

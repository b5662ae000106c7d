"""`/rest/files/{id}`: one of one's own files (files §2.5)."""

from __future__ import annotations

from typing import NoReturn

from flask import Response

from xmpp_rest.api.files.answers import PRIVATE, listed
from xmpp_rest.api.files.resource import FilesResource
from xmpp_rest.auth.caller import CallerKind
from xmpp_rest.http.body import dump_json
from xmpp_rest.http.resource import Stop
from xmpp_rest.protocol.codecs import JSON
from xmpp_rest.service.files.refused import FileRefused


class OneFile(FilesResource):
    """`/rest/files/{id}`: what is known of one's own file; DELETE removes it at once."""

    takes_foreign = False  # nothing of theirs is stored here

    def allowed_methods(self) -> list[str]:
        return ["DELETE", "GET", "HEAD", "OPTIONS"]

    def to_json(self) -> NoReturn:
        files, owner = self.gateway.parts.files, self.whose()
        try:
            file = files.get(self.args["id"])
        except FileRefused as e:
            self.refuse_for(e)
        if file is None or file.owner != owner:
            self._unknown()
        raise Stop(Response(dump_json(listed(files, file)), 200, PRIVATE, content_type=JSON))

    def delete_resource(self) -> bool:
        files, owner = self.gateway.parts.files, self.whose()
        may_all = self.caller.admin or self.caller.kind is CallerKind.COMPONENT
        try:
            file = files.get(self.args["id"])
            if file is None or not (may_all or file.owner == owner) or not files.delete(file.id):
                self._unknown()
        except FileRefused as e:
            self.refuse_for(e)
        return True

    def _unknown(self) -> NoReturn:
        self.refuse(404, "There is no file of this id, or it is somebody else's", "item-not-found")

"""The environ of a request (PEP 3333), with the variables that gunicorn gives."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from gunicorn.http.wsgi import base_environ
from gunicorn.util import split_request_uri

from xmpp_rest.answered import TOLD
from xmpp_rest.serving.request import BadRequest, Peer, Request

Environ = dict[str, Any]

_NO_PREFIX = {"CONTENT-TYPE": "CONTENT_TYPE", "CONTENT-LENGTH": "CONTENT_LENGTH"}
_PORTS = {"http": "80", "https": "443"}


@lru_cache(maxsize=1024)
def _variable(name: str) -> str:
    return _NO_PREFIX.get(name) or "HTTP_" + name.replace("-", "_")


def make_environ(request: Request, peer: Peer, server_address: Any, cfg: Any, base: Environ) -> Environ:
    """The environ of a request of the connection from `peer` to `server_address`.

    `base` belongs to the connection: the first request puts there what is the same for all of them, and whatever else is in it is
    in each environ. Raises BadRequest for a path that does not begin with SCRIPT_NAME.
    """
    if "wsgi.version" not in base:
        base.update(_constant(peer, server_address, cfg))
    head = request.head
    target = head.target
    environ = base.copy()
    repeated: dict[str, list[str]] = {}
    for name, value in head.fields:
        variable = _variable(name)
        if variable in environ:
            repeated.setdefault(variable, [environ[variable]]).append(value)
        else:
            environ[variable] = value
    for variable, values in repeated.items():  # at once: each join copies all
        environ[variable] = ",".join(values)
    if target[0] == "/" and target[1:2] != "/" and "#" not in target:
        path, _, query = target.partition("?")
    else:
        parts = split_request_uri(target)
        path, query = parts.path, parts.query
    if server_address.__class__ is str:
        environ["SERVER_NAME"], environ["SERVER_PORT"] = _named_by_host(environ.get("HTTP_HOST"), head.scheme, server_address)
    prefix = environ["SCRIPT_NAME"]
    if "HTTP_SCRIPT_NAME" in environ:  # a field with an underscore is here only if its sender is one of gunicorn's `forwarded_allow_ips`
        prefix = next((value for name, value in reversed(head.fields) if name == "SCRIPT_NAME"), prefix)
    if prefix:
        if not path.startswith(prefix):
            raise BadRequest(500, "Internal Server Error", f"the path {path!r} does not begin with SCRIPT_NAME, {prefix!r}")
        path = path[len(prefix) :]
        environ["SCRIPT_NAME"] = prefix
    environ["REQUEST_METHOD"] = head.method
    environ["RAW_URI"] = target
    environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1") if "%" in path else path
    environ["QUERY_STRING"] = query
    environ["SERVER_PROTOCOL"] = "HTTP/1.1" if head.version == (1, 1) else "HTTP/{}.{}".format(*head.version)
    environ["wsgi.url_scheme"] = head.scheme
    environ["wsgi.input"] = request.body
    if request.proxy:
        environ.update(request.proxy)
    return environ


def _constant(peer: Peer, server_address: Any, cfg: Any) -> Environ:
    """What is the same for all requests of a connection."""
    variables: Environ = base_environ(cfg)
    variables["wsgi.multithread"] = True
    variables[TOLD] = True
    variables["SCRIPT_NAME"] = os.environ.get("SCRIPT_NAME", "")
    if isinstance(peer, str):
        variables["REMOTE_ADDR"] = peer
    elif isinstance(peer, bytes):
        variables["REMOTE_ADDR"] = os.fsdecode(peer)
    else:
        variables["REMOTE_ADDR"], variables["REMOTE_PORT"] = peer[0], str(peer[1])
    if not isinstance(server_address, str):
        variables["SERVER_NAME"], variables["SERVER_PORT"] = server_address[0], str(server_address[1])
    return variables


def _named_by_host(host: str | None, scheme: str, path: str) -> tuple[str, str]:
    """SERVER_NAME and SERVER_PORT at a Unix socket, which has neither."""
    if host is None:
        return path, ""
    name, colon, port = host.rpartition(":")
    if colon and not port.endswith("]"):  # the colons of an IPv6 address are in brackets
        return name, port
    return host, _PORTS.get(scheme, "")

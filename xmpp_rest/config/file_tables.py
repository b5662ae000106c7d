"""The settings of files: the upload service, the store, and what may be fetched."""

from __future__ import annotations

from dataclasses import dataclass

from xmpp_rest.config import file_readers, readers
from xmpp_rest.config.setting import setting

TERABYTE = 1 << 40


@dataclass(frozen=True)
class FileSettings:
    """Files that are sent, and the upload service (XEP-0363)."""

    domain: str = setting("<domain>", readers.optional(readers.domain_name), "Where the upload service answers: the gateway's own domain, or one below it such as upload.<domain>, which needs a component of its own at the server. Empty: there is no own service.")
    service: str = setting("", readers.optional(readers.domain_name), "Without an own service: the one to ask, such as upload.example.net. Empty: it is looked for at the parent domain.")
    access: tuple[str, ...] = setting("account", file_readers.uploaders, "Who may upload, any of: account (accounts of the hosted domain), callback (addresses of callbacks), addresses, domains (also `*@domain`), all. Callbacks and administrators always may.")
    max_size: int = setting("104857600", readers.number(1, TERABYTE), "Maximum size of a file in bytes.")
    quota: int = setting("1073741824", readers.number(0, 1024 * TERABYTE), "Maximum number of bytes that one uploader has stored at once. 0: no limit.")
    quota_total: int = setting("10737418240", readers.number(0, 1024 * TERABYTE), "Maximum number of bytes that are stored in all. 0: no limit.")
    expire: int = setting("604800", readers.number(0, 10**9), "Seconds until a file is removed. 0: never.")
    slot_seconds: int = setting("300", readers.number(1, 86400), "Seconds until the slot of an upload has to be used.")
    folder: str = setting("files", readers.folder, "Folder of the files, relative to data_dir. Created if missing, with mode 0700.")
    inline: tuple[str, ...] = setting("image/*, video/*, audio/*, text/plain", file_readers.media_types, "Media types that browsers show; all others, and SVG, HTML, XML and scripts always, they save.")
    fetch: bool = setting("no", readers.yes_or_no, "yes: `url=` makes the gateway fetch a file from elsewhere.")
    fetch_hosts: tuple[str, ...] = setting("", file_readers.hosts, "Hosts, also `*.example.net`, that files may be fetched from, with a port or without; by name and port they may have any address. Empty: any public one.")
    fetch_timeout: float = setting("30", readers.seconds(0.1, 3600), "Maximum number of seconds that fetching a file takes.")

"""Builds the store of files, and what sends them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from drivers import Driver
from xmpp_rest.auth.authenticator import Authenticator
from xmpp_rest.auth.shared_keys import SharedKeys
from xmpp_rest.config.table import Settings
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.accounts.accounts import Accounts
from xmpp_rest.service.files.access import FileAccess
from xmpp_rest.service.files.files import FileService
from xmpp_rest.service.files.pruning import FilePruning
from xmpp_rest.service.files.quotas import FileQuotas
from xmpp_rest.service.files.slot_key import FolderKey, StoredKey
from xmpp_rest.service.files.slots import OpenSlots, SlotTokens
from xmpp_rest.service.files.store import FileStore

SLOTS = "slots"
"""The folder of open slots, below that of the files."""


class Filing(NamedTuple):
    """The files of one process, and what removes old ones in the leader."""

    files: FileService
    pruning: FilePruning


def build_files(
    settings: Settings, data_dir: Path, driver: Driver, accounts: Accounts, authenticator: Authenticator, remote: Remote,
    incidents: Incidents,
) -> Filing:  # fmt: skip
    """What takes, keeps and removes files."""
    folder = data_dir / settings.files.folder
    store, slots = FileStore(folder), OpenSlots(folder / SLOTS)
    own = FolderKey(data_dir)
    key = StoredKey(SharedKeys(driver, settings.gateway.domain), own) if settings.cluster.is_on else own
    quotas = FileQuotas(settings.files, store.walk, slots.walk, remote)
    callbacks = {address.bare for callback in settings.callbacks.values() for address in callback.address}
    access = FileAccess(settings.files.access, settings.gateway.domain, callbacks, accounts.exists, authenticator.is_admin)
    files = FileService(settings, store, quotas, access, slots, SlotTokens(key.get), remote, incidents)
    return Filing(files, FilePruning(store, slots, quotas, incidents))

"""What a storage driver of others imports: the contract, and the building blocks of the drivers that come with the gateway.

The same name in a checkout and in an installed package, which has the drivers in different places.
"""

from drivers import (
    DRIVERS,
    EVERY_ITEM,
    Addition,
    ArchiveItem,
    ArchiveQuery,
    BadStorageURL,
    BadValue,
    Content,
    Driver,
    ItemNotFound,
    MemberChange,
    NoCopies,
    Place,
    Sort,
    StorageError,
    Table,
    Value,
    Write,
    error_of,
    open_driver,
)
from drivers.archives import Conditions, check_time, checked_item, checked_query, is_whole
from drivers.copies import OnCopied, StorageFile, unsaid
from drivers.files import durable
from drivers.files.driver import FileDriver
from drivers.files.format import Format
from drivers.files.locking import Locks
from drivers.generations import Generations
from drivers.jsontext import json_text
from drivers.names import Key, check_name, check_text, checked_key
from drivers.sql.driver import SQLDriver
from drivers.values import canonical, canonical_table

__all__ = [
    "DRIVERS",
    "EVERY_ITEM",
    "Addition",
    "ArchiveItem",
    "ArchiveQuery",
    "BadStorageURL",
    "BadValue",
    "Conditions",
    "Content",
    "Driver",
    "FileDriver",
    "Format",
    "Generations",
    "ItemNotFound",
    "Key",
    "Locks",
    "MemberChange",
    "NoCopies",
    "OnCopied",
    "Place",
    "SQLDriver",
    "Sort",
    "StorageError",
    "StorageFile",
    "Table",
    "Value",
    "Write",
    "canonical",
    "canonical_table",
    "check_name",
    "check_text",
    "check_time",
    "checked_item",
    "checked_key",
    "checked_query",
    "durable",
    "error_of",
    "is_whole",
    "json_text",
    "open_driver",
    "unsaid",
]

"""The exit code and the sentences of what went wrong, the same for every verb of `xmpp-rest`."""

from __future__ import annotations

import errno

from drivers import BadStorageURL, StorageError
from drivers.lease import LeaseTaken
from xmpp_rest.config.load import SettingsError
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.exit_codes import CannotStart, Exit

OF_SERVICES = {"link-down": Exit.UNAVAILABLE, "storage-failed": Exit.UNAVAILABLE, "internal": Exit.SOFTWARE, "unanswered": Exit.UNAVAILABLE}
OF_STATUSES = {401: Exit.NOPERM, 403: Exit.NOPERM, 503: Exit.TEMPFAIL}
OF_SYSTEM = {
    **dict.fromkeys((errno.EACCES, errno.EPERM), Exit.NOPERM),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR, errno.EISDIR), Exit.NOINPUT),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EEXIST, errno.EFBIG), Exit.CANTCREAT),
    **dict.fromkeys((errno.ECONNREFUSED, errno.ECONNRESET, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH), Exit.UNAVAILABLE),
}
"""Exit codes by names of errors, HTTP statuses and numbers of the system."""


def told(error: Exception) -> tuple[Exit, tuple[str, ...]] | None:
    """The exit code and what is printed, a line each; None for a fault of the program."""
    match error:
        case CannotStart():
            return error.code, error.problems
        case SettingsError():
            return Exit.CONFIG, tuple(error.problems)
        case LeaseTaken():
            return Exit.TEMPFAIL, (str(error),)
        case BadStorageURL():
            return Exit.CONFIG, (str(error),)
        case StorageError():
            return Exit.UNAVAILABLE, (str(error),)
        case GatewayError():
            return OF_SERVICES.get(error.name, OF_STATUSES.get(error.row.status, Exit.REFUSED)), (error.text,)
        case OSError():
            reason = error.strerror or str(error)
            named = f"{error.filename}: {reason}" if error.filename else reason
            return OF_SYSTEM.get(error.errno or 0, Exit.OSERR), (named,)
    return None

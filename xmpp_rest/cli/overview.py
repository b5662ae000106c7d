"""The first page of the help of `xmpp-restctl`."""

from __future__ import annotations

TOOL = "xmpp-restctl"
USAGE = f"Usage: {TOOL} [--config FILE] [--version N] [--auth USER HOST PASSWORD] COMMAND [ARGUMENTS]"
OVERVIEW = f"""\
{USAGE}

Runs a command in the running gateway, or on its storage when none runs. Lists are written a,b, tuples x:y.

  {TOOL} help                 this page
  {TOOL} help tags            the tags, and the commands of each
  {TOOL} help commands        all commands
  {TOOL} help TAG             the commands of a tag
  {TOOL} help COMMAND         a command, its arguments and its result
  {TOOL} help 'get_*'         the commands whose name matches
  {TOOL} token JID            a token for scripts; see `{TOOL} token --help`
  {TOOL} --version            the version of the program
"""

"""`xmpp-rest check`: validates the configuration, tries what it needs, and says what the gateway would do. Makes nothing."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from xmpp_rest.api.commands import registry
from xmpp_rest.cli.gateway import say_place, storage_remarks
from xmpp_rest.cli.output import remark, write
from xmpp_rest.cli.verbs import Load
from xmpp_rest.config.check import describe, nonsense, remarks
from xmpp_rest.config.file_check import link_remark
from xmpp_rest.config.find import find_config
from xmpp_rest.config.load import Reading, read_settings
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.data_folder import unwritable
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.gateway.startup import folder_of, problems
from xmpp_rest.service.hooks.template_files import check_template

NEEDS = {("storage", "url"): ("server", "data_dir"), ("server", "data_dir"): ("storage", "url")}
"""Places with which another one is tried."""
PLACE = re.compile(r"\[([^\]]+)\](?: (\w+))?")


def run(_: Load, options: argparse.Namespace) -> int:
    """Check; the exit code. Raises CannotStart, with all mistakes at once, and SettingsError for a file that is not to be trusted."""
    path = find_config(options.config)
    write(f"reads {path.absolute() if path else 'no file: the environment and the defaults count'}\n")
    reading = read_settings(path)
    settings = reading.settings
    say_place(settings, "xmpp-rest", asked=options.verbose)
    found = list(_mistakes(reading))
    if not reading.problems:
        write("".join(f"would {line}\n" for line in describe(settings)))
    tried = () if reading.wrong else storage_remarks(settings)
    tried = tried if found else (*tried, *link_remark(settings), *_folder_remark(settings))
    for sentence in (*remarks(settings), *tried):
        remark(sentence)
    if found:
        raise CannotStart(found[0].code, *(sentence for problem in found for sentence in problem.problems))
    return Exit.DONE


def _folder_remark(settings: Settings) -> Iterator[str]:
    """That files cannot be stored; all else can be served."""
    folder = folder_of(settings) / settings.files.folder
    if sentence := unwritable(folder):
        yield f"[files] folder = {settings.files.folder}: {sentence}; until then nothing can be uploaded"


def _mistakes(reading: Reading) -> Iterator[CannotStart]:
    """What would make a start fail. What is wrong already has a default, which is not what was meant: nothing is said about that."""
    if reading.problems:
        yield CannotStart(Exit.CONFIG, *reading.problems)
    if not any(section == "gateway" for section, _ in reading.wrong):  # nearly all of it compares addresses with the domain
        senseless = [sentence for sentence in nonsense(reading.settings, registry(), check_template) if not _is_about(sentence, reading)]
        if senseless:
            yield CannotStart(Exit.CONFIG, *senseless)
            reading = reading._replace(wrong=reading.wrong | {_place(sentence) for sentence in senseless})
    for problem in problems(reading.settings, beside=True):
        if not all(_is_about(sentence, reading) for sentence in problem.problems):
            yield problem


def _is_about(sentence: str, reading: Reading) -> bool:
    """Whether a sentence is about what is known to be wrong."""
    place = _place(sentence)
    return place in reading.wrong or NEEDS.get(place) in reading.wrong


def _place(sentence: str) -> tuple[str, str]:
    """The section and the key that a sentence begins with."""
    match = PLACE.match(sentence)
    return (match[1], match[2] or "") if match else ("", "")

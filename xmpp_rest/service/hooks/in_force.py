"""The settings of hooks as they are in force now, for what asks for them each time."""

from __future__ import annotations

from xmpp_rest.config.hook_check import templates_folder
from xmpp_rest.config.hook_tables import HooksSettings
from xmpp_rest.config.table import Settings


class HookSettingsInForce:
    """They are replaced when the configuration is read again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def configure(self, settings: Settings) -> None:
        """Have these in force from now on."""
        self._settings = settings

    def hooks(self) -> HooksSettings:
        """[hooks]."""
        return self._settings.hooks

    def templates_folder(self) -> str:
        """The folder of [hooks] templates, "" for none."""
        return templates_folder(self._settings)

    def cache(self) -> float:
        """[ntfy] cache, in seconds."""
        return self._settings.ntfy.cache

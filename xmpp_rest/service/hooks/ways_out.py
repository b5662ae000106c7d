"""How hooks were put out of rooms, to be told to who sends by them next (hooks §3)."""

from __future__ import annotations

import threading
from collections import OrderedDict

from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.service.hooks.message import HOOK
from xmpp_rest.service.rooms.losses import DESTROYED, PUT_OUT
from xmpp_rest.service.rooms.refused import RoomRefusal
from xmpp_rest.service.rooms.values import Reason, RoomPlace, RoomState, RoomView

MOST = 10_000  # occupants
WHO, WHY = 100, 500  # characters that are told of who put somebody out, and of the reason
WORDS = {301: "banned", 321: "membership ended", 322: "made for members only", 307: "kicked"}
"""Status → what that means for the hook. The first that is there counts."""
_UNTOLD = {DESTROYED, *(sentence for _, sentence in PUT_OUT.values())}


class WaysOut:
    """Safe to be used by several threads."""

    def __init__(self) -> None:
        self._told: OrderedDict[RoomPlace, tuple[str, bool]] = OrderedDict()  # sentence, and whether the room was destroyed
        self._lock = threading.Lock()

    def note(self, place: RoomPlace, reason: Reason | None) -> None:
        """The hook is out of this room for this reason: by its own words, if that is told already."""
        if reason is None or not (reason.status or reason.condition == "gone"):
            return
        is_destroyed = reason.condition == "gone"
        word = next((word for code, word in WORDS.items() if code in reason.status), "")
        what = DESTROYED if is_destroyed else f"The hook was put out of the room{f': {word}' if word else ''}"
        by = f" by {reason.actor[:WHO]}" if reason.actor else ""
        why = f": {reason.text[:WHY]}" if reason.text and reason.text not in _UNTOLD else ""
        with self._lock:
            self._told[place] = f"{what}{by}{why}", is_destroyed
            self._told.move_to_end(place)
            if len(self._told) > MOST:
                self._told.popitem(last=False)

    def changed(self, view: RoomView) -> None:
        """Something has changed of a membership, perhaps of a hook's: it was put out, or is in."""
        place = view.place
        if not place.occupant.resource.startswith(HOOK):
            return
        if view.state == RoomState.OUT.value:
            self.note(place, view.reason)
        elif view.state == RoomState.IN.value:
            with self._lock:
                self._told.pop(place, None)

    def told(self, place: RoomPlace, refusal: RoomRefusal) -> StanzaError:
        """Why a message is refused, with how the hook was put out before, if it has not come in since."""
        with self._lock:
            is_out = place in self._told
        error = self.explained(place, refusal) if is_out else None
        return error or refusal.error

    def explained(self, place: RoomPlace, refusal: RoomRefusal | None) -> StanzaError | None:
        """Why the room does not let the hook in, with what has happened before; None: it is in, and that counts no more."""
        with self._lock:
            told = self._told.get(place)
            if refusal is None:
                self._told.pop(place, None)
                return None
        error = refusal.error if refusal.is_told else refusal.error._replace(text="")
        if told is None:
            return error
        text, is_destroyed = told
        if is_destroyed and error.condition in ("item-not-found", "gone"):
            return StanzaError("cancel", "gone", text)
        return error._replace(text=f"{error.text.rstrip('. ')}. {text}" if error.text else text)

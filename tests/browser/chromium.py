"""Debian's Chromium without a window, driven over the DevTools protocol as far as the tests need it."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import websocket

from tests.live.child import LOOPBACK, Child

SECONDS = 60  # that anything may take
NAVIGATED = "Inspected target navigated"  # what is said of a page on which something waited as another one took its place
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-default-browser-check"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--mute-audio"),
    *(
        "--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider",
        "--password-store=basic",
        "--remote-debugging-port=0",
    ),
)
KEYS = {  # name → code, what Windows calls it, and the text that it writes
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    "Escape": ("Escape", 27, ""),
    " ": ("Space", 32, " "),
}
CONTROLS = frozenset({"button", "checkbox", "combobox", "link", "listbox", "searchbox", "switch", "tab", "textbox"})
CTRL, SHIFT = 2, 8  # Input.dispatchKeyEvent
WATCH = "window.reports = []; document.addEventListener('securitypolicyviolation', (e) => reports.push(`${e.violatedDirective} ${e.blockedURI}`));"


class Chromium(Child):
    """A browser with a fresh profile in `folder`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._profile = folder / "profile"
        self._number = 0
        self._events: list[dict[str, Any]] = []

    def command(self) -> list[str]:
        return ["chromium", *FLAGS, f"--user-data-dir={self._profile}", "about:blank"]

    def environment(self) -> Mapping[str, str]:
        return {
            "HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder),
            "XDG_CACHE_HOME": str(self.folder),
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",
        }

    def ready(self) -> bool:
        return len(self._address()) == 2

    def _address(self) -> list[str]:
        file = self._profile / "DevToolsActivePort"
        return file.read_text().split() if file.exists() else []

    def start(self) -> None:
        super().start()
        port, path = self._address()
        url = f"ws://{LOOPBACK}:{port}{path}"
        self._socket = websocket.create_connection(url, timeout=SECONDS, suppress_origin=True, max_size=None)

    def stop(self, timeout: float = 10.0) -> None:
        self._socket.close()
        super().stop(timeout)

    def open(self, url: str, *, width: int = 1100, height: int = 800, dark: bool = False) -> Page:
        """A page of its own, with storage of its own."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        page.prepare(width, height, dark=dark)
        page.go(url)
        return page

    def call(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        """What a command answers; the events that come meanwhile are kept."""
        self._number += 1
        number = self._number
        self._socket.send(json.dumps({"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})))
        while True:
            message: dict[str, Any] = json.loads(self._socket.recv())
            if message.get("id") != number:
                self._events.append(message)
                continue
            if "error" in message:
                raise AssertionError(f"{method}: {message['error']}")
            result: dict[str, Any] = message["result"]
            return result

    def events(self, session: str, method: str) -> list[dict[str, Any]]:
        """The events of a page that have come so far."""
        return [e["params"] for e in self._events if e.get("sessionId") == session and e.get("method") == method]


class Page:
    """One page. Controls are found by role and accessible name, as assistive technology finds them."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser = browser
        self._session = session

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **params)

    def prepare(self, width: int, height: int, *, dark: bool) -> None:
        for domain in ("Page", "Runtime", "Log", "DOM", "Accessibility", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme, {"name": "prefers-reduced-motion", "value": "reduce"}])

    def go(self, url: str) -> None:
        answer = self.call("Page.navigate", url=url)
        assert "errorText" not in answer, answer
        self.until("document.readyState === 'complete'")

    def js(self, expression: str) -> Any:
        """The value of an expression; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in answer, (expression, answer["exceptionDetails"])
        return answer["result"].get("value")

    def until(self, condition: str) -> None:
        """Return once an expression is true. The page looks at it every 20 ms, and so does another one that takes its place."""
        wait = f"""new Promise((give, fail) => {{
            const end = Date.now() + {SECONDS * 1000 - 2000};
            const look = () => {{
                if ({condition}) give(0); else if (Date.now() > end) fail(new Error("not in time")); else setTimeout(look, 20);
            }};
            look();
        }})"""
        until = time.monotonic() + SECONDS
        while True:
            try:
                self.js(wait)
                return
            except AssertionError as e:
                if NAVIGATED not in str(e) or time.monotonic() > until:
                    raise AssertionError(f"{condition} did not come true; the page says: {self.text()!r}") from e

    def text(self, selector: str = "body") -> str:
        return str(self.js(f"document.querySelector({json.dumps(selector)}).innerText"))

    def wait_text(self, selector: str, part: str) -> None:
        """Until the text of an element has this in it."""
        self.until(f"document.querySelector({json.dumps(selector)})?.textContent.includes({json.dumps(part)})")

    def find(self, role: str, name: str) -> int:
        """The one visible element of this role and accessible name."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        nodes = self.call("Accessibility.queryAXTree", nodeId=root, accessibleName=name, role=role)["nodes"]
        found = [node["backendDOMNodeId"] for node in nodes if not node["ignored"]]
        assert len(found) == 1, f"{len(found)} elements are a {role} named {name!r}"
        return int(found[0])

    def unnamed(self) -> list[str]:
        """The roles of controls that have no accessible name."""
        nodes = [node for node in self.call("Accessibility.getFullAXTree")["nodes"] if not node["ignored"] and "role" in node]
        return [
            str(n["role"]["value"]) for n in nodes if n["role"]["value"] in CONTROLS and not str(n.get("name", {}).get("value", "")).strip()
        ]

    def click(self, role: str, name: str) -> None:
        node = self.find(role, name)
        self.call("DOM.scrollIntoViewIfNeeded", backendNodeId=node)
        box = self.call("DOM.getBoxModel", backendNodeId=node)["model"]["border"]
        x, y = sum(box[0::2]) / 4, sum(box[1::2]) / 4
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def fill(self, role: str, name: str, text: str) -> None:
        """Focus a field, and write into it in place of what is there."""
        self.call("DOM.focus", backendNodeId=self.find(role, name))
        self.js("document.activeElement.select()")
        self.type(text)

    def type(self, text: str) -> None:
        """Write where the focus is."""
        self.call("Input.insertText", text=text)

    def press(self, key: str, modifiers: int = 0) -> None:
        code, number, text = KEYS[key]
        common = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": modifiers}
        self.call("Input.dispatchKeyEvent", type="keyDown", text="" if modifiers & CTRL else text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def focused(self) -> str:
        """The accessible role and name of what has the focus, such as `button Log in`."""
        node = self.call("Runtime.evaluate", expression="document.activeElement")["result"]["objectId"]
        (first, *_) = self.call("Accessibility.getPartialAXTree", objectId=node, fetchRelatives=False)["nodes"]
        return f"{first['role']['value']} {first.get('name', {}).get('value', '')}"

    def complaints(self) -> list[str]:
        """What the console of the browser shows as an error, exceptions, and what the policy has reported."""
        self.js("0")  # what the page has done so far is reported by now
        found = [e["exceptionDetails"].get("exception", {}).get("description", "?") for e in self._events("Runtime.exceptionThrown")]
        found += [str(e["args"]) for e in self._events("Runtime.consoleAPICalled") if e["type"] in ("error", "warning", "assert")]
        found += [e["entry"]["text"] for e in self._events("Log.entryAdded") if e["entry"]["level"] in ("error", "warning")]
        return found + list(self.js("window.reports"))

    def _events(self, method: str) -> list[dict[str, Any]]:
        return self._browser.events(self._session, method)

    def requests(self) -> list[str]:
        """The URLs that the page has asked for."""
        return [e["request"]["url"] for e in self._events("Network.requestWillBeSent")]

    def is_too_wide(self) -> bool:
        """Whether one has to scroll sideways."""
        return bool(self.js("document.documentElement.scrollWidth > document.documentElement.clientWidth"))

    def picture(self, name: str) -> None:
        """Write what is to be seen as a PNG into the folder that BROWSER_PICTURES names, if it does: for people to look at."""
        if folder := os.environ.get("BROWSER_PICTURES"):
            data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=False)["data"]
            (Path(folder) / f"{name}.png").write_bytes(base64.b64decode(data))

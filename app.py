"""`create_app()` for gunicorn, Passenger and mod_wsgi; `python app.py [--config FILE]` serves by wsgi.ini."""

from flask import Flask

from xmpp_rest.application import create_app

__all__ = ["create_app"]


def __getattr__(name: str) -> Flask:
    """`app:app` and `app:application`: the application for servers that want no function; made when it is asked for."""
    if name not in ("app", "application"):
        raise AttributeError(name)
    return globals().setdefault("app", create_app())  # type: ignore[no-any-return]


if __name__ == "__main__":
    import sys

    from xmpp_rest.__main__ import main

    sys.exit(main())

"""`create_app()` for gunicorn, Passenger and mod_wsgi; `python app.py [--config FILE]` serves by wsgi.ini."""

from xmpp_rest.application import create_app

__all__ = ["create_app"]

if __name__ == "__main__":
    import sys

    from xmpp_rest.__main__ import main

    sys.exit(main())

"""HTTP for Flask applications: the state machine of docs/resource.md, and what its resources need. It knows nothing of XMPP.

Public:

- ``resource``: Resource, Stop, SwitchHandler, Accepted, Created, SeeOther: the base class of resources
- ``request``: WholeRequest, read_body, body_stream: bodies within a bound, decompressed
- ``sse``: EventStream: server-sent events, ended when the client closes its ``client_gone.Connection``
- ``problem``: render_problem: the body of an error (RFC 9457)
- ``body``, ``choice``, ``encodings``, ``fields``, ``methods``, ``range_field``, ``conditional.parse_tags``: functions on fields and bodies

All other modules are the machine: ``machine`` has its charts; ``start``, ``negotiation``, ``conditional``, ``ranges`` and ``write`` have
its steps; ``finish`` completes the response; ``state``, ``builder`` and ``callbacks`` are what the steps share.
"""

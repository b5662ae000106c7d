"""Account records that a real Prosody 0.12.3 wrote, with the passwords that open them."""

from __future__ import annotations

from typing import Any

RECORDS: list[tuple[str, dict[str, Any]]] = [
    (
        "wherefore art thou",
        {
            "salt": "9bd9d9aa-0d31-4156-92f8-0acf97e2669d",
            "stored_key": "20ec10907bdcb80dc03ad3113576986a9698cc14",
            "server_key": "b34e1863bf883f2dd859bf7ce7faf6077d9dfa93",
            "iteration_count": 10000,
        },
    ),
    (
        "b3nv0l10",
        {
            "iteration_count": 10000,
            "server_key": "c13a235e4faf6df2650b6221a74941143d2a5305",
            "stored_key": "b2620b0fa252ec6df2b2c55716fc613ccc161ef0",
            "salt": "688b9aed-5815-47fb-aca4-7f035a320ebf",
        },
    ),
    (
        "Ⅸ-ﬁsh™ Pässwörd",
        {
            "salt": "87a0dd4c-af95-4831-a0ae-2f7382d3afc0",
            "server_key": "f6eb8abe5f90412b94fc17b74540ae2c0fa42d4a",
            "iteration_count": 10000,
            "stored_key": "9f0c569d85024430f4386c5dc09a332cdedae743",
        },
    ),
    (
        "IX-fishTM Pässwörd",
        {
            "salt": "87a0dd4c-af95-4831-a0ae-2f7382d3afc0",
            "server_key": "f6eb8abe5f90412b94fc17b74540ae2c0fa42d4a",
            "iteration_count": 10000,
            "stored_key": "9f0c569d85024430f4386c5dc09a332cdedae743",
        },
    ),
    (
        "prince-of-verona",
        {
            "server_key": "7d76747be47adbcb932a9a08d710c2ad27ad2e8bdf675db3e17e2ba5cd24fe83",
            "iteration_count": 10000,
            "salt": "57d6b653-12f9-4d79-b83c-6a334a4d5681",
            "stored_key": "db3ca03461e53dbf28a86242d7e0acdd0d59cb5b56eff09d0a07572888f4dd1f",
        },
    ),
    ("plain in a hashed host", {"password": "plain in a hashed host"}),
    ("R0m30-forever", {"password": "R0m30-forever"}),
]

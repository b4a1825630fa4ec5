"""The link to a Dask scheduler."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tools.errors import UsageError

LOST = 50
"""Workers that may die under one piece of work before it counts as failed."""


def add_options(parser: argparse._ActionsContainer, what: str) -> None:
    """--cluster and --tls. what: what the workers do."""
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help=f"a Dask scheduler (extra cluster) whose workers {what}",
    )
    parser.add_argument(
        "--tls", metavar="DIR", help="ca.pem, cert.pem and key.pem for a tls:// scheduler"
    )


@contextmanager
def connected(address: str, tls: Path | None) -> Iterator[Any]:
    """A ``distributed.Client`` of the scheduler at ``address``. tls: folder with ca.pem, cert.pem
    and key.pem, required for tls:// addresses. Raises UsageError."""
    if find_spec("distributed") is None:
        raise UsageError(
            "--cluster",
            "the library distributed",
            "none that is installed",
            "install the extra [cluster], or leave the option out",
        )
    from distributed import Client, Security
    from distributed.comm.addressing import parse_address, parse_host_port

    security = None if tls is None else Security(**_certificates(tls))
    try:
        parse_host_port(parse_address(address)[1])  # a client without one takes long to give up
        client = Client(address, security=security, timeout=20, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            "--cluster",
            f"a Dask scheduler at {address}",
            str(error),
            "start one with `dask scheduler` and workers with `dask worker ADDRESS --nthreads 1`",
        ) from None
    with client:
        yield client


def threads(client: Any) -> int:
    """Pieces of work that the workers do at a time, all of them together, at this moment."""
    return sum(client.nthreads().values())


def _certificates(folder: Path) -> dict[str, object]:
    paths = {name: folder / f"{name}.pem" for name in ("ca", "cert", "key")}
    for path in paths.values():
        if not path.is_file():
            raise UsageError("--tls", str(path), "nothing there")
    return {
        "tls_ca_file": str(paths["ca"]),
        "tls_client_cert": str(paths["cert"]),
        "tls_client_key": str(paths["key"]),
        "require_encryption": True,
    }

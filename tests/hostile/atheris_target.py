"""Coverage-guided bytes for the parsers; needs `pip install atheris`, which is no part of the dev extra.

python -m tests.hostile.atheris_target --runs N [libFuzzer's own options]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any


def _instrumented() -> Any:
    """Import atheris, then everything that it shall watch."""
    try:
        import atheris  # noqa: PLC0415  # only this command needs it
    except ImportError:
        sys.exit("atheris is not installed here: `pip install atheris` (Linux, Python 3.11 to 3.13), then again")
    with atheris.instrument_imports(include=["rebalancer.venues.htx", "rebalancer.core.money"]):
        from tests.hostile import parsers  # noqa: PLC0415

        assert parsers
    return atheris


def one_input(data: bytes) -> None:
    """Read one input as the answer of the endpoint that its first byte names."""
    from tests.hostile.parsers import PARSERS, place, read  # noqa: PLC0415  # instrumented by now
    from tests.hostile.truth import strict  # noqa: PLC0415

    if not data:
        return
    endpoints = [*PARSERS, "place"]
    endpoint, body = endpoints[data[0] % len(endpoints)], data[1:]
    if endpoint == "place":
        place(body, strict(body))
    else:
        read(endpoint, body, strict(body))


def write_corpus(folder: Path) -> None:
    """Write the good answers, as inputs, for the fuzzer to begin with."""
    from tests.hostile.parsers import PARSERS  # noqa: PLC0415
    from tests.hostile.shapes import all_shapes  # noqa: PLC0415

    endpoints = [*PARSERS, "place"]
    for number, shape in enumerate(all_shapes()):
        if shape.endpoint in endpoints:
            (folder / f"{number}").write_bytes(bytes([endpoints.index(shape.endpoint)]) + shape.body)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=1_000_000, help="inputs to try (default 1000000)")
    chosen, more = options.parse_known_args()
    atheris = _instrumented()
    with tempfile.TemporaryDirectory() as folder:
        write_corpus(Path(folder))
        atheris.Setup([sys.argv[0], folder, f"-runs={chosen.runs}", "-max_len=8192", *more], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()

"""One target under atheris, in a process of its own: `python -m fuzz.engine TARGET FOLDER LIBFUZZER-OPTION...`.

FOLDER holds what libFuzzer finds; what it is to begin with is among the options.
"""

import importlib
import logging
import sys
import tempfile
from pathlib import Path

import atheris
import structlog


def main() -> None:
    target, *options = sys.argv[1:]
    with atheris.instrument_imports(include=["healthheartbeat", "fuzz", "json"]):
        module = importlib.import_module(f"fuzz.{target}")
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
    )  # not a line about millions
    with tempfile.NamedTemporaryFile("w", suffix=".dict", delete=False) as words:
        for token in module.TOKENS:
            words.write('"' + "".join(f"\\x{byte:02x}" for byte in token) + '"\n')
    options.append(f"-dict={words.name}")

    def check(data: bytes) -> None:
        module.check(data)

    itself = f"{sys.executable} -m fuzz.engine {target}"  # a merge starts it again, through a shell
    atheris.Setup([itself, *options], check)
    try:
        atheris.Fuzz()
    finally:
        Path(words.name).unlink(missing_ok=True)


if __name__ == "__main__":
    main()

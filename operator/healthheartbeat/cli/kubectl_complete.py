"""`kubectl_complete-healthheartbeat`: what kubectl asks for the words after `kubectl healthheartbeat`.

kubectl gives the words typed so far, the one to be completed last ("" for none yet), and reads one offer a line and
then a colon with a number that says what the shell is to do besides.
"""

import os
import shlex
import sys
from typing import Final

import typer

from healthheartbeat.cli.polytraders import gov

VARIABLE: Final = "_KUBECTL_HEALTHHEARTBEAT_COMPLETE"
FILES_TOO: Final = ":0"
NO_FILES: Final = ":4"
PATHS: Final = ("--kubeconfig",)
"""Options that take a file: which there are, the shell knows itself."""


def complete() -> None:
    """Print the offers for the words in sys.argv."""
    typed = sys.argv[1:] or [""]
    if typed[-2:-1] and typed[-2] in PATHS:
        typer.echo(FILES_TOO)
        return
    words = shlex.join(["gov", "health", *typed])
    os.environ.update({VARIABLE: "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(typed) + 1)})
    try:
        gov(prog_name="gov", complete_var=VARIABLE)
    except SystemExit:
        typer.echo(NO_FILES)

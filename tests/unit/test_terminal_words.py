"""What anybody may have written is shown by the command line as text: neither escapes nor markup act on a terminal."""

import pytest

from healthheartbeat.cli.health.options import Output
from healthheartbeat.cli.health.output import console, plain, print_data

SAID = "\x1b]0;owned\x07\x1b[2J[bold red]all is well[/]\r:warning:\u202e"


def test_escapes_and_markup_of_others_are_shown_and_not_acted_on(capsys: pytest.CaptureFixture[str]) -> None:
    console().print(plain(SAID))
    assert capsys.readouterr().out == "?]0;owned??[2J[bold red]all is well[/]?:warning:?\n"


@pytest.mark.parametrize("output", [Output.JSON, Output.YAML])
def test_data_for_programs_is_ascii_without_control_characters(
    capsys: pytest.CaptureFixture[str], output: Output
) -> None:
    print_data({"message": SAID}, output)
    out = capsys.readouterr().out
    assert out.isascii()
    assert all(character.isprintable() or character == "\n" for character in out)

"""The notify file: what is read of it, and that no word about it holds a credential."""

import pytest

from healthheartbeat.adapters.notify.urls import MAX_BYTES, MAX_URLS, parse


@pytest.mark.parametrize(
    "text",
    [
        "slack://A/B/C\npagerduty://K@L\n",
        "\ufeff# on call\n\n  slack://A/B/C  \r\n# and\npagerduty://K@L",
        "urls:\n- slack://A/B/C\n- pagerduty://K@L\n",
        "version: 1\nurls: [slack://A/B/C, 'pagerduty://K@L']\n",
        "# on call\n- slack://A/B/C\n- pagerduty://K@L\n- slack://A/B/C\n",
        "---\nurls:\n- slack://A/B/C\n- pagerduty://K@L\n",
    ],
)
def test_a_url_a_line_or_a_yaml_list(text: str) -> None:
    parsed = parse(text.encode())
    assert [address.url for address in parsed.addresses] == ["slack://A/B/C", "pagerduty://K@L"]
    assert parsed.problems == ()


def test_a_bad_line_is_named_by_number_never_shown_and_leaves_the_others_in_force() -> None:
    parsed = parse(b"# first\nslack://A/B/C\nhunter2-token\njson://x\n")
    assert [(address.place, address.url) for address in parsed.addresses] == [
        ("line 2", "slack://A/B/C"),
        ("line 4", "json://x"),
    ]
    assert parsed.problems == ("line 3 is no URL",)


def test_a_bad_entry_of_a_yaml_list_is_named_by_its_place() -> None:
    parsed = parse(b"urls:\n- slack://A/B/C\n- {hunter2: x}\n- 7\n")
    assert [address.place for address in parsed.addresses] == ["URL 1"]
    assert parsed.problems == ("URL 2 is no URL", "URL 3 is no URL")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff\xfe", "it is no UTF-8 text"),
        (b"x" * (MAX_BYTES + 1), f"it is larger than {MAX_BYTES} bytes"),
        (b"urls:\n- [hunter2\n", "it begins as YAML and is none (line 3)"),
        (b"urls: hunter2\n", "the YAML document, expected to be a list or to have one under urls, is no URL"),
        (b"--- !!python/object/apply:os.system [hunter2]\n", "it begins as YAML and is none (line 1)"),
    ],
)
def test_what_is_no_such_file_is_said_without_showing_any_of_it(content: bytes, problem: str) -> None:
    parsed = parse(content)
    assert (parsed.addresses, parsed.problems) == ((), (problem,))


def test_only_so_many_urls_are_used_and_the_rest_is_said() -> None:
    parsed = parse("\n".join(f"json://host-{number}" for number in range(MAX_URLS + 2)).encode())
    assert len(parsed.addresses) == MAX_URLS
    assert parsed.problems == (f"it holds {MAX_URLS + 2} URLs; only the first {MAX_URLS} are used",)


def test_an_address_does_not_print_its_url() -> None:
    (address,) = parse(b"slack://hunter2").addresses
    assert "hunter2" not in repr(address)

"""What a bot says reaches people as text: where a service takes HTML, it is escaped on the way, by real apprise."""

from healthheartbeat.adapters.notify.message import Digest
from healthheartbeat.adapters.notify.service import AppriseService
from healthheartbeat.adapters.notify.urls import Address
from support.notices import page
from support.receiver import receiving
from support.sinks import RESOURCE

SAID = 'status is "<img src=//evil.example onerror=alert(1)>", expected "ok"'


async def test_markup_in_a_bots_words_is_escaped_where_a_service_takes_html() -> None:
    message = Digest(healthheartbeat=RESOURCE, begun=(page("a", description=SAID),), firing=1).message()
    async with receiving() as receiver:
        await AppriseService(Address(f"{receiver.url()}?format=html", "line 1")).send(message)
        await AppriseService(Address(receiver.url(), "line 2")).send(message)
    as_html, as_text = (told["message"] for told in receiver.told)
    assert SAID in as_text
    assert "<img" not in as_html
    assert "&lt;img&nbsp;src=//evil.example" in as_html.replace(" ", "&nbsp;")


async def test_neither_emoji_names_nor_escapes_in_a_bots_words_are_acted_on() -> None:
    said = r"status is ':rotating_light:\n\u26a0', expected 'ok'"
    message = Digest(healthheartbeat=RESOURCE, begun=(page("a", description=said),), firing=1).message()
    async with receiving() as receiver:
        await AppriseService(Address(receiver.url(), "line 1")).send(message)
    assert said in receiver.told[0]["message"]

"""`pause-restart` and `resume-restart`: nobody restarts a bot by itself while somebody looks into it (section 27)."""

import getpass
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from healthheartbeat.adapters.kube import pauses
from healthheartbeat.adapters.kube.client import KubeClient, Object
from healthheartbeat.adapters.kube.resources import find
from healthheartbeat.api.annotations import MAX_WORDS_LENGTH, Pause
from healthheartbeat.cli.health import options, output
from healthheartbeat.cli.health.durations import parse_s
from healthheartbeat.cli.health.failures import CannotTellError, explained, nearest, run
from healthheartbeat.cli.health.look import look, now_ms, program
from healthheartbeat.cli.health.options import Output
from healthheartbeat.cli.health.status_view import bot_document, pause_document
from healthheartbeat.cli.health.target import Target
from healthheartbeat.core.forecast import Moment, pause_words
from healthheartbeat.core.outlook import BotView, slugs_of


def pause_restart(
    ctx: typer.Context,
    *,
    slug: options.Slug,
    duration: Annotated[
        str | None, typer.Option("--for", help="How long: 30m, 2h, 1d. Unset: until somebody resumes it.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever finds it.")] = "",
    namespace: options.Namespace = None,
    name: options.Name = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
    output_format: options.OutputFormat = Output.TABLE,
) -> None:
    """Pause the automatic restarts of one bot; it is polled and paged about as ever.

    Exit code 0: it is paused now. 2: it is not, and why is said.
    """
    until_ms = None if duration is None else now_ms() + 1000 * _duration_s(duration)
    if len(reason) > MAX_WORDS_LENGTH:
        raise typer.BadParameter(f"a reason has at most {MAX_WORDS_LENGTH} characters, this one {len(reason)}")
    with explained():
        target = Target(given_namespace=namespace, name=name, context=context, kubeconfig=kubeconfig)
    pause = Pause(slug=slug, until_ms=until_ms, reason=reason, by=target.found.user or _user())
    done = run(_change(target, slug, lambda client, found: pauses.write(client, found, pause), known=False))
    _print(done, output_format)
    if until_ms is None:
        output.say(
            f"WITHOUT END: nothing restarts {slug} until somebody runs: {program(ctx)} resume-restart --slug {slug} "
            f"{target.flags}"
        )


def resume_restart(
    *,
    slug: options.PausedSlug,
    namespace: options.Namespace = None,
    name: options.Name = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
    output_format: options.OutputFormat = Output.TABLE,
) -> None:
    """Let one bot be restarted automatically again.

    Exit code 0: no pause holds it now. 2: one may, and why is said.
    """
    with explained():
        target = Target(given_namespace=namespace, name=name, context=context, kubeconfig=kubeconfig)
    done = run(_change(target, slug, lambda client, found: pauses.remove(client, found, slug), known=True))
    _print(done, output_format)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What a pause was, what it is, and what of it follows for the bot; `bot` None: it is no longer registered."""

    at_ms: int
    resource: str
    slug: str
    before: Pause | None
    after: Pause | None
    tidied: tuple[str, ...]
    bot: BotView | None


async def _change(
    target: Target, slug: str, make: Callable[[KubeClient, Object], Coroutine[Any, Any, Object]], *, known: bool
) -> Changed:
    """Change one pause; `known`: that of a bot which has left the registry too."""
    async with target.client() as client:
        found = await find(client, target.namespace, target.name)
        before = pauses.read(found).get(slug)
        slugs = slugs_of(found)
        if slug not in slugs and not (known and before):
            raise CannotTellError(f"there is no bot {slug!r} in {look(found).resource}{nearest(slug, slugs)}")
        left = await make(client, found)
        seen = look(left)
        tidied = await pauses.tidy(client, left, now_ms=seen.at_ms)
    return Changed(
        at_ms=seen.at_ms,
        resource=seen.resource,
        slug=slug,
        before=before if before is not None and before.active(seen.at_ms) else None,
        after=pauses.read(left).get(slug),
        tidied=tidied,
        bot=next((bot for bot in seen.bots if bot.entry.slug == slug), None),
    )


def _print(done: Changed, output_format: Output) -> None:
    if output_format is not Output.TABLE:
        document = {
            "healthheartbeat": done.resource,
            "slug": done.slug,
            "pause": None if done.after is None else pause_document(done.after),
            "before": None if done.before is None else pause_document(done.before),
            "tidied": list(done.tidied),
            "bot": None if done.bot is None else bot_document(done.bot),
        }
        output.print_data(document, output_format)
        return
    console = output.console()
    moment = Moment(now_ms=done.at_ms, zone=output.zone())
    now = "not paused: it is restarted automatically" if done.after is None else pause_words(done.after, moment)
    console.print(output.plain(f"{done.resource} {done.slug}: {now}"))
    if done.before is not None:
        console.print(output.plain(f"  before: {pause_words(done.before, moment)}"))
    elif done.after is None:
        console.print("  it was not paused before either")
    if done.bot is not None:
        state = str(done.bot.entry.state or "not swept yet")
        console.print(output.plain(f"  now {state}" + (f"; {done.bot.coming}" if done.bot.coming else "")))
    for slug in done.tidied:
        console.print(output.plain(f"  tidied up: the pause of {slug} had expired"))


def _duration_s(text: str) -> int:
    try:
        return parse_s(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--for") from None


def _user() -> str:
    """Who runs this, by this machine's word."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""

"""What a bot is asked, said apart from the operator's own digest of it."""

from dataclasses import dataclass

from healthheartbeat.core.registry import Bot


@dataclass(frozen=True, slots=True)
class Question:
    """Whose health is asked for, at which port of its pods, and by which path."""

    service: str
    selector: frozenset[tuple[str, str]]
    pod_port: int | str
    path: str

    @classmethod
    def of(cls, bot: Bot) -> "Question":
        """What a bot of a registry is asked."""
        return cls(bot.service, frozenset(bot.selector.items()), bot.pod_port, bot.path)

"""What a failed call is said to have failed of."""


def words(error: BaseException) -> str:
    """Kind and message, on one line; aiohttp says "ssl:default" of every address out of reach, of plain http too."""
    return " ".join(f"{type(error).__name__}: {error}".replace(" ssl:default", "").split())

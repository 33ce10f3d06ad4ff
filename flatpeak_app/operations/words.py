"""Numbers in the texts for operators, which are in English alone."""


def counted(number: int, one: str, several: str = "") -> str:
    """1 page, 2,000 pages."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def due_now(number: int) -> str:
    return f"{number:,} {'is' if number == 1 else 'are'} due now."

"""A progress that nobody looks at."""


class Quiet:
    def begin(self, what: str, total: int) -> None:
        pass

    def advance(self, size: int) -> None:
        pass

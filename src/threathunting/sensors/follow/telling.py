"""What is wrong with followed files, as sentences."""

from __future__ import annotations

from collections.abc import Mapping

MAX_NEWS = 1000
"""Sentences that wait to be asked for at most; the oldest give way, and are counted."""


class Telling:
    """Keeps what is wrong now, and what is new of it since it was last asked for."""

    def __init__(self) -> None:
        self._standing: dict[str, dict[str, str]] = {}
        self._news: list[str] = []
        self._dropped = 0

    def tell(self, sentence: str) -> None:
        """Something happened."""
        self._news.append(sentence)
        if len(self._news) > MAX_NEWS:
            self._dropped += 1
            del self._news[0]

    def stand(self, about: str, sentences: Mapping[str, str]) -> None:
        """What is wrong now with something, by key, and no more than that. What is new of it is told."""
        before = self._standing.get(about, {})
        for key, sentence in sentences.items():
            if before.get(key) != sentence:
                self.tell(sentence)
        self._standing[about] = dict(sentences)

    def news(self) -> list[str]:
        """The sentences since the last call."""
        news, self._news = self._news, []
        if self._dropped:
            news.insert(0, f"{self._dropped} more sentences on followed files were dropped")
            self._dropped = 0
        return news

    def standing(self) -> list[str]:
        """What is wrong now."""
        return [sentence for found in list(self._standing.values()) for sentence in found.values()]

"""The engine: matching, conversations, capture."""

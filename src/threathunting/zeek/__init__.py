"""A live Zeek: the codec of its WebSocket API, our events, and bringing every node to the armed set."""

"""Talking to a language model: messages, the one client, recording, prices and caps."""

"""Found programs as an object that predicts, and what can be edited in it."""

"""The search itself: its steps, the graph that schedules them, and how it ends."""

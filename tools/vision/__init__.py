"""Learned perception: words to detections to masks to tracks, in trusted code, outside the candidate's sandbox.

Nothing here is imported unless it is used, and importing any module of this package imports neither PyTorch nor
transformers; they come in when a model is built (see ``extra``). Reading order: ``roles`` (the nouns and Protocols),
``request`` (what a perception program declares and what it gets), ``pipeline`` (detect, segment, track), then one file
per model.
"""

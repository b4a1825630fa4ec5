"""Learned perception: words to detections to masks to tracks, in trusted code, outside the
candidate's sandbox.

Nothing here is imported unless it is used, and importing any module of this package imports neither
PyTorch nor transformers; they come in when a model is built (see ``extra``). What a program
declares and is given is in ``tools.masks``. Reading order: ``roles`` (the nouns and Protocols),
``pipeline`` (detect, segment, track), then one file per model.
"""

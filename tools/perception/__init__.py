"""Measurement: background, segmentation, sub-pixel shapes and poses, tracking."""

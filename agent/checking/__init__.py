"""What a model that sees pictures says of detections, weighed against what was measured."""

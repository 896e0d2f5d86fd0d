"""A trained network for other programs: a MONAI bundle and an ONNX file."""

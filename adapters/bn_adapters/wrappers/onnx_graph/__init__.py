"""ONNX files: read without trust, cut down to what is batch normalisation, and run."""

"""A client on a device that can only run inference: NumPy, ONNX Runtime and the core."""

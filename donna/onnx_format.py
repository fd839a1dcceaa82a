"""The versions of the ONNX files that are written."""

IR_VERSION = 10
"""Newer ones are refused by runtimes in use (onnxruntime reads less than the onnx package writes)."""
OPSETS = (18, 19, 20)

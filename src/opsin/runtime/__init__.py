"""The machine: devices, precision, progress."""

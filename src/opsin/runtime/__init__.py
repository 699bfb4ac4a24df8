"""Runtime environment: devices, precision, memory, progress bars."""

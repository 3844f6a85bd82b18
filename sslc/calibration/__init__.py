"""What calibration text says about inputs and gradients."""

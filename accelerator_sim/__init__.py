"""What a compressed model costs on hardware: tiles, cycles, stalls (numpy, simpy; never torch)."""

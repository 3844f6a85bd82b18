"""What a compressed model costs on hardware: tiles, cycles, stalls (numpy and simpy, never torch)."""

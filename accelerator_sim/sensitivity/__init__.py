"""What a machine would gain if one of its resources were doubled, or no limit at all."""

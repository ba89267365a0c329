"""The parts that methods are made of: pure torch, tensors in and tensors out."""

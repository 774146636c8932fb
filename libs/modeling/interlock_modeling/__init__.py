"""What training, gate and serving share: signature, encoder, engines, split, metrics."""

"""Programs as Ray jobs: how services launch, watch and stop them, and what a program finds on the cluster."""

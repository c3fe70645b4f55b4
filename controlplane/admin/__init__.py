"""What people ask of a control plane: publish, roll back, pin."""

"""What a policy is given."""

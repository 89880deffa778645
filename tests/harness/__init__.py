"""A real Kubernetes for the tests: programs, images, nodes, and the pytest fixtures over them."""

"""Everything that touches the Kubernetes API. Raw JSON in and out, seconds of timeout on every call."""

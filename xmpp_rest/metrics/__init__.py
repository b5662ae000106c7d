"""What is counted for monitoring: the families of metrics, the counters of one process, and the text that Prometheus reads."""

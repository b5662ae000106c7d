"""Several processes of one gateway: election of the leader, the channel between them, remote calls."""

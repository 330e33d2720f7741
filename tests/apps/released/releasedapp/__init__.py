"""Each client releases noisy sums once: statistics, or leaf counts."""

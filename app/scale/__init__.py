"""A corpus on one machine or a cluster, by Ray: many documents in, Parquet out."""

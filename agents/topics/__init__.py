"""Topics, groups and rights in Kafka: created, checked, watched, owned."""

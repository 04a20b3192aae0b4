"""The only room that imports confluent_kafka: connections, topics, readers and writers of a Kafka cluster."""

"""Events over RabbitMQ: topology, inbox, outbox, relay, retry, dead letters."""

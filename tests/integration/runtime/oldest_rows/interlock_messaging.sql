INSERT INTO outbox (id, aggregatetype, aggregateid, type, headers, payload, published_at)
VALUES (gen_random_uuid(), 'model', 'flights-{n}', 'model.retired', '{"cloudEvents_specversion": "1.0"}', '\x7b7d', now());
INSERT INTO outbox (id, aggregatetype, aggregateid, type, headers, payload, failures, last_error)
VALUES (gen_random_uuid(), 'model', 'flights-{n}', 'model.retired', '{}', '\x7b7d', 2, 'no queue is bound');
INSERT INTO inbox (consumer, event_id) VALUES ('registry.training.completed', 'event-{n}');

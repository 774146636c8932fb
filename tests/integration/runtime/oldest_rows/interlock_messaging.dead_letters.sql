INSERT INTO dead_letter (id, queue, reason, attempts, died_at, headers, body)
VALUES (gen_random_uuid(), 'registry.training.completed', 'not a valid event', 1, now(), '\x7b7d', '\x6e6f206a736f6e');
INSERT INTO dead_letter (id, queue, reason, attempts, died_at, event_id, event_type, subject, speaker, message_id, headers, body)
VALUES (gen_random_uuid(), 'ingest.dataset.submitted', 'no such pipeline', 6, now(), 'event-{n}', 'dataset.submitted', 'dataset/a/b', 'interlock_operator', 'event-{n}', '\x7b7d', '\x7b7d');

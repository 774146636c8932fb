INSERT INTO event (id, type, source, subject, time, model, run_id, trace_id, data)
VALUES ('event-{n}', 'retrain.requested', '/interlock/gateway', 'model/flights', now(), 'flights', gen_random_uuid(), repeat('a', 32), '{"model": "flights", "reason": "a holiday"}');
INSERT INTO event (id, type, source, subject, time, data)
VALUES ('event-{n}-b', 'model.retired', '/interlock/registry', 'model/flights', now(), '{}');
INSERT INTO run (run_id, model, state, cause, requested_at, started_at, ended_at, version, progress, outcome)
VALUES (gen_random_uuid(), 'flights', 'succeeded', 'retrain.requested', now(), now(), now(), 3, '{"trials_done": 5}', 'promoted');
INSERT INTO run (run_id, model, state, requested_at, "into") VALUES (gen_random_uuid(), 'flights', 'coalesced', now(), gen_random_uuid());
INSERT INTO ticket (hash, sealed, expires_at) VALUES ('hash-{n}', '\x00', now());

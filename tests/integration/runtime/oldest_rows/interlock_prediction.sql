INSERT INTO prediction (prediction_id, model, state, version, rows, answer, ended_at, expires_at)
VALUES (gen_random_uuid(), 'flights-{n}', 'completed', 1, 1, '\x7b7d', now(), now());
INSERT INTO prediction (prediction_id, model, state, version, rows, result, result_format, ended_at, expires_at)
VALUES (gen_random_uuid(), 'flights-{n}', 'completed', 1, 9000, '{"sha256": "a", "bytes": 5}', 'json', now(), now());
INSERT INTO prediction (prediction_id, model, state, reason, errors, ended_at, expires_at)
VALUES (gen_random_uuid(), 'flights-{n}', 'failed', 'no version is promoted', '[]', now(), now());
INSERT INTO prediction (prediction_id, state, reason) VALUES (gen_random_uuid(), 'cancelled', 'cancelled over REST');
INSERT INTO webhook (prediction_id, url, attempts, status, error) VALUES (gen_random_uuid(), 'https://example.org/{n}', 2, 500, 'the receiver answered 500');
INSERT INTO webhook (prediction_id, url, state, delivered_at) VALUES (gen_random_uuid(), 'https://example.org/{n}', 'delivered', now());

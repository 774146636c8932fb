INSERT INTO spec (pipeline, digest, revision, data_digest, spec) VALUES ('flights-{n}', 'abc', 1, 'def', '{"name": "flights"}');
INSERT INTO dataset (pipeline, digest, data_digest, batch, ref) VALUES ('flights-{n}', 'd1', 'def', 1, '{"digest": "d1"}');
INSERT INTO run (run_id, model, state, cause, pipeline_digest) VALUES (gen_random_uuid(), 'flights-{n}', 'queued', 'c1', 'abc');
INSERT INTO run (run_id, model, state, cause, pipeline_digest, attempt, job, submitted, started_at, deadline)
VALUES (gen_random_uuid(), 'flights-{n}', 'running', 'c2', 'abc', 1, '{"sha256": "a"}', true, now(), now());
INSERT INTO run (run_id, model, state, cause, pipeline_digest, attempt, version, ended_at)
VALUES (gen_random_uuid(), 'flights-{n}', 'succeeded', 'c3', 'abc', 1, 4, now());

INSERT INTO spec (pipeline, digest, revision, spec) VALUES ('flights-{n}', 'abc', 1, '{"name": "flights"}');
INSERT INTO batches (pipeline, count) VALUES ('flights-{n}', 1);
INSERT INTO dataset (pipeline, digest, pipeline_digest, file, bytes, cause)
VALUES ('flights-{n}', 'd1', 'abc', '{"sha256": "d1", "bytes": 5}', 5, 'upload-{n}');
INSERT INTO dataset (pipeline, digest, pipeline_digest, state, file, bytes, cause, batch, dataset, profile, decided_at)
VALUES ('flights-{n}', 'd2', 'abc', 'accepted', '{"sha256": "d2", "bytes": 5}', 5, 'upload-{n}', 1, '{"digest": "d2"}', '{}', now());
INSERT INTO dataset (pipeline, digest, pipeline_digest, state, file, bytes, cause, reasons, decided_at)
VALUES ('flights-{n}', 'd3', 'abc', 'rejected', '{"sha256": "d3", "bytes": 5}', 5, 'upload-{n}', '[{"rule": "parse", "message": "x"}]', now());
INSERT INTO submission (cause, pipeline, object) VALUES ('event-{n}', 'flights-{n}', 'incoming/flights/a.csv');

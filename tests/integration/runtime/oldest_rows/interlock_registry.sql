INSERT INTO pipeline (name, digest, revision) VALUES ('flights-{n}', 'abc', 1);
INSERT INTO spec (pipeline, digest, spec, ref) VALUES ('flights-{n}', 'abc', '{"name": "flights"}', '{"sha256": "abc", "bytes": 5}');
INSERT INTO model (name, versions, champion, promotion_seq) VALUES ('flights-{n}', 2, 2, 2);
INSERT INTO version (model, version, stage, run_id, pipeline_digest, artifact, manifest, datasets)
VALUES ('flights-{n}', 1, 'retired', gen_random_uuid(), 'abc', '{"sha256": "a", "bytes": 5}', '{"sha256": "b", "bytes": 5}', '[]');
INSERT INTO version (model, version, stage, run_id, pipeline_digest, artifact, manifest, datasets, against, report)
VALUES ('flights-{n}', 2, 'champion', gen_random_uuid(), 'abc', '{"sha256": "c", "bytes": 5}', '{"sha256": "d", "bytes": 5}', '[]', 1, '{"sha256": "e", "bytes": 5}');
INSERT INTO promotion (model, seq, version, cause) VALUES ('flights-{n}', 1, 1, 'gate');
INSERT INTO promotion (model, seq, version, cause, by) VALUES ('flights-{n}', 2, 2, 'approval', 'ada');

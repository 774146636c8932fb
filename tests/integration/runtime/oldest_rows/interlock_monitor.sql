INSERT INTO logged_version (model, version, features, labels) VALUES ('flights-{n}', 1, '["distance"]', NULL);
INSERT INTO logged_version (model, version, features, labels) VALUES ('late-{n}', 2, '["distance"]', '[false, true]');
INSERT INTO logged_count (model, version, minute, answered, dropped, logged) VALUES ('flights-{n}', 1, '2026-11-21T08:00:00Z', 9000000000, 2, 5);
INSERT INTO logged (model, prediction, version, promotion_seq, at, features, answer) VALUES ('flights-{n}', 'a/0', 1, 1, now(), '[1.50]', '3.0');
INSERT INTO logged (model, prediction, version, promotion_seq, at, features, answer, probabilities) VALUES ('late-{n}', 'b/0', 2, 3, now(), '[null]', 'true', '{0.25,0.75}');
INSERT INTO truth (model, prediction, actual, at, corrections) VALUES ('flights-{n}', 'a/0', '2.5', now(), 1);
INSERT INTO truth (model, prediction, actual, at) VALUES ('late-{n}', 'c/0', 'false', now());

-- The database of a service as the first release made it, with a job that has ended and one that waits.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE jobs (
	name VARCHAR(128) NOT NULL, 
	kind VARCHAR(64) NOT NULL, 
	spec TEXT NOT NULL, 
	spec_sha256 VARCHAR(64) NOT NULL, 
	request_id VARCHAR(128), 
	state VARCHAR(16) NOT NULL, 
	message TEXT NOT NULL, 
	cost TEXT NOT NULL, 
	error TEXT, 
	waiting_for TEXT NOT NULL, 
	result TEXT, 
	created_at FLOAT NOT NULL, 
	started_at FLOAT, 
	ended_at FLOAT, 
	eta_from_at FLOAT, 
	eta_from_done FLOAT NOT NULL, 
	done FLOAT NOT NULL, 
	total FLOAT NOT NULL, 
	revision INTEGER NOT NULL, 
	PRIMARY KEY (name), 
	CONSTRAINT uq_jobs_request UNIQUE (kind, request_id)
);
INSERT INTO "jobs" VALUES('squares/aacd5f74932177d3','squares','{"n": 2}','fcb7ecf22a686fde527cafa2dd308d1c321ff6d1baddedf24668afbba85a7d64','first','SUCCEEDED','done','{"measurements": 1.0}',NULL,'','{"sum": 4}',1700000000.0,1700000000.0,1700000000.0,1700000000.0,0.0,1.0,1.0,4);
INSERT INTO "jobs" VALUES('squares/0de6eee9a1ca8de4','squares','{"n": 3}','389d42d9a5766a33e43c9a95fe1e7555f2896ab790b0ec7e2c9dd552b9d4a44a',NULL,'QUEUED','','{}',NULL,'',NULL,1700000000.0,NULL,NULL,NULL,0.0,0.0,1.0,1);
CREATE TABLE results (
	"key" VARCHAR(256) NOT NULL, 
	result TEXT NOT NULL, 
	created_at FLOAT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "results" VALUES('square-2','{"square": 4}',1700000000.0);
CREATE TABLE tasks (
	job VARCHAR(128) NOT NULL, 
	idx INTEGER NOT NULL, 
	"key" VARCHAR(256) NOT NULL, 
	spec TEXT NOT NULL, 
	label TEXT NOT NULL, 
	units FLOAT NOT NULL, 
	fraction FLOAT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	attempt INTEGER NOT NULL, 
	fence INTEGER NOT NULL, 
	owner VARCHAR(128) NOT NULL, 
	lease_until FLOAT, 
	not_before FLOAT NOT NULL, 
	reused BOOLEAN NOT NULL, 
	checkpoint TEXT, 
	result TEXT, 
	error TEXT, 
	PRIMARY KEY (job, idx)
);
INSERT INTO "tasks" VALUES('squares/aacd5f74932177d3',0,'square-2','{"n": 2}','square of 2',1.0,1.0,'DONE',1,1,'a',1700000006.0,0.0,0,NULL,'{"square": 4}',NULL);
INSERT INTO "tasks" VALUES('squares/0de6eee9a1ca8de4',0,'square-3','{"n": 3}','square of 3',1.0,0.0,'QUEUED',0,0,'',NULL,0.0,0,NULL,NULL,NULL);
CREATE INDEX ix_jobs_kind_created ON jobs (kind, created_at, name);
CREATE INDEX ix_jobs_state ON jobs (state);
CREATE INDEX ix_tasks_state ON tasks (state, not_before);
CREATE INDEX ix_tasks_key ON tasks ("key");
COMMIT;

CREATE TABLE IF NOT EXISTS "penstock_event" (
  "ordering" BIGINT UNIQUE NOT NULL AUTO_INCREMENT,
  "deleted" BOOLEAN DEFAULT FALSE NOT NULL,
  "persistence_id" VARCHAR(255) NOT NULL,
  "sequence_number" BIGINT NOT NULL,
  "writer" VARCHAR NOT NULL,
  "write_timestamp" BIGINT NOT NULL,
  "adapter_manifest" VARCHAR NOT NULL,
  "event_payload" BLOB NOT NULL,
  "event_ser_id" INTEGER NOT NULL,
  "event_ser_manifest" VARCHAR NOT NULL,
  "meta_payload" BLOB,
  "meta_ser_id" INTEGER,
  "meta_ser_manifest" VARCHAR,
  PRIMARY KEY ("persistence_id", "sequence_number"));

ALTER TABLE "penstock_event" ADD CONSTRAINT IF NOT EXISTS "penstock_refuse_late_event" CHECK (
  "deleted" OR NOT EXISTS (SELECT 1 FROM "penstock_event" AS "later"
    WHERE "later"."persistence_id" = "penstock_event"."persistence_id"
    AND "later"."sequence_number" > "penstock_event"."sequence_number")) NOCHECK;

CREATE TABLE IF NOT EXISTS "penstock_snapshot" (
  "persistence_id" VARCHAR(255) NOT NULL,
  "sequence_number" BIGINT NOT NULL,
  "created" BIGINT NOT NULL,
  "snapshot_ser_id" INTEGER NOT NULL,
  "snapshot_ser_manifest" VARCHAR NOT NULL,
  "snapshot_payload" BLOB NOT NULL,
  "meta_ser_id" INTEGER,
  "meta_ser_manifest" VARCHAR,
  "meta_payload" BLOB,
  PRIMARY KEY ("persistence_id", "sequence_number"));

CREATE TABLE IF NOT EXISTS penstock_store (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  version INTEGER NOT NULL,
  cluster VARCHAR(255) NOT NULL);

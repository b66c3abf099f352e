CREATE TABLE IF NOT EXISTS penstock_event (
  ordering BIGSERIAL,
  persistence_id VARCHAR(255) NOT NULL,
  sequence_number BIGINT NOT NULL,
  deleted BOOLEAN DEFAULT FALSE NOT NULL,
  writer VARCHAR(255) NOT NULL,
  write_timestamp BIGINT,
  adapter_manifest VARCHAR(255),
  event_ser_id INTEGER NOT NULL,
  event_ser_manifest VARCHAR(255) NOT NULL,
  event_payload BYTEA NOT NULL,
  meta_ser_id INTEGER,
  meta_ser_manifest VARCHAR(255),
  meta_payload BYTEA,
  PRIMARY KEY (persistence_id, sequence_number));

CREATE UNIQUE INDEX IF NOT EXISTS penstock_event_ordering ON penstock_event (ordering);

CREATE OR REPLACE FUNCTION penstock_refuse_late_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM penstock_event
      WHERE persistence_id = NEW.persistence_id AND sequence_number > NEW.sequence_number) THEN
    RAISE EXCEPTION 'event % of % comes after a later one', NEW.sequence_number, NEW.persistence_id
      USING ERRCODE = 'unique_violation';
  END IF;
  RETURN NEW;
END
$$;

DROP TRIGGER IF EXISTS penstock_refuse_late_event ON penstock_event;

CREATE TRIGGER penstock_refuse_late_event BEFORE INSERT ON penstock_event
  FOR EACH ROW EXECUTE FUNCTION penstock_refuse_late_event();

CREATE TABLE IF NOT EXISTS penstock_snapshot (
  persistence_id VARCHAR(255) NOT NULL,
  sequence_number BIGINT NOT NULL,
  created BIGINT NOT NULL,
  snapshot_ser_id INTEGER NOT NULL,
  snapshot_ser_manifest VARCHAR(255) NOT NULL,
  snapshot_payload BYTEA NOT NULL,
  meta_ser_id INTEGER,
  meta_ser_manifest VARCHAR(255),
  meta_payload BYTEA,
  PRIMARY KEY (persistence_id, sequence_number));

CREATE TABLE IF NOT EXISTS penstock_store (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  version INTEGER NOT NULL,
  cluster VARCHAR(255) NOT NULL);

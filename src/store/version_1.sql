-- A file of version 1, as it was released.
CREATE TABLE devices (
  id         INTEGER PRIMARY KEY, -- what flows refer to: shorter than the address
  mac        INTEGER NOT NULL,    -- 48 bits, one row each
  name       TEXT,                -- given by the owner
  mode       INTEGER NOT NULL,    -- 0 default, 1 learn, 2 enforce, 3 trust, 4 block
  zone       TEXT,                -- where it was seen first
  first_seen INTEGER NOT NULL     -- seconds since 1970
);
CREATE TABLE destinations (
  id   INTEGER PRIMARY KEY, -- what flows refer to; of a name it is the name's number
  what NOT NULL             -- a name (text), or an address (blob of 4 or 16 bytes)
);
CREATE TABLE flows (
  id          INTEGER PRIMARY KEY, -- the flow's number, never used twice
  device      INTEGER NOT NULL,    -- devices.id
  service     INTEGER NOT NULL,    -- protocol << 17 | any port << 16 | port
  destination INTEGER NOT NULL,    -- destinations.id, 0 for any
  standing    INTEGER NOT NULL,    -- state << 2 | origin
  first_seen  INTEGER NOT NULL,    -- seconds since 1970
  last_seen   INTEGER NOT NULL,    -- seconds since 1970
  aged        INTEGER NOT NULL,    -- hours of life.uptime when it was last seen
  connections INTEGER NOT NULL
);
CREATE TABLE life (
  id       INTEGER PRIMARY KEY, -- always 1
  identity INTEGER NOT NULL,    -- drawn when the file was made: tells it from any other
  uptime   INTEGER NOT NULL,    -- seconds glacic ran with it, at most an hour behind while there is something to write
  next_id  INTEGER NOT NULL     -- no flow with this number or above was ever in the file and then deleted
);
CREATE TABLE meta (
  key   TEXT PRIMARY KEY, -- a word of glacic's own
  value TEXT NOT NULL
) WITHOUT ROWID;
PRAGMA application_id = 1735156067;
PRAGMA user_version = 1;
INSERT INTO devices VALUES (1, 202481585881089, 'camera', 2, 'lan', 1780000000);
INSERT INTO destinations VALUES (1, x'c0000201');
INSERT INTO flows VALUES (1, 1, 786875, 0, 5, 1780000000, 1780000100, 12, 3);
INSERT INTO flows VALUES (2, 1, 2228277, 1, 0, 1780000000, 1780000000, 12, 1);
INSERT INTO life VALUES (1, 42, 50000, 3);
INSERT INTO meta VALUES ('learning', 'off');

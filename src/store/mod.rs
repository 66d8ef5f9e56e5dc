//! What outlives a restart: one thread owns the SQLite file, everybody else sends it requests.

package history

// migrations make the schema of history.db, each from what those before it made.
// How many were made is kept in PRAGMA user_version.
var migrations = [...]string{tables, retentionTable, eventTables, evidenceTable, rebuildTable, pastTable, trackTable, pulseTable}

// tables are those of the first version. Instants are nanoseconds since 1970
// (columns at, since, newest), starts of minutes, hours and days are seconds.
const tables = `
CREATE TABLE place (reader TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE mark (reader TEXT, probe TEXT, epoch TEXT, seq INTEGER NOT NULL, received INTEGER NOT NULL,
	PRIMARY KEY (reader, probe, epoch)) WITHOUT ROWID;
CREATE TABLE series (id INTEGER PRIMARY KEY, check_id TEXT NOT NULL, region TEXT NOT NULL, family TEXT NOT NULL,
	UNIQUE (check_id, region, family));
CREATE TABLE probe (name TEXT PRIMARY KEY, region TEXT NOT NULL, newest INTEGER NOT NULL, received INTEGER NOT NULL)
	WITHOUT ROWID;
CREATE TABLE judge (series INTEGER PRIMARY KEY, judge TEXT NOT NULL);
CREATE TABLE verdict (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, series INTEGER NOT NULL, at INTEGER NOT NULL,
	was TEXT NOT NULL, state TEXT NOT NULL, since INTEGER NOT NULL, reason TEXT NOT NULL,
	up INTEGER NOT NULL, down INTEGER NOT NULL, unknown INTEGER NOT NULL);
CREATE INDEX verdict_at ON verdict (kind, series, at);
CREATE TABLE final (one INTEGER PRIMARY KEY CHECK (one = 1), first INTEGER NOT NULL, until INTEGER NOT NULL);
CREATE TABLE boundary (hour INTEGER, series INTEGER, judge TEXT NOT NULL, PRIMARY KEY (hour, series)) WITHOUT ROWID;
CREATE TABLE touched (hour INTEGER PRIMARY KEY);
CREATE TABLE passage (minute INTEGER, first INTEGER, last INTEGER NOT NULL, PRIMARY KEY (minute, first)) WITHOUT ROWID;
CREATE TABLE open_hour (hour INTEGER, series INTEGER, probes INTEGER NOT NULL, PRIMARY KEY (hour, series)) WITHOUT ROWID;
CREATE TABLE open_minute (series INTEGER, minute INTEGER, cell BLOB NOT NULL, PRIMARY KEY (series, minute)) WITHOUT ROWID;
CREATE TABLE open_quarter (series INTEGER, quarter INTEGER, phases BLOB NOT NULL, PRIMARY KEY (series, quarter)) WITHOUT ROWID;
CREATE TABLE hour (series INTEGER, at INTEGER, up_ms INTEGER NOT NULL, down_ms INTEGER NOT NULL, unknown_ms INTEGER NOT NULL,
	covered INTEGER NOT NULL, minutes INTEGER NOT NULL,
	runs_up INTEGER NOT NULL, runs_down INTEGER NOT NULL, runs_unknown INTEGER NOT NULL,
	latency BLOB NOT NULL, phases BLOB NOT NULL, failures BLOB NOT NULL, PRIMARY KEY (series, at));
CREATE TABLE day (series INTEGER, at INTEGER, up_ms INTEGER NOT NULL, down_ms INTEGER NOT NULL, unknown_ms INTEGER NOT NULL,
	covered INTEGER NOT NULL, minutes INTEGER NOT NULL,
	runs_up INTEGER NOT NULL, runs_down INTEGER NOT NULL, runs_unknown INTEGER NOT NULL,
	latency BLOB NOT NULL, phases BLOB NOT NULL, failures BLOB NOT NULL, PRIMARY KEY (series, at));
CREATE TABLE days_closed (one INTEGER PRIMARY KEY CHECK (one = 1), until INTEGER NOT NULL);
`

// retentionTable holds, in seconds, the time by which was last deleted and the end
// of the newest minute of which the journal was found to hold no longer all.
const retentionTable = `
CREATE TABLE retention (one INTEGER PRIMARY KEY CHECK (one = 1), clock INTEGER NOT NULL, forgotten INTEGER NOT NULL);
INSERT INTO retention (one, clock, forgotten) VALUES (1, 0, 0);
`

// eventTables hold what is known beside availability: what became of mails (delay
// is null until one is found; final is 0 while it is looked for, 1 where nobody can
// tell, 2 if it is lost), where each probe met a server and the certificates that
// it showed there, what changed in that, and what is to be said of configurations.
// Instants are nanoseconds since 1970.
const eventTables = `
CREATE TABLE mail (probe TEXT, mail TEXT, check_id TEXT NOT NULL, service TEXT NOT NULL, route TEXT NOT NULL,
	region TEXT NOT NULL, sent INTEGER NOT NULL, delay INTEGER, late INTEGER NOT NULL, final INTEGER NOT NULL,
	junk INTEGER NOT NULL, spf TEXT NOT NULL, dkim TEXT NOT NULL, dmarc TEXT NOT NULL,
	PRIMARY KEY (probe, mail)) WITHOUT ROWID;
CREATE INDEX mail_sent ON mail (sent);
CREATE INDEX mail_route ON mail (route, sent);
CREATE INDEX mail_check ON mail (check_id, probe, sent);
CREATE TABLE sighting (check_id TEXT, family TEXT, probe TEXT, address TEXT, chain TEXT, region TEXT NOT NULL, at INTEGER NOT NULL,
	PRIMARY KEY (check_id, family, probe, address, chain)) WITHOUT ROWID;
CREATE TABLE chain (hash TEXT PRIMARY KEY, handshake TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE annotation (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, check_id TEXT NOT NULL, region TEXT NOT NULL,
	family TEXT NOT NULL, probe TEXT NOT NULL, kind TEXT NOT NULL, was TEXT NOT NULL, became TEXT NOT NULL);
CREATE INDEX annotation_at ON annotation (check_id, at);
CREATE TABLE finding (check_id TEXT, probe TEXT, region TEXT NOT NULL, at INTEGER NOT NULL, list TEXT NOT NULL,
	PRIMARY KEY (check_id, probe)) WITHOUT ROWID;
`

// evidenceTable makes the table of verdicts anew with what each rests on, as JSON;
// empty where a former version wrote it. A number is never given again, also where
// an hour is judged anew: whoever follows the changes by it misses none.
const evidenceTable = `
CREATE TABLE verdict_with_evidence (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, series INTEGER NOT NULL, at INTEGER NOT NULL,
	was TEXT NOT NULL, state TEXT NOT NULL, since INTEGER NOT NULL, reason TEXT NOT NULL,
	up INTEGER NOT NULL, down INTEGER NOT NULL, unknown INTEGER NOT NULL, evidence TEXT NOT NULL);
INSERT INTO verdict_with_evidence (id, kind, series, at, was, state, since, reason, up, down, unknown, evidence)
	SELECT id, kind, series, at, was, state, since, reason, up, down, unknown, '' FROM verdict;
DROP TABLE verdict;
ALTER TABLE verdict_with_evidence RENAME TO verdict;
CREATE INDEX verdict_at ON verdict (kind, series, at);
CREATE INDEX verdict_time ON verdict (kind, at);
`

// rebuildTable holds the hour from which rollups are made again, in seconds, and the
// first and last entry of the journal that are read for it.
const rebuildTable = `
CREATE TABLE rebuild (one INTEGER PRIMARY KEY CHECK (one = 1), since INTEGER NOT NULL, first INTEGER NOT NULL, until INTEGER NOT NULL);
`

// pastTable holds the hours of days, and the days of months, that are closed: one row a
// series and day or month, as cell.Totals encodes them. Unit is the table that they
// were rows of; hours that a former version closed stay there.
const pastTable = `
CREATE TABLE past (series INTEGER, unit TEXT, at INTEGER, sums BLOB NOT NULL, latencies BLOB NOT NULL, phases BLOB NOT NULL, PRIMARY KEY (series, unit, at));
`

// trackTable makes the table of series anew with the probe that sees them. Empty stands for
// all of the region together: what a former version kept, verdicts, and sums. Of a series
// what its probes have in past stands in one row of probe_past: apart, so that the rows of
// regions, which most queries read, lie together. Rows of hours that are open no longer were
// left by a version that sealed before it wrote.
const trackTable = `
CREATE TABLE track (id INTEGER PRIMARY KEY, check_id TEXT NOT NULL, region TEXT NOT NULL, family TEXT NOT NULL, probe TEXT NOT NULL,
	UNIQUE (check_id, region, family, probe));
INSERT INTO track (id, check_id, region, family, probe) SELECT id, check_id, region, family, '' FROM series;
DROP TABLE series;
ALTER TABLE track RENAME TO series;
DELETE FROM open_minute WHERE (minute - minute % 3600, series) NOT IN (SELECT hour, series FROM open_hour);
DELETE FROM open_quarter WHERE (quarter - quarter % 3600, series) NOT IN (SELECT hour, series FROM open_hour);
CREATE TABLE probe_past (series INTEGER, unit TEXT, at INTEGER, sums BLOB NOT NULL, latencies BLOB NOT NULL, phases BLOB NOT NULL, PRIMARY KEY (series, unit, at));
`

// pulseTable holds how probes were: a row a probe, width (in seconds) and start of a pulse.
// The ends of a clock's offset are microseconds, null where it was not measured.
const pulseTable = `
CREATE TABLE pulse (probe TEXT, unit INTEGER, at INTEGER, runs INTEGER NOT NULL, down INTEGER NOT NULL, own_network INTEGER NOT NULL,
	own_late INTEGER NOT NULL, own_error INTEGER NOT NULL, waited_ms INTEGER NOT NULL, clock_low INTEGER, clock_high INTEGER,
	PRIMARY KEY (probe, unit, at)) WITHOUT ROWID;
`

// monthSchema is that of minutes-YYYY-MM.db: one block per series and hour, as cell.Hours
// encodes it. A file stands on its own.
const monthSchema = `
CREATE TABLE IF NOT EXISTS block (check_id TEXT, region TEXT, family TEXT, hour INTEGER, block BLOB NOT NULL,
	PRIMARY KEY (check_id, region, family, hour));
`

// The statements of every transaction, prepared once.
const (
	savePlace   = `INSERT OR REPLACE INTO place (reader, seq) VALUES (?, ?)`
	saveMark    = `INSERT OR REPLACE INTO mark (reader, probe, epoch, seq, received) VALUES (?, ?, ?, ?, ?)`
	saveJudge   = `INSERT OR REPLACE INTO judge (series, judge) VALUES (?, ?)`
	dropJudge   = `DELETE FROM judge WHERE series = ?`
	saveProbe   = `INSERT OR REPLACE INTO probe (name, region, newest, received) VALUES (?, ?, ?, ?)`
	savePassage = `INSERT OR REPLACE INTO passage (minute, first, last) VALUES (?, ?, ?)`
	saveQuarter = `INSERT OR REPLACE INTO open_quarter (series, quarter, phases) VALUES (?, ?, ?)`
	saveOpen    = `INSERT OR REPLACE INTO open_hour (hour, series, probes) VALUES (?, ?, ?)`
	saveVerdict = `INSERT INTO verdict (kind, series, at, was, state, since, reason, up, down, unknown, evidence)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	// What is open of tracks, their numbers a JSON array, and of one hour of a track. Open minutes
	// are those of a former version: they stand in the row of their quarter.
	selectOpen   = `SELECT series, hour FROM open_hour WHERE series IN (SELECT value FROM json_each(?)) ORDER BY hour`
	selectProbes = `SELECT probes FROM open_hour WHERE hour = ? AND series = ?`
	selectCells  = `SELECT 60, (minute - ?2) / 60, cell FROM open_minute WHERE series = ?1 AND minute >= ?2 AND minute < ?2 + 3600
		UNION ALL SELECT 900, (quarter - ?2) / 900, phases FROM open_quarter WHERE series = ?1 AND quarter >= ?2 AND quarter < ?2 + 3600`
	saveSighting = `INSERT OR REPLACE INTO sighting (check_id, family, probe, address, chain, region, at) VALUES (?, ?, ?, ?, ?, ?, ?)`
	savePulse    = `INSERT OR REPLACE INTO pulse (probe, unit, at, runs, down, own_network, own_late, own_error, waited_ms, clock_low, clock_high)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	selectPulse  = `SELECT at, runs, down, own_network, own_late, own_error, waited_ms, clock_low, clock_high FROM pulse WHERE probe = ? AND unit = ? AND at = ?`
	selectPulses = `SELECT at, runs, down, own_network, own_late, own_error, waited_ms, clock_low, clock_high FROM pulse
		WHERE probe = ? AND unit = ? AND at >= ? AND at < ? ORDER BY at`
	touchHour = `INSERT OR IGNORE INTO touched (hour) SELECT ? FROM final WHERE until > ?`
)

var hotStatements = [...]string{
	savePlace, saveMark, saveJudge, dropJudge, saveProbe, savePassage, saveQuarter, saveOpen, saveVerdict, saveSighting, savePulse, touchHour,
}

// The queries of every graph, prepared once.
var hotQueries = [...]string{
	selectTotals("hour"), selectTotals("day"), selectOpen, selectProbes, selectCells, selectPulse, selectPulses,
	selectPast("past", 0), selectPast("past", latencies), selectPast("past", phases),
}

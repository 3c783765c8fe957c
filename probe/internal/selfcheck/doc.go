// Package selfcheck finds out what this probe's own host and network keep it from
// seeing, so that nobody else is blamed for it: by control targets that should
// answer whatever becomes of the services, see [Controls], and by remembering which
// ports its hoster blocks, see [Ports].
package selfcheck

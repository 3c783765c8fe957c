package main

import (
	"log/slog"

	"varde"
	"varde/coordinator/internal/config"
	"varde/coordinator/server"
)

// start makes the coordinator of a configuration that was read from path.
func start(path string, c config.Config, logger *slog.Logger) (coordinator, error) {
	return server.New(server.Options{
		Config: c, ConfigPath: path, Logger: logger, Version: varde.Version(), Socket: true,
	})
}

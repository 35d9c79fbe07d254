/** Loaded into the demo's gateway: it ends in order when the demo that started it is gone, in whatever way that went. */
process.stdin.on('end', () => process.kill(process.pid, 'SIGTERM')).resume();

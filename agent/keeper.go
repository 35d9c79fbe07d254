package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// keeperMain is the second container of a pod, under an uid of its own. It holds what main's script writes until
// the far side has it, and how it ended; it outlives main's death, and ends when all is acknowledged and committed.
func keeperMain() int {
	runtime.GOMAXPROCS(2)
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT)
	k, err := keeperFromEnv(os.Getenv)
	if err != nil {
		logLine("keeper: %v", err)
		return 1
	}
	// On the pod's deletion both containers get TERM. Main passes it on; what the script says at its end must
	// still be delivered, so the keeper stays, unless there never was a script.
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	go func() {
		for range terminate {
			k.terminate()
		}
	}()
	if err := k.serve(); err != nil {
		logLine("keeper: %v", err)
		return 1
	}
	return 0
}

type keeperConfig struct {
	socket string // main's, unix
	listen string // the gateway's, TCP
	key    []byte
	dir    string // spool files, grant and exit
	etc    string // the files that main has over its image's own; "" for none
	uid    int    // main's
	spool  int64
	timing timing
	nowMs  func() int64
}

func keeperFromEnv(env func(string) string) (*keeper, error) {
	or := func(name, otherwise string) string {
		if v := env(name); v != "" {
			return v
		}
		return otherwise
	}
	uid, err := strconv.Atoi(env("SPILL_UID"))
	if err != nil {
		return nil, fmt.Errorf("SPILL_UID: %w; set main's uid", err)
	}
	key, err := readKey(env("SPILL_KEY_FILE"))
	if err != nil {
		return nil, fmt.Errorf("SPILL_KEY_FILE: %w", err)
	}
	port, err := strconv.ParseUint(or("SPILL_PORT", "7701"), 10, 16)
	if err != nil {
		return nil, fmt.Errorf("SPILL_PORT: %w", err)
	}
	return newKeeper(keeperConfig{
		socket: or("SPILL_SOCKET", defaultKeeperSocket),
		listen: net.JoinHostPort("127.0.0.1", strconv.FormatUint(port, 10)),
		key:    key,
		dir:    or("SPILL_SPOOL", "/spill/spool"),
		etc:    env("SPILL_ETC"),
		uid:    uid,
		spool:  spoolSize,
		timing: protocolTiming,
		nowMs:  func() int64 { return time.Now().UnixMilli() },
	})
}

const defaultKeeperSocket = "/spill/run/keeper.sock"

// readKey takes 32 raw bytes or their 64 hexadecimal digits: a Secret may hold either.
func readKey(path string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(raw) == 32 {
		return raw, nil
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil || len(key) != 32 {
		return nil, errors.New("neither 32 bytes nor 64 hexadecimal digits")
	}
	return key, nil
}

// keeper's parts lock themselves; mu guards the rest, and is never held while something may block.
type keeper struct {
	config keeperConfig
	tcp    net.Listener
	unix   *net.UnixListener
	script *inbox
	env    *inbox
	out    [chErr + 1]*spool
	over   chan struct{} // BYE came, or nothing will ever start here

	starting sync.Mutex // one START at a time; taken before mu

	mu          sync.Mutex
	main        string // absent, ready, refused
	fault       string
	mainLink    *link
	pipesLeft   int // outputs not yet at their end
	pipesSeen   bool
	mainGone    bool
	start       *startBody
	started     *startedBody
	handed      bool // main has START
	exited      *innerExited
	staging     *stageBody // the newest order, main's to do
	exit        *exitBody
	reason      string // why the keeper itself ended the script
	applied     *recentIDs
	waiting     []signalBody // signals from before the start
	gateway     *link
	epochs      epochs
	unauth      int
	terminating bool
	ended       bool
	errFirst    bool // whose turn it is
}

func newKeeper(config keeperConfig) (*keeper, error) {
	if err := os.MkdirAll(config.dir, 0o700); err != nil {
		return nil, err
	}
	k := &keeper{config: config, main: "absent", over: make(chan struct{}), applied: newRecentIDs(4096)}
	var err error
	if k.script, err = newInbox(chScript, filepath.Join(config.dir, "script")); err != nil {
		return nil, err
	}
	if k.env, err = newInbox(chEnv, filepath.Join(config.dir, "environment")); err != nil {
		return nil, err
	}
	for channel, name := range map[int]string{chOut: "stdout", chErr: "stderr"} {
		k.out[channel], err = newSpool(channel, filepath.Join(config.dir, name), config.spool, k.outputChanged)
		if err != nil {
			return nil, err
		}
	}
	if err := k.recallGrant(); err != nil {
		return nil, err
	}
	os.Remove(config.socket)
	k.unix, err = net.ListenUnix("unix", &net.UnixAddr{Name: config.socket, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(config.socket, 0o666); err != nil { // main has another uid; the kernel says which
		return nil, err
	}
	if k.tcp, err = net.Listen("tcp", config.listen); err != nil {
		return nil, err
	}
	return k, nil
}

// serve returns when the keeper is no longer needed.
func (k *keeper) serve() error {
	go k.acceptMain()
	go k.acceptGateways()
	<-k.over
	k.tcp.Close()
	k.unix.Close()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.mainLink != nil { // a main that stays waits for nothing more
		k.mainLink.close(nil)
	}
	return nil
}

func (k *keeper) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.ended {
		k.ended = true
		close(k.over)
	}
}

func (k *keeper) terminate() {
	k.mu.Lock()
	k.terminating = true
	k.mu.Unlock()
	k.endIfUseless()
}

// endIfUseless: told to go, nothing granted, and nobody there who might.
func (k *keeper) endIfUseless() {
	k.mu.Lock()
	useless := k.terminating && k.start == nil && k.gateway == nil
	k.mu.Unlock()
	if useless {
		k.end()
	}
}

// grantRecord is durable before main hears of a start: whatever happens, there is no second.
type grantRecord struct {
	Start startBody `json:"start"`
}

func (k *keeper) grantPath() string { return filepath.Join(k.config.dir, "grant.json") }

func (k *keeper) recordGrant(start *startBody) error {
	text, err := encodeJSON(grantRecord{*start})
	if err != nil {
		return err
	}
	return writeDurably(k.grantPath(), text)
}

// recallGrant: pods do not restart containers, but should one, what ran here is lost and must not run again.
func (k *keeper) recallGrant() error {
	text, err := os.ReadFile(k.grantPath())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var record grantRecord
	if err := json.Unmarshal(text, &record); err != nil {
		return fmt.Errorf("%s: %w", k.grantPath(), err)
	}
	k.start = &record.Start
	k.main, k.fault = "refused", "the keeper was restarted after the start"
	return nil
}

func (k *keeper) recordExit(exit *exitBody) error {
	text, err := encodeJSON(exit)
	if err != nil {
		return err
	}
	return writeDurably(filepath.Join(k.config.dir, "exit.json"), text)
}

func writeDurably(path string, text []byte) error {
	fresh := path + ".new"
	file, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// recentIDs remembers the last n ids, so that a repeated signal is applied once.
type recentIDs struct {
	seen  map[string]bool
	order []string
	at    int
}

func newRecentIDs(n int) *recentIDs {
	return &recentIDs{seen: map[string]bool{}, order: make([]string, 0, n)}
}

// add says whether id is new.
func (r *recentIDs) add(id string) bool {
	if r.seen[id] {
		return false
	}
	if len(r.order) < cap(r.order) {
		r.order = append(r.order, id)
	} else {
		delete(r.seen, r.order[r.at])
		r.order[r.at] = id
		r.at = (r.at + 1) % len(r.order)
	}
	r.seen[id] = true
	return true
}

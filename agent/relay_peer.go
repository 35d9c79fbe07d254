package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const soPeerGroups = 59 // SO_PEERGROUPS: not in package syscall

// identify says who is at the other end. The pid's start time is compared before and after its parent was read:
// a pid that was given to another process in between would have another.
func identify(conn *net.UnixConn, proc procFS, names *nameService) (peerBody, error) {
	uid, gid, pid, err := peerCred(conn)
	if err != nil {
		return peerBody{}, err
	}
	groups, err := peerGroups(conn)
	if err != nil {
		return peerBody{}, err
	}
	job, err := batchChild(proc, int(pid), uid)
	if err != nil {
		return peerBody{}, err
	}
	peer := peerBody{UID: uid, GID: gid, JobID: job, PID: pid}
	if peer.Host, err = os.Hostname(); err != nil {
		return peerBody{}, err
	}
	account, err := names.account(uid)
	if err != nil {
		return peerBody{}, err
	}
	peer.User, peer.Home, peer.Shell = account.user, account.home, account.shell
	all := []int64{gid}
	for _, g := range groups {
		if g != gid {
			all = append(all, g)
		}
	}
	peer.Groups, err = names.groups(all)
	return peer, err
}

func batchChild(proc procFS, pid int, uid int64) (job int64, err error) {
	parent, start, err := proc.parentAndStart(pid)
	if err != nil {
		return 0, err
	}
	status, err := proc.status(pid)
	if err != nil {
		return 0, err
	}
	if want := strconv.FormatInt(uid, 10); !strings.HasPrefix(status["Uid"], want+"\t"+want+"\t") {
		return 0, fmt.Errorf("process %d is no longer the one that connected", pid)
	}
	if job, err = proc.batchStep(parent, false); err != nil {
		return 0, fmt.Errorf("process %d is no child of a batch step: %w", pid, err)
	}
	parentAgain, startAgain, err := proc.parentAndStart(pid)
	if err != nil {
		return 0, err
	}
	if parentAgain != parent || startAgain != start {
		return 0, fmt.Errorf("process %d changed while it was looked at", pid)
	}
	return job, nil
}

func peerCred(conn *net.UnixConn) (uid, gid, pid int64, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, 0, 0, err
	}
	var cred *syscall.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err = errors.Join(err, failed); err != nil {
		return 0, 0, 0, err
	}
	return int64(cred.Uid), int64(cred.Gid), int64(cred.Pid), nil
}

func peerGroups(conn *net.UnixConn) ([]int64, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	gids := make([]uint32, 64)
	length := uint32(0)
	var errno syscall.Errno
	for {
		length = uint32(4 * len(gids))
		err = raw.Control(func(fd uintptr) {
			_, _, errno = syscall.Syscall6(syscall.SYS_GETSOCKOPT, fd, syscall.SOL_SOCKET, soPeerGroups,
				uintptr(unsafe.Pointer(&gids[0])), uintptr(unsafe.Pointer(&length)), 0)
		})
		if err != nil {
			return nil, err
		}
		if errno != syscall.ERANGE {
			break
		}
		gids = make([]uint32, length/4) // the kernel said how many there are
	}
	if errno != 0 {
		return nil, fmt.Errorf("SO_PEERGROUPS: %w", errno)
	}
	var groups []int64
	for _, g := range gids[:length/4] {
		groups = append(groups, int64(g))
	}
	return groups, nil
}

// errNames: the name service does not answer now; the same question may be asked again.
var errNames = errors.New("the name service does not answer")

type account struct{ user, home, shell string }

// nameService asks getent, which knows every source that the host's nsswitch.conf names (LDAP, sssd); a static
// Go program on its own would know /etc/passwd alone. Answers are kept for a minute: forty jobs may start at once.
type nameService struct {
	mu    sync.Mutex
	asked map[string]answer
}

type answer struct {
	text string
	at   time.Time
}

const (
	getent         = "/usr/bin/getent"
	getentTimeout  = 10 * time.Second
	namesKeptFor   = time.Minute
	namesKeptAtAll = 4096
)

func (n *nameService) account(uid int64) (account, error) {
	lines, err := n.ask("passwd", []int64{uid})
	if err != nil {
		return account{}, err
	}
	fields := strings.Split(lines[uid], ":")
	if len(fields) != 7 {
		return account{}, fmt.Errorf("uid %d has no name here", uid)
	}
	return account{user: fields[0], home: fields[5], shell: fields[6]}, nil
}

// uidOf is the other way round: what the name service has by that name, which need not be what it names by that uid.
func (n *nameService) uidOf(user string) (int64, error) {
	key := "uid of " + user
	n.mu.Lock()
	kept, ok := n.asked[key]
	n.mu.Unlock()
	if !ok || time.Since(kept.at) >= namesKeptFor {
		out, err := runGetent([]string{"passwd", user})
		if err != nil {
			return 0, err
		}
		kept = answer{strings.TrimSuffix(out, "\n"), time.Now()}
		n.keep(map[string]answer{key: kept})
	}
	fields := strings.Split(kept.text, ":")
	if len(fields) != 7 || fields[0] != user {
		return 0, fmt.Errorf("%s has no uid here", user)
	}
	return strconv.ParseInt(fields[2], 10, 64)
}

func (n *nameService) keep(answers map[string]answer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.asked) >= namesKeptAtAll || n.asked == nil {
		n.asked = map[string]answer{}
	}
	maps.Copy(n.asked, answers)
}

// groups leaves the name of an unknown group empty: a gid without a name still counts.
func (n *nameService) groups(gids []int64) ([]namedGroup, error) {
	lines, err := n.ask("group", gids)
	if err != nil {
		return nil, err
	}
	named := []namedGroup{}
	for _, gid := range gids {
		name, _, _ := strings.Cut(lines[gid], ":")
		named = append(named, namedGroup{Gid: gid, Name: name})
	}
	return named, nil
}

// ask gives the lines of a database by id, "" for an id that has none. What is not known yet takes one getent for
// all: a user may have a hundred groups.
func (n *nameService) ask(database string, ids []int64) (map[int64]string, error) {
	lines := map[int64]string{}
	var unknown []int64
	n.mu.Lock()
	for _, id := range ids {
		kept, ok := n.asked[key(database, id)]
		if ok && time.Since(kept.at) < namesKeptFor {
			lines[id] = kept.text
		} else {
			unknown = append(unknown, id)
		}
	}
	n.mu.Unlock()
	if len(unknown) == 0 {
		return lines, nil
	}
	args := []string{database}
	for _, id := range unknown {
		args = append(args, strconv.FormatInt(id, 10))
	}
	out, err := runGetent(args)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		// Both databases have the number in the third field.
		if fields := strings.Split(line, ":"); len(fields) > 2 {
			if id, err := strconv.ParseInt(fields[2], 10, 64); err == nil {
				lines[id] = line
			}
		}
	}
	answers := map[string]answer{}
	for _, id := range unknown {
		answers[key(database, id)] = answer{lines[id], time.Now()}
	}
	n.keep(answers)
	return lines, nil
}

func key(database string, id int64) string { return database + " " + strconv.FormatInt(id, 10) }

func runGetent(args []string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), getentTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, getent, args...)
	command.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C"}
	out, err := command.Output()
	var ended *exec.ExitError
	const notFound = 2 // one of the ids, or all
	if err != nil && !(errors.As(err, &ended) && ended.ExitCode() == notFound && ctx.Err() == nil) {
		return "", fmt.Errorf("%w: getent %s: %v", errNames, strings.Join(args, " "), err)
	}
	return string(out), nil
}
